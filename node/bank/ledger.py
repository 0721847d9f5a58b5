"""Queries and batches as the database has them.

A query is `open` from before its elements are first sent until its answer is kept: the scalars
stand sealed in the row, so that a repetition after a crash sends the same elements and costs no
second use of the consent. `answered` and `rejected` are final.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from federation.canonical import b64, unb64
from federation.exchange.bank import OpenQuery
from federation.exchange.messages import Blinding, QueryRequest
from federation.identity import SpiffeId
from node.bank.asked import Asked, AskedIndex, AskedKind
from node.bank.tables import bank_queries
from node.keys import KeyEncryptionKey

ID_BYTES = 16


class State(StrEnum):
    """Where a query stands."""

    OPEN = "open"
    ANSWERED = "answered"
    REJECTED = "rejected"


@dataclass(frozen=True)
class QueryRow:
    """A query. `content` is an open one's question, model and elements, or the final result."""

    id: bytes
    body: bytes
    state: State
    created: int
    content: dict[str, Any] = field(repr=False)


class QueryLedger:
    """Reads and writes the table of queries; `key` seals what is in them."""

    def __init__(self, key: KeyEncryptionKey) -> None:
        self._key = key
        self.index = AskedIndex(key)

    def tag(self, purpose: str, value: bytes) -> bytes:
        """A name for a key or a question that says nothing of it."""
        return self._key.tag(b"bank/" + purpose.encode(), value)

    def by_key(self, connection: Connection, key: bytes) -> QueryRow | None:
        """The query under a key's tag."""
        return self._one(connection, bank_queries.c.key == key)

    def by_id(self, connection: Connection, identifier: bytes) -> QueryRow | None:
        """The query with that id."""
        return self._one(connection, bank_queries.c.id == identifier)

    def asked(
        self, query: OpenQuery, chain: str, model: str, part_of: bytes | None = None
    ) -> Asked:
        """By what a query is found that is asked in a chain under a model (`name@version`)."""
        request = query.request
        return Asked(
            kind=AskedKind.QUERY,
            officer=self.index.officer(request.officer),
            reference=request.reference,
            purpose=request.purpose,
            chain=chain,
            model=model,
            epoch=request.epoch,
            firm=self.index.firm(request.officer, query.code.decode("ascii")),
            consent=self.index.consent(request.consent),
            part_of=part_of,
        )

    def begin(
        self,
        connection: Connection,
        key: bytes,
        body: bytes,
        content: dict[str, Any],
        now: int,
        asked: Asked,
    ) -> QueryRow:
        """Keeps a new open query. Under a key that is taken the query there is returned."""
        kept = self.by_key(connection, key)
        if kept is not None:
            return kept
        row = QueryRow(secrets.token_bytes(ID_BYTES), body, State.OPEN, now, content)
        connection.execute(
            insert(bank_queries).values(
                id=row.id,
                key=key,
                body=body,
                state=row.state.value,
                created=now,
                sealed=self._seal(row.id, row.state, content),
            )
        )
        self.index.put(connection, row.id, asked, now)
        return row

    def renew(
        self,
        connection: Connection,
        row: QueryRow,
        content: dict[str, Any],
        now: int,
        asked: Asked,
    ) -> QueryRow:
        """Gives an open query new elements, when its old ones can no longer be answered."""
        current = self.by_id(connection, row.id)
        if current is None or current.state is not State.OPEN or current.created != row.created:
            return current or row
        connection.execute(
            update(bank_queries)
            .where(bank_queries.c.id == row.id)
            .values(created=now, sealed=self._seal(row.id, State.OPEN, content))
        )
        self.index.renew(connection, row.id, asked)
        return QueryRow(row.id, row.body, State.OPEN, now, content)

    def finish(
        self,
        connection: Connection,
        identifier: bytes,
        state: State,
        content: dict[str, Any],
        *,
        release: bool,
    ) -> bool:
        """Makes an open query final; false when it was final already.

        `release` frees its key, so that the same question asked again is a new one.
        """
        values: dict[str, Any] = {
            "state": state.value,
            "sealed": self._seal(identifier, state, content),
        }
        if release:
            values["key"] = secrets.token_bytes(32)
        changed = connection.execute(
            update(bank_queries)
            .where(bank_queries.c.id == identifier, bank_queries.c.state == State.OPEN.value)
            .values(**values)
        )
        if changed.rowcount == 1:
            self.index.settle(connection, identifier, state.value)
        return changed.rowcount == 1

    def answered(
        self, connection: Connection, after: tuple[int, bytes], most: int
    ) -> list[QueryRow]:
        """Answered queries, the oldest first: at most so many, from the one after that of the time
        and id `after`.
        """
        columns = bank_queries.c
        time, identifier = after
        later = or_(columns.created > time, and_(columns.created == time, columns.id > identifier))
        rows = connection.execute(
            select(bank_queries)
            .where(columns.state == State.ANSWERED.value, later)
            .order_by(columns.created, columns.id)
            .limit(most)
        )
        return [self._opened(row) for row in rows]

    def count(self, connection: Connection) -> dict[str, int]:
        """How many queries are in each state."""
        found = dict.fromkeys((state.value for state in State), 0)
        state = bank_queries.c.state
        rows = connection.execute(select(state, func.count().label("n")).group_by(state))
        return found | {row.state: row.n for row in rows}

    def _one(self, connection: Connection, condition: Any) -> QueryRow | None:
        row = connection.execute(select(bank_queries).where(condition)).one_or_none()
        return None if row is None else self._opened(row)

    def some(self, connection: Connection, identifiers: Sequence[bytes]) -> dict[bytes, QueryRow]:
        """The queries with these ids, a page of them."""
        rows = connection.execute(select(bank_queries).where(bank_queries.c.id.in_(identifiers)))
        return {row.id: row for row in map(self._opened, rows)}

    def _opened(self, row: Any) -> QueryRow:
        identifier, state = bytes(row.id), State(row.state)
        content = json.loads(self._key.open(bytes(row.sealed), _aad(identifier, state)))
        return QueryRow(identifier, bytes(row.body), state, row.created, content)

    def _seal(self, identifier: bytes, state: State, content: dict[str, Any]) -> bytes:
        raw = json.dumps(content, ensure_ascii=False).encode()
        return self._key.seal(raw, _aad(identifier, state))


