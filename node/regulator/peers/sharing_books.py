"""Shares that were given and received, as the regulator keeps them; contents are sealed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select

from federation.entries import Kind
from federation.interchain.share import Share, ShareContent
from federation.signed import Signed
from node.keys import KeyEncryptionKey
from node.regulator.tables import regulator_shares

GIVEN: Final = "given"
RECEIVED: Final = "received"
_AAD: Final = "regulator/share"


@dataclass(frozen=True)
class KeptShare:
    """A share with its signature, its content, and when it was made or received."""

    share: Share
    signed: Signed
    content: ShareContent
    time: int
    positions: Mapping[str, int]


@dataclass(frozen=True)
class ShareBooks:
    """The shares of one direction: `GIVEN` to peers or `RECEIVED` from them."""

    direction: str
    storage: KeyEncryptionKey

    def put(
        self,
        connection: Connection,
        peer: str,
        signed: Signed,
        content: ShareContent,
        time: int,
        positions: Mapping[str, int] | None = None,
    ) -> None:
        """Keeps a share that was verified, or signed here. Within a unit of work."""
        number = Share.parse(signed.payload).number
        connection.execute(
            insert(regulator_shares).values(
                peer=peer,
                direction=self.direction,
                number=number,
                time=time,
                document=signed.to_json(),
                content=self.storage.seal(content.payload(), self._aad(peer, number)),
                positions=json.dumps(dict(positions or {}), sort_keys=True),
            )
        )

    def last(self, connection: Connection, peer: str) -> KeptShare | None:
        """The newest share of a peer, if there is one."""
        table = regulator_shares.c
        return self._one(connection, peer, None, table.number.desc())

    def get(self, connection: Connection, peer: str, number: int) -> KeptShare | None:
        """A share by its number."""
        return self._one(connection, peer, number, regulator_shares.c.number)

    def results(self, connection: Connection) -> set[tuple[bytes, str]]:
        """Permits with the bank that logged a result of each, of all shares of the direction."""
        table = regulator_shares.c
        rows = connection.execute(select(regulator_shares).where(table.direction == self.direction))
        entries = (entry for row in rows for entry in self._read(row).content.entries)
        return {(one.permit, str(one.log)) for one in entries if one.kind == Kind.QUERY.value}

    def _one(
        self, connection: Connection, peer: str, number: int | None, order: Any
    ) -> KeptShare | None:
        table = regulator_shares.c
        query = select(regulator_shares).where(
            table.peer == peer, table.direction == self.direction
        )
        if number is not None:
            query = query.where(table.number == number)
        row = connection.execute(query.order_by(order).limit(1)).first()
        return None if row is None else self._read(row)

    def _read(self, row: Row[Any]) -> KeptShare:
        signed = Signed.from_json(bytes(row.document))
        plain = self.storage.open(bytes(row.content), self._aad(row.peer, row.number))
        return KeptShare(
            share=Share.parse(signed.payload),
            signed=signed,
            content=ShareContent.parse(plain),
            time=row.time,
            positions=json.loads(row.positions),
        )

    def _aad(self, peer: str, number: int) -> bytes:
        return f"{_AAD}/{self.direction}/{peer}/{number}".encode()
