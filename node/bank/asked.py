"""By what an officer finds queries: who asked when, for which purpose, under which model.

Results are sealed, and a page opens only those that it shows; it finds them by rows that name no
enterprise and tell no score. Officer, reference, firm and consent stand in them as tags under the
storage key. The tag of a firm is another one for each officer: who reads the database cannot tell
that two of them asked about the same firm.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from node.bank.tables import bank_asked
from node.keys import KeyEncryptionKey

OPEN: Final = "open"


class AskedKind(StrEnum):
    """A query in one chain, or a question to several."""

    QUERY = "query"
    JOINT = "joint"


@dataclass(frozen=True)
class Asked:
    """What is known of a question when it is asked. `officer`, `firm` and `consent` are the index's
    tags. `chain` and `model` are those of all chains,
    listed, for a question to several, which has no `epoch`; `part_of` is its id in the queries that
    it came to.
    """

    kind: AskedKind
    officer: bytes
    reference: str
    purpose: str
    chain: str
    model: str
    epoch: int | None
    firm: bytes = field(repr=False)
    consent: bytes = field(repr=False)
    part_of: bytes | None = None


class AskedIndex:
    """Reads and writes the rows; `key` makes the tags."""

    def __init__(self, key: KeyEncryptionKey) -> None:
        self._key = key

    def officer(self, name: str) -> bytes:
        """What stands for an officer."""
        return self._key.tag(b"bank/asked-officer", name.encode())

    def reference(self, reference: str) -> bytes:
        """What stands for a reference."""
        return self._key.tag(b"bank/asked-reference", reference.encode())

    def named(self, row: Row[Any]) -> str:
        """The reference of a row."""
        return self._key.open(bytes(row.named), _aad(bytes(row.officer))).decode()

    def firm(self, officer: str, uscc: str) -> bytes:
        """What stands for a firm in an officer's rows."""
        return self._key.tag(b"bank/asked-firm", f"{officer}\n{uscc}".encode())

    def consent(self, compact: str) -> bytes:
        """What stands for a consent (compact JWS)."""
        return self._key.tag(b"bank/asked-consent", compact.strip().encode())

    def put(self, connection: Connection, identifier: bytes, asked: Asked, now: int) -> None:
        """Keeps a question that was just asked, within the unit of work that keeps it."""
        values = {
            **asdict(asked),
            "kind": asked.kind.value,
            "reference": self.reference(asked.reference),
            "named": self._key.seal(asked.reference.encode(), _aad(asked.officer)),
        }
        connection.execute(insert(bank_asked).values(id=identifier, time=now, state=OPEN, **values))

    def renew(self, connection: Connection, identifier: bytes, asked: Asked) -> None:
        """A question got new elements: it may be answered in another epoch."""
        self._set(connection, identifier, epoch=asked.epoch)

    def settle(self, connection: Connection, identifier: bytes, state: str, **more: Any) -> None:
        """A question has its answer, or will have none."""
        self._set(connection, identifier, state=state, **more)

    def _set(self, connection: Connection, identifier: bytes, **values: Any) -> None:
        table = bank_asked
        connection.execute(update(table).where(table.c.id == identifier).values(**values))


def of_officer(connection: Connection, identifier: bytes, officer: bytes) -> Row[Any] | None:
    """The row of a question, if that officer (a tag) asked it."""
    columns = bank_asked.c
    return connection.execute(
        select(bank_asked).where(columns.id == identifier, columns.officer == officer)
    ).one_or_none()


def parts(connection: Connection, identifier: bytes) -> list[bytes]:
    """The ids of the queries that a question to several chains came to."""
    columns = bank_asked.c
    rows = connection.execute(select(columns.id).where(columns.part_of == identifier))
    return [bytes(one) for one in rows.scalars()]


def earlier(connection: Connection, row: Row[Any], most: int) -> list[bytes]:
    """The ids of the officer's answered queries about the same firm in the same chain, up to that
    of `row`, the newest first, at most so many.
    """
    columns = bank_asked.c
    rows = connection.execute(
        select(columns.id)
        .where(
            columns.officer == row.officer,
            columns.firm == row.firm,
            columns.kind == AskedKind.QUERY.value,
            columns.chain == row.chain,
            columns.state == "answered",
            columns.time <= row.time,
        )
        .order_by(columns.time.desc(), columns.id)
        .limit(most)
    )
    return [bytes(one) for one in rows.scalars()]


def uses(connection: Connection, consent: bytes, chain: str) -> int:
    """How many queries in a chain this bank asked under a consent, whoever asked them."""
    columns = bank_asked.c
    return connection.execute(
        select(func.count())
        .select_from(bank_asked)
        .where(
            columns.consent == consent,
            columns.chain == chain,
            columns.kind == AskedKind.QUERY.value,
        )
    ).scalar_one()


def _aad(officer: bytes) -> bytes:
    return b"yinxin/bank/asked/v1\x00" + officer
