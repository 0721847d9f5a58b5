"""Queries of before there was an index of them: found once, opened, and put into it."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, exists, select, update

from federation.canonical import unb64
from node.bank.agent import Agent
from node.bank.asked import Asked, AskedKind
from node.bank.joint import Joint
from node.bank.ledger import QueryRow, State, open_query_from
from node.bank.queries import Queries
from node.bank.tables import bank_asked, bank_joint, bank_queries

_AT_ONCE: Final = 200


async def index_all(agent: Agent, queries: Queries, joint: Joint) -> int:
    """Indexes what is not yet, some at a time; how many there were. Rejected queries of before have
    nothing left to be found by.
    """
    found = 0
    while missing := await agent.read(lambda c: _missing(c, queries)):
        asked = [(row, await _asked(agent, queries, row)) for row in missing]

        def unit(connection: Connection, rows: list[tuple[QueryRow, Asked]] = asked) -> None:
            for row, one in rows:
                queries.ledger.index.put(connection, row.id, one, row.created)
                if row.state is not State.OPEN:
                    queries.ledger.index.settle(connection, row.id, row.state.value)

        await agent.write(unit)
        found += len(missing)
    # The questions to several chains come after the queries that are parts of them.
    while results := await agent.read(lambda c: _joint(c, joint)):

        def settled(
            connection: Connection, rows: list[tuple[bytes, int, dict[str, Any]]] = results
        ) -> None:
            for identifier, created, result in rows:
                _put(connection, queries, identifier, created, result)

        await agent.write(settled)
        found += len(results)
    return found


def _missing(connection: Connection, queries: Queries) -> list[QueryRow]:
    columns = bank_queries.c
    indexed = exists().where(bank_asked.c.id == columns.id)
    rows = connection.execute(
        select(columns.id).where(columns.state != State.REJECTED.value, ~indexed).limit(_AT_ONCE)
    )
    return list(queries.ledger.some(connection, [bytes(one) for one in rows.scalars()]).values())


async def _asked(agent: Agent, queries: Queries, row: QueryRow) -> Asked:
    kept = row.content["evidence"] if row.state is State.ANSWERED else row.content
    model = await agent.model_of(unb64(kept["open"]["certificate"]))
    view = await agent.chains.view(model.chain)
    return queries.ledger.asked(open_query_from(kept["open"]), view.name, model.name)


def _joint(connection: Connection, joint: Joint) -> list[tuple[bytes, int, dict[str, Any]]]:
    """Questions that have a result and are not indexed: id, time and result."""
    columns = bank_joint.c
    indexed = exists().where(bank_asked.c.id == columns.id)
    rows = connection.execute(
        select(columns.id, columns.created)
        .where(columns.state == State.ANSWERED.value, ~indexed)
        .limit(_AT_ONCE)
    ).all()
    results = joint.some(connection, [bytes(row.id) for row in rows])
    return [(bytes(row.id), row.created, results[bytes(row.id)]) for row in rows]


def _put(
    connection: Connection,
    queries: Queries,
    identifier: bytes,
    created: int,
    result: dict[str, Any],
) -> None:
    index, records = queries.ledger.index, result["records"]
    first = queries.ledger.by_id(connection, bytes.fromhex(records[0]["id"]))
    consent = first.content["evidence"]["open"]["consent"] if first is not None else ""
    asked = Asked(
        kind=AskedKind.JOINT,
        officer=index.officer(result["officer"]),
        reference=result["reference"],
        purpose=result["purpose"],
        chain=", ".join(one["chain"] for one in records),
        model=", ".join(sorted({one["model"] for one in records})),
        epoch=None,
        firm=index.firm(result["officer"], result["uscc"]),
        consent=index.consent(consent),
    )
    index.put(connection, identifier, asked, created)
    index.settle(connection, identifier, State.ANSWERED.value)
    parts = [bytes.fromhex(one["id"]) for one in records]
    connection.execute(
        update(bank_asked).where(bank_asked.c.id.in_(parts)).values(part_of=identifier)
    )