def open_query_value(query: OpenQuery) -> dict[str, Any]:
    """An open query as a JSON value: only ever sealed, it holds the scalars."""
    request = query.request
    return {
        "certificate": b64(request.certificate_hash),
        "epoch": request.epoch,
        "ctx": b64(request.ctx),
        "purpose": request.purpose,
        "consent": request.consent,
        "blindings": [
            {
                "audience": [str(h) for h in b.audience],
                "blinded": b64(b.blinded),
                "proof": b64(b.proof),
            }
            for b in request.blindings
        ],
        "officer": request.officer,
        "reference": request.reference,
        "code": query.code.decode("ascii"),
        "scalars": [b64(scalar) for scalar in query.scalars],
    }


def open_query_from(value: dict[str, Any]) -> OpenQuery:
    """What `open_query_value` gave."""
    request = QueryRequest(
        certificate_hash=unb64(value["certificate"]),
        epoch=value["epoch"],
        ctx=unb64(value["ctx"]),
        purpose=value["purpose"],
        consent=value["consent"],
        blindings=tuple(
            Blinding(
                tuple(SpiffeId.parse(h) for h in b["audience"]),
                unb64(b["blinded"]),
                unb64(b["proof"]),
            )
            for b in value["blindings"]
        ),
        officer=value["officer"],
        reference=value["reference"],
    )
    scalars = tuple(unb64(scalar) for scalar in value["scalars"])
    return OpenQuery(request, value["code"].encode("ascii"), scalars)


def _aad(identifier: bytes, state: State) -> bytes:
    return b"yinxin/bank/query/v1\x00" + state.value.encode() + b"\x00" + identifier
