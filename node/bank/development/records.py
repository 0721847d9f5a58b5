"""What the bank keeps of its developments; sealing happens here."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select, update

from federation.canonical import b64, canonical_json, parse_canonical, unb64
from federation.development.submission import LabelSubmission
from federation.documents import MAX_DOCUMENT_BYTES
from node.bank.development.tables import bank_counts, bank_developments
from node.keys import KeyEncryptionKey


@dataclass(frozen=True)
class Development:
    """One development: what was asked, with the labels' totals, and what came of it so far.

    `certificate` is the payload hash of the development certificate, empty until there is one.
    """

    submission: LabelSubmission
    good: int
    bad: int
    certificate: bytes = b""
    public_key: bytes = field(default=b"", repr=False)
    secret_key: bytes = field(default=b"", repr=False)
    epoch: int | None = None

    @property
    def name(self) -> str:
        """What the bank calls it."""
        return self.submission.name


class DevelopmentRecords:
    """Reads and writes the tables of developments, within units of work and for readers."""

    def __init__(self, key: KeyEncryptionKey) -> None:
        self._key = key

    def get(self, connection: Connection, name: str) -> Development | None:
        """The development of that name."""
        row = connection.execute(
            select(bank_developments).where(bank_developments.c.name == name)
        ).one_or_none()
        if row is None:
            return None
        asked = parse_canonical(
            self._key.open(bytes(row.submission), _aad("submission", name)), MAX_DOCUMENT_BYTES
        )
        secret = b""
        if row.secret_key is not None:
            secret = self._key.open(bytes(row.secret_key), _aad("secret", name))
        return Development(
            submission=LabelSubmission.parse(unb64(asked["head"])),
            good=asked["good"],
            bad=asked["bad"],
            certificate=bytes(row.certificate or b""),
            public_key=bytes(row.public_key or b""),
            secret_key=secret,
            epoch=row.epoch,
        )

    def begin(self, connection: Connection, development: Development, now: int) -> None:
        """Keeps what is about to be asked."""
        asked = {
            "head": b64(development.submission.payload()),
            "good": development.good,
            "bad": development.bad,
        }
        name = development.name
        sealed = self._key.seal(canonical_json(asked), _aad("submission", name))
        connection.execute(
            insert(bank_developments).values(name=name, begun=now, submission=sealed)
        )

    def drop(self, connection: Connection, name: str) -> None:
        """Forgets a development that was refused."""
        connection.execute(delete(bank_developments).where(bank_developments.c.name == name))

    def certified(
        self,
        connection: Connection,
        name: str,
        certificate: bytes,
        public_key: bytes,
        secret_key: bytes,
    ) -> None:
        """Keeps the certificate's hash and the keys."""
        self._set(
            connection,
            name,
            certificate=certificate,
            public_key=public_key,
            secret_key=self._key.seal(secret_key, _aad("secret", name)),
        )

    def fix_epoch(self, connection: Connection, name: str, epoch: int) -> None:
        """Keeps in which epoch its counts are asked for, before any is."""
        self._set(connection, name, epoch=epoch)

    def installed(self, connection: Connection, name: str) -> dict[str, bool]:
        """The holders that have the labels, and whether their counts are here."""
        table = bank_counts.c
        rows = connection.execute(
            select(table.holder, table.received).where(table.name == name)
        ).all()
        return {row.holder: row.received is not None for row in rows}

    def put_install(self, connection: Connection, name: str, holder: str, now: int) -> None:
        """A holder has the labels."""
        connection.execute(insert(bank_counts).values(name=name, holder=holder, installed=now))

    def put_counts(
        self, connection: Connection, name: str, holder: str, counts: bytes, now: int
    ) -> None:
        """Keeps a holder's decrypted counts (JSON)."""
        table = bank_counts
        sealed = self._key.seal(counts, _aad("counts", f"{name}/{holder}"))
        connection.execute(
            update(table)
            .where(table.c.name == name, table.c.holder == holder)
            .values(received=now, counts=sealed)
        )

    def counts(self, connection: Connection, name: str) -> dict[str, bytes]:
        """The decrypted counts (JSON) by holder."""
        table = bank_counts.c
        rows = connection.execute(
            select(table.holder, table.counts).where(table.name == name, table.counts.is_not(None))
        ).all()
        return {
            row.holder: self._key.open(bytes(row.counts), _aad("counts", f"{name}/{row.holder}"))
            for row in rows
        }

    def _set(self, connection: Connection, name: str, **values: object) -> None:
        connection.execute(
            update(bank_developments).where(bank_developments.c.name == name).values(**values)
        )


def _aad(purpose: str, row: str) -> bytes:
    return f"bank/development/{purpose}/{row}".encode()
