"""What an inspector sees at a glance: counts of audited queries and findings, the audit's state.

Counts of queries come from `audit_days`, so that a year of a busy chain is some thousand rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, select

from federation.identity import Role, SpiffeId
from node.regulator.audit.days import ALL
from node.regulator.audit.progress import CHECKED, VERIFIED, progress
from node.regulator.mirror.books import AWAY, FAULTY, OK, MirroredLog, all_logs
from node.regulator.tables import audit_days, audit_findings, audit_queries

BEHIND: Final = "behind"
"""A log that answers and that no quorum has cosigned for the mirror's grace."""


@dataclass(frozen=True)
class Period:
    """Days from `begin` to before `end` (unix seconds, each when a day begins in China), of one
    bank or purpose where they are given.
    """

    begin: int
    end: int
    bank: str = ""
    purpose: str = ""


@dataclass(frozen=True)
class Counts:
    """Queries, those verified, and those of which the evidence showed a consent."""

    queries: int = 0
    verified: int = 0
    consented: int = 0


@dataclass(frozen=True)
class Tally:
    """Counts of a period: in all, by the day, by bank, by purpose, and queries by holder."""

    whole: Counts
    days: Mapping[int, Counts]
    banks: Sequence[tuple[str, Counts]]
    purposes: Sequence[tuple[str, Counts]]
    holders: Sequence[tuple[str, int]]


def tally(connection: Connection, period: Period) -> Tally:
    """The counts of a period; the greatest first but for days."""
    table = audit_days.c
    once, each = table.holder == ALL, table.holder != ALL
    return Tally(
        whole=_counts(connection, period, once),
        days={int(day): one for day, one in _by(connection, period, table.day, once)},
        banks=_by(connection, period, table.bank, once),
        purposes=_by(connection, period, table.purpose, once),
        holders=[(key, one.queries) for key, one in _by(connection, period, table.holder, each)],
    )


def _sums() -> list[Any]:
    table = audit_days.c
    # PostgreSQL sums bigints as numeric.
    return [func.coalesce(func.sum(c), 0) for c in (table.queries, table.verified, table.consented)]


def _where(period: Period, which: ColumnElement[bool]) -> ColumnElement[bool]:
    table = audit_days.c
    found = [table.day >= period.begin, table.day < period.end, which]
    if period.bank:
        found.append(table.bank == period.bank)
    if period.purpose:
        found.append(table.purpose == period.purpose)
    return and_(*found)


def _counts(connection: Connection, period: Period, which: ColumnElement[bool]) -> Counts:
    row = connection.execute(select(*_sums()).where(_where(period, which))).one()
    return Counts(*map(int, row))


def _by(
    connection: Connection, period: Period, key: Any, which: ColumnElement[bool]
) -> list[tuple[Any, Counts]]:
    statement = select(key, *_sums()).where(_where(period, which)).group_by(key)
    found = [(row[0], Counts(*map(int, row[1:]))) for row in connection.execute(statement)]
    return sorted(found, key=lambda one: (-one[1].queries, str(one[0])))


def still_consented(connection: Connection, period: Period, now: int) -> int:
    """How many queries of a period were under a consent that has not ended by `now`."""
    table = audit_queries.c
    found = [table.time >= period.begin, table.time < period.end, table.consent_expires > now]
    if period.bank:
        found.append(table.bank == period.bank)
    if period.purpose:
        found.append(table.purpose == period.purpose)
    return int(connection.execute(select(func.count()).where(*found)).scalar_one())


def known_banks(connection: Connection) -> list[str]:
    """Every bank that has an audited query, in order of the ids."""
    return list(connection.execute(select(audit_days.c.bank).distinct().order_by("bank")).scalars())


def finding_counts(connection: Connection) -> dict[tuple[str, str], int]:
    """How many findings there are, by severity and state."""
    table = audit_findings.c
    rows = connection.execute(
        select(table.severity, table.state, func.count()).group_by(table.severity, table.state)
    )
    return {(severity, state): count for severity, state, count in rows}


@dataclass(frozen=True)
class AuditState:
    """How far the audit is: entries of the hub's log that were `verified`, of `size` that are
    mirrored, and the time up to which all logs were `checked` (0: never).
    """

    verified: int
    size: int
    checked: int


def audit_state(connection: Connection, logs: Sequence[MirroredLog]) -> AuditState:
    """How far the audit is."""
    size = sum(log.size for log in logs if SpiffeId.parse(log.log).role is Role.HUB)
    verified = min(progress(connection, VERIFIED), size)
    return AuditState(verified, size, progress(connection, CHECKED))


@dataclass(frozen=True)
class LogHealth:
    """A mirrored log. `state` is `ok`, `behind`, `away` or `faulty`; `fault` the finding's kind."""

    log: MirroredLog
    state: str
    fault: str


def log_health(connection: Connection, now: int, grace: int) -> list[LogHealth]:
    """The health of every mirrored log at `now`, what needs looking at first; `grace` seconds may
    pass without a quorum.
    """
    found = [
        LogHealth(log, _state(log, now, grace), log.fault or "") for log in all_logs(connection)
    ]
    order = (FAULTY, AWAY, BEHIND, OK)
    return sorted(found, key=lambda one: order.index(one.state))


def _state(log: MirroredLog, now: int, grace: int) -> str:
    if log.state in (FAULTY, AWAY):
        return log.state
    since = log.uncosigned_since
    return BEHIND if since is not None and now - since > grace else log.state
