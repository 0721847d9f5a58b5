"""The table of a chain's documents, by kind, number and name; nothing of them is read or verified.

A document whose number is taken by another is refused, so that two that arrive at once cannot both
be kept.
"""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from federation.canonical import MAX_INTEGER
from federation.errors import Reason, Refusal
from federation.signed import Signed
from node.chain.tables import chain_documents, peer_documents


class ChainDocuments:
    """The documents of one chain: the node's own, or a peer chain, whose are kept apart.

    Writes belong within a unit of work; reads are blocking and short.
    """

    def __init__(self, chain: str, *, peer: bool) -> None:
        self._table = peer_documents if peer else chain_documents
        self._scope = {"chain": chain} if peer else {}
        self._own = [self._table.c[name] == value for name, value in self._scope.items()]

    def put(
        self, connection: Connection, kind: str, document: Signed, number: int = 0, name: str = ""
    ) -> bool:
        """Keeps a verified document; false when the same payload was there already.

        Raises Refusal(conflict) when another payload has this kind, number and name.
        """
        return self._put(connection, kind, number, name, document.payload_hash, document.to_json())

    def documents(
        self,
        connection: Connection,
        kind: str,
        number: int | None = None,
        name: str | None = None,
    ) -> tuple[Signed, ...]:
        """The kept documents of a kind, in order of number and name; not verified."""
        table = self._table.c
        query = select(table.body).where(*self._own, table.kind == kind)
        if number is not None and number > MAX_INTEGER:
            return ()  # no document has it, and a database may not take it
        if number is not None:
            query = query.where(table.number == number)
        if name is not None:
            query = query.where(table.name == name)
        rows = connection.execute(query.order_by(table.number, table.name)).scalars()
        return tuple(Signed.from_json(bytes(row)) for row in rows)

    def named(self, connection: Connection, kind: str) -> frozenset[bytes]:
        """The hashes that documents of a kind are kept under, where their names are hashes."""
        table = self._table.c
        query = select(table.name).where(*self._own, table.kind == kind)
        return frozenset(map(bytes.fromhex, connection.execute(query).scalars()))

    def _by_certificate(self, connection: Connection, kind: str) -> dict[bytes, Signed]:
        table = self._table.c
        query = (
            select(table.name, table.body)
            .where(*self._own, table.kind == kind)
            .order_by(table.name)
        )
        return {
            bytes.fromhex(row.name): Signed.from_json(bytes(row.body))
            for row in connection.execute(query)
        }

    def _put(
        self, connection: Connection, kind: str, number: int, name: str, digest: bytes, body: bytes
    ) -> bool:
        table = self._table.c
        kept = connection.execute(
            select(table.hash).where(
                *self._own, table.kind == kind, table.number == number, table.name == name
            )
        ).scalar_one_or_none()
        if kept is not None:
            if bytes(kept) != digest:
                raise Refusal(Reason.CONFLICT, f"a different {kind} {number} {name} is kept")
            return False
        connection.execute(
            insert(self._table).values(
                **self._scope, kind=kind, number=number, name=name, hash=digest, body=body
            )
        )
        return True
