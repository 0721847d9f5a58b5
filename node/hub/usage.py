"""How much the chain is used: counted with each query, by day, for charts and for billing.

A count names no firm. A query is counted once for the bank that asked, once for each holder that
its permits name, and, where it was passed on, once for the hub of the peer chain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from federation.permit import Permit
from node.days import day_start
from node.hub.tables import hub_usage

QUERIES: Final = ""
"""The party of a count of queries that were answered in this chain."""


@dataclass(frozen=True)
class Usage:
    """How many queries; `party` as in `hub_usage`, `day` 0 where days are added up."""

    bank: str
    party: str
    count: int
    day: int = 0
    purpose: str = ""


def count_query(connection: Connection, permits: Iterable[Permit]) -> None:
    """Counts one query by its permits, within the unit of work that keeps them."""
    kept = list(permits)
    holders = [str(holder) for permit in kept for holder in permit.audience]
    _count(connection, kept[0], [QUERIES, *holders])


def count_routed(connection: Connection, permits: Iterable[Permit], hub: str) -> None:
    """Counts one query that the hub of a peer chain answered."""
    _count(connection, next(iter(permits)), [hub])


def by_day(connection: Connection, since: int) -> list[Usage]:
    """Queries answered here and passed on, by day, bank and purpose, from a day on; no holders'."""
    table = hub_usage.c
    rows = connection.execute(
        select(table.bank, table.party, table["count"], table.day, table.purpose).where(
            table.day >= since, (table.party == QUERIES) | table.party.contains("/hub/")
        )
    ).all()
    return [Usage(*row) for row in rows]


def totals(connection: Connection, begin: int, end: int) -> list[Usage]:
    """Counts of each bank and party in a span of days."""
    table, total = hub_usage.c, func.sum(hub_usage.c["count"])
    rows = connection.execute(
        select(table.bank, table.party, total)
        .where(table.day >= begin, table.day < end)
        .group_by(table.bank, table.party)
        .order_by(table.bank, table.party)
    ).all()
    return [Usage(bank, party, int(count)) for bank, party, count in rows]


def detailed(connection: Connection, begin: int, end: int) -> list[Usage]:
    """The same by purpose, too: what a bill is made of."""
    table, total = hub_usage.c, func.sum(hub_usage.c["count"])
    keys = (table.bank, table.party, table.purpose)
    rows = connection.execute(
        select(*keys, total)
        .where(table.day >= begin, table.day < end)
        .group_by(*keys)
        .order_by(*keys)
    ).all()
    return [Usage(bank, party, int(n), purpose=purpose) for bank, party, purpose, n in rows]


def first_day(connection: Connection) -> int | None:
    """The first day that has a count; None while there is none."""
    found: int | None = connection.execute(select(func.min(hub_usage.c.day))).scalar_one()
    return found


def _count(connection: Connection, permit: Permit, parties: Iterable[str]) -> None:
    table = hub_usage
    key = {
        "day": day_start(permit.issued),
        "bank": str(permit.bank),
        "purpose": permit.purpose,
    }
    for party in parties:
        of = [table.c[name] == value for name, value in (key | {"party": party}).items()]
        more = update(table).where(*of).values(count=table.c["count"] + 1)
        if not connection.execute(more).rowcount:
            connection.execute(insert(table).values({**key, "party": party, "count": 1}))
