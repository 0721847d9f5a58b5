"""What the agent keeps of its models: certificates' companions, keys of holders, padded tables.

Functions on a connection, for units of work and for readers; sealing happens here, so that no
other module sees a column that is encrypted or forgets to encrypt one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, func, insert, select

from federation.entries import Logged
from federation.errors import DocumentError
from federation.exchange.regulator import PolicyVerdict
from federation.identity import SpiffeId
from federation.signed import Signed
from node.bank.documents import read_documents, read_logged, write_documents, write_logged
from node.bank.tables import (
    bank_buckets,
    bank_installs,
    bank_keys,
    bank_models,
    bank_submissions,
)
from node.keys import KeyEncryptionKey
from scoring.scorecard import Scorecard
from scoring.words import ROWS, words_from_bytes, words_to_bytes


@dataclass(frozen=True)
class Model:
    """A certified model as the bank has it. `secret_key` is empty for an open scorecard, `chain`
    for the bank's own chain.
    """

    hash: bytes
    received: int
    public_key: bytes = field(repr=False)
    scorecard: Scorecard = field(repr=False)
    secret_key: bytes = field(repr=False)
    verdict: PolicyVerdict = field(repr=False)
    chain: str = ""

    @property
    def name(self) -> str:
        """The scorecard's name and version, `name@version`."""
        return f"{self.scorecard.name}@{self.scorecard.version}"


class ListedModel(NamedTuple):
    """What a model is found by: the certificate's hash, name and version, and chain."""

    hash: bytes
    name: str
    version: str
    chain: str


@dataclass(frozen=True)
class Bucket:
    """A padded table, uint64 (8192,), and the holders' signatures on what it was made from."""

    words: NDArray[np.uint64] = field(repr=False)
    answers: tuple[Signed, ...]


