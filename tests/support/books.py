"""The books of a chain compared: what hub, holders and bank keep, beside what their logs say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, Connection, Table, func, select

from federation.canonical import b64
from federation.entries import Kind, read_entry
from federation.permit import Permit
from federation.signed import Signed
from node.bank.ledger import State
from node.bank.tables import bank_queries
from node.demo.layout import Party
from node.holder.tables import holder_permits
from node.hub.tables import hub_consents, hub_elements, hub_permits
from node.storage.schema import log_entries
from support.running import RunningChain


def permits(chain: RunningChain) -> int:
    """How many permits the hub has issued."""
    with chain.database(chain.layout.hub) as connection:
        return _count(connection, hub_permits)


def unlocked(chain: RunningChain, holder: Party) -> int:
    """How many permits a holder has answered."""
    with chain.database(holder) as connection:
        return _count(connection, holder_permits)


def entries(chain: RunningChain, party: Party) -> int:
    """How long a node's log is."""
    with chain.database(party) as connection:
        return _count(connection, log_entries)


def check(chain: RunningChain) -> None:
    """Nothing is spent without its entry, and nothing is spent twice.

    Hub: permits, elements and uses are one each a query, each permit in the log once. Holders:
    what was answered is in the log once each, and is what the hub permitted. Bank: what was
    answered is in the log.
    """
    with chain.database(chain.layout.hub) as connection:
        kept = [Signed.from_json(bytes(row)) for row in _column(connection, hub_permits.c.permit)]
        issued = Counter(b64(signed.payload_hash) for signed in kept)
        elements = {bytes(row) for row in _column(connection, hub_elements.c.blinded)}
        queries = set(_column(connection, hub_permits.c.query))
        uses = list(_column(connection, hub_consents.c.uses))
        assert issued == _logged(connection, Kind.PERMIT)
    assert set(issued.values()) == {1}
    assert elements == {Permit.parse(signed.payload).blinded for signed in kept}
    assert len(elements) == len(kept) == len(queries)
    # Every consent here allows one use.
    assert sum(uses) == len(queries)
    assert set(uses) <= {0, 1}
    for holder in chain.layout.holders.values():
        with chain.database(holder) as connection:
            answered = Counter(b64(bytes(r)) for r in _column(connection, holder_permits.c.hash))
            assert answered == _logged(connection, Kind.UNLOCK), holder.name
        assert set(answered.values()) <= {1}
        assert answered <= issued
    with chain.database(chain.layout.bank) as connection:
        states = Counter(_column(connection, bank_queries.c.state))
        told = _logged(connection, Kind.QUERY)
    assert set(told.values()) <= {1}
    assert told.total() == states[State.ANSWERED.value]
    assert states[State.REJECTED.value] == 0
    assert told <= issued


def _logged(connection: Connection, kind: Kind) -> Counter[str]:
    """The documents that the log's entries of a kind record."""
    query = select(log_entries.c.entry).where(log_entries.c.kind == kind.value)
    raw = connection.execute(query).scalars()
    return Counter(str(read_entry(bytes(row)).body["document"]) for row in raw)


def _column(connection: Connection, column: Column[Any]) -> Iterable[Any]:
    return connection.execute(select(column)).scalars()


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()
