"""Scorecards that the regulator refused, with its report: kept sealed, to be explained later."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from federation.exchange.regulator import PolicyVerdict, Submission
from node.bank.tables import bank_refusals
from node.keys import KeyEncryptionKey
from scoring.scorecard import Scorecard

KEPT: Final = 730 * 86_400
"""Seconds; as long as what was certified counts for later scorecards."""


@dataclass(frozen=True)
class Refused:
    """A refused submission; `catalogue` is the digest of the catalogue it was judged by."""

    submission: Submission = field(repr=False)
    scorecard: Scorecard = field(repr=False)
    verdict: PolicyVerdict = field(repr=False)
    catalogue: bytes
    time: int

    @property
    def id(self) -> str:
        """The submission's id, hex."""
        return self.submission.id.hex()


class Refusals:
    """Reads and writes refused submissions; `key` seals them."""

    def __init__(self, key: KeyEncryptionKey) -> None:
        self._key = key

    def put(
        self,
        connection: Connection,
        submission: Submission,
        verdict: PolicyVerdict,
        catalogue: bytes,
        now: int,
    ) -> None:
        """Keeps a refusal, and forgets those of more than 24 months ago."""
        columns = bank_refusals.c
        connection.execute(
            delete(bank_refusals).where(
                (columns.refused < now - KEPT) | (columns.id == submission.id)
            )
        )
        scorecard = Scorecard.from_json(submission.scorecard)
        connection.execute(
            insert(bank_refusals).values(
                id=submission.id,
                name=scorecard.name,
                version=scorecard.version,
                refused=now,
                catalogue=catalogue,
                submission=self._key.seal(submission.payload(), _aad(b"what", submission.id)),
                verdict=self._key.seal(verdict.payload(), _aad(b"verdict", submission.id)),
            )
        )

    def find(self, connection: Connection, reference: str) -> Refused | None:
        """The newest refusal whose id begins with `reference`, or that is of a scorecard called
        so (`name` or `name@version`). Raises SealError when it was changed on disk.
        """
        columns = bank_refusals.c
        rows = connection.execute(
            select(columns.id, columns.name, columns.version).order_by(
                columns.refused.desc(), columns.id
            )
        )
        for row in rows:
            names = (row.name, f"{row.name}@{row.version}")
            if reference in names or (
                len(reference) >= 8 and bytes(row.id).hex().startswith(reference.lower())
            ):
                return self._read(connection, bytes(row.id))
        return None

    def _read(self, connection: Connection, digest: bytes) -> Refused:
        row = connection.execute(select(bank_refusals).where(bank_refusals.c.id == digest)).one()
        submission = Submission.parse(self._key.open(bytes(row.submission), _aad(b"what", digest)))
        return Refused(
            submission=submission,
            scorecard=Scorecard.from_json(submission.scorecard),
            verdict=PolicyVerdict.parse(
                self._key.open(bytes(row.verdict), _aad(b"verdict", digest))
            ),
            catalogue=bytes(row.catalogue),
            time=row.refused,
        )


def _aad(name: bytes, digest: bytes) -> bytes:
    return b"yinxin/bank/refusal/" + name + b"/v1\x00" + digest