class ModelRecords:
    """Reads and writes the tables of models; `key` seals what is secret in them."""

    def __init__(self, key: KeyEncryptionKey) -> None:
        self._key = key

    def submission(self, connection: Connection, tag: bytes) -> tuple[bytes, bytes] | None:
        """The submission's payload, and the envelope to the regulator that was sent."""
        row = connection.execute(
            select(bank_submissions).where(bank_submissions.c.tag == tag)
        ).one_or_none()
        if row is None:
            return None
        payload = self._key.open(bytes(row.sealed), _aad(b"submission", tag))
        return payload, bytes(row.envelope)

    def put_submission(
        self, connection: Connection, tag: bytes, payload: bytes, envelope: bytes
    ) -> None:
        """Keeps a submission until its result is kept."""
        sealed = self._key.seal(payload, _aad(b"submission", tag))
        connection.execute(
            insert(bank_submissions).values(tag=tag, sealed=sealed, envelope=envelope)
        )

    def drop_submission(self, connection: Connection, tag: bytes) -> None:
        """Forgets a submission that has its result."""
        connection.execute(delete(bank_submissions).where(bank_submissions.c.tag == tag))

    def put_model(self, connection: Connection, model: Model) -> bool:
        """Keeps a model; false when it was there."""
        if self.model(connection, model.hash) is not None:
            return False
        parts = {
            "scorecard": model.scorecard.to_json().encode(),
            "secret_key": model.secret_key,
            "report": model.verdict.payload(),
        }
        newest = connection.scalar(select(func.max(bank_models.c.number))) or 0
        connection.execute(
            insert(bank_models).values(
                hash=model.hash,
                number=newest + 1,
                name=model.scorecard.name,
                version=model.scorecard.version,
                received=model.received,
                public_key=model.public_key,
                chain=model.chain or None,
                **{n: self._key.seal(c, _aad(n.encode(), model.hash)) for n, c in parts.items()},
            )
        )
        return True

    def model(self, connection: Connection, digest: bytes) -> Model | None:
        """The model whose certificate has this hash."""
        row = connection.execute(
            select(bank_models).where(bank_models.c.hash == digest)
        ).one_or_none()
        if row is None:
            return None

        def opened(name: str) -> bytes:
            return self._key.open(bytes(getattr(row, name)), _aad(name.encode(), digest))

        return Model(
            hash=digest,
            received=row.received,
            public_key=bytes(row.public_key),
            scorecard=Scorecard.from_json(opened("scorecard")),
            secret_key=opened("secret_key"),
            verdict=PolicyVerdict.parse(opened("report")),
            chain=row.chain or "",
        )

    def models(self, connection: Connection) -> list[ListedModel]:
        """Every model, the newest first."""
        columns = bank_models.c
        rows = connection.execute(
            select(columns.hash, columns.name, columns.version, columns.chain).order_by(
                columns.number.desc()
            )
        )
        return [
            ListedModel(bytes(row.hash), row.name, row.version, row.chain or "") for row in rows
        ]

    def installed(self, connection: Connection, model: bytes) -> dict[str, int]:
        """The holders that have the model, and since when."""
        rows = connection.execute(
            select(bank_installs.c.holder, bank_installs.c.time).where(
                bank_installs.c.model == model
            )
        )
        return {row.holder: row.time for row in rows}

    def put_install(self, connection: Connection, model: bytes, holder: SpiffeId, now: int) -> None:
        """Records that a holder has the model."""
        if str(holder) not in self.installed(connection, model):
            connection.execute(
                insert(bank_installs).values(model=model, holder=str(holder), time=now)
            )

    def statements(self, connection: Connection, ctx: bytes) -> dict[str, Logged]:
        """The key statements of a ctx by holder; verify them before use."""
        rows = connection.execute(
            select(bank_keys.c.holder, bank_keys.c.statement).where(bank_keys.c.ctx == ctx)
        )
        return {row.holder: read_logged(bytes(row.statement)) for row in rows}

    def put_statement(
        self, connection: Connection, ctx: bytes, holder: SpiffeId, logged: Logged
    ) -> None:
        """Keeps a verified key statement, the first one of a holder and ctx."""
        if str(holder) not in self.statements(connection, ctx):
            connection.execute(
                insert(bank_keys).values(
                    ctx=ctx, holder=str(holder), statement=write_logged(logged)
                )
            )

    def prepared(self, connection: Connection, ctx: bytes) -> dict[int, int]:
        """The buckets that are prepared under a ctx, and the bytes each took to fetch."""
        columns = bank_buckets.c
        rows = connection.execute(
            select(columns.bucket, columns.bytes).where(columns.ctx == ctx).order_by(columns.bucket)
        )
        return {row.bucket: row.bytes for row in rows}

    def bucket(self, connection: Connection, ctx: bytes, bucket: int) -> Bucket | None:
        """A prepared bucket. Raises SealError when the table was changed on disk."""
        row = connection.execute(
            select(bank_buckets.c.sealed, bank_buckets.c.answers).where(
                bank_buckets.c.ctx == ctx, bank_buckets.c.bucket == bucket
            )
        ).one_or_none()
        if row is None:
            return None
        raw = self._key.open(bytes(row.sealed), _table_aad(ctx, bucket))
        return Bucket(words_from_bytes(raw), read_documents(bytes(row.answers)))

    def seal_bucket(self, ctx: bytes, bucket: int, words: NDArray[np.uint64]) -> bytes:
        """A table as `put_bucket` keeps it; heavy enough to do outside the writer's thread."""
        if words.shape != (ROWS,):
            raise DocumentError("table", f"has shape {words.shape}, not ({ROWS},)")
        return self._key.seal(words_to_bytes(words), _table_aad(ctx, bucket))

    def put_bucket(
        self,
        connection: Connection,
        ctx: bytes,
        bucket: int,
        sealed: bytes,
        answers: Sequence[Signed],
        fetched: int,
        closes: int,
    ) -> None:
        """Keeps a prepared bucket; one that is there already stays."""
        if bucket in self.prepared(connection, ctx):
            return
        connection.execute(
            insert(bank_buckets).values(
                ctx=ctx,
                bucket=bucket,
                sealed=sealed,
                answers=write_documents(answers),
                bytes=fetched,
                closes=closes,
            )
        )

    def drop_closed(self, connection: Connection, now: int) -> int:
        """Erases the tables of epochs that are over; how many there were."""
        return connection.execute(delete(bank_buckets).where(bank_buckets.c.closes <= now)).rowcount

    def closed(self, connection: Connection, now: int) -> int:
        """How many tables of epochs that are over are still there."""
        query = select(func.count()).select_from(bank_buckets).where(bank_buckets.c.closes <= now)
        return connection.execute(query).scalar_one()


def _aad(name: bytes, key: bytes) -> bytes:
    return b"yinxin/bank/" + name + b"/v1\x00" + key


def _table_aad(ctx: bytes, bucket: int) -> bytes:
    return _aad(b"table", ctx + bucket.to_bytes(4, "big"))
