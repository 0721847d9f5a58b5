"""Prepare: every participant's table of a bucket, verified, decrypted, combined, kept sealed.

All participants' tables of a bucket come side by side, so that memory holds a few buckets whatever
the roster's size. A bucket is kept as soon as it is complete: an interruption costs the buckets
under way, and a repetition fetches only what is missing. No table is parsed before its holder's
signature over it was checked for this holder, bucket and context.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from federation.certificate import ModelCertificate
from federation.epoch import OpenEpoch
from federation.errors import FederationError
from federation.exchange.bank import AnswerRejected, Session, combine_tables, table_is_signed
from federation.identity import SpiffeId
from federation.roster import bucket as bucket_of
from federation.signed import Signed
from node.bank.agent import Agent
from node.bank.chains import ChainView
from node.bank.errors import BankError, Rejected
from node.bank.failures import Failures
from node.bank.progress import Prepared, Progress, Run
from node.bank.records import Bucket, Model
from node.bank.sessions import Sessions
from node.bank.tables import bank_buckets
from node.bank.texts import Code
from node.bank.together import side_by_side
from node.rpc.convert import signed_from_wire
from node.workers import jobs
from scoring.errors import ScoringError
from scoring.words import ROWS, WORD_BYTES, words_from_bytes
from yinxin.v1 import common_pb2, hub_pb2

PREPARE = "/yinxin.v1.Hub/Prepare"
WINDOW = 8
"""Buckets of one stream: a stream has one deadline, and holders work for seconds on a bucket."""
AHEAD = 2
"""Buckets that are decrypted while the next one is fetched."""

Stream = AsyncGenerator[common_pb2.Table, None]


@dataclass(frozen=True)
class _Table:
    """One holder's table of one bucket, and the bytes of the message it came in."""

    answer: Signed
    table: bytes
    size: int


class Preparation:
    """Prepares buckets, and hands out what is prepared."""

    def __init__(self, agent: Agent, sessions: Sessions, failures: Failures) -> None:
        self._agent = agent
        self._sessions = sessions
        self._failures = failures
        self._locks: dict[bytes, asyncio.Lock] = {}
        self._sums: dict[bytes, dict[SpiffeId, int]] = {}

    async def prepare(
        self,
        model: Model,
        epoch: OpenEpoch,
        buckets: Sequence[int] | None = None,
        progress: Progress | None = None,
    ) -> Prepared:
        """Prepares all buckets of an epoch, or those named. Those that are kept cost nothing.

        Raises Rejected naming the party whose part does not verify, RemoteError, and BankError
        for a bucket that does not exist or, asked for alone, would point at few enterprises.
        """
        rows = epoch.descriptor.roster_rows
        every = range(bucket_of(rows - 1) + 1)
        wanted = sorted(set(every if buckets is None else buckets))
        for bucket in wanted:
            if bucket not in every:
                raise BankError(Code.BUCKET_UNKNOWN, "bucket", bucket=bucket, buckets=len(every))
            if len(wanted) < len(every):
                _require_crowd(epoch, bucket)
        session = await self.session(model, epoch)
        async with self._locks.setdefault(session.ctx, asyncio.Lock()):
            kept = await self._agent.read(lambda c: self._agent.records.prepared(c, session.ctx))
            missing = [bucket for bucket in wanted if bucket not in kept]
            run = Run(len(wanted), len(wanted) - len(missing), progress)
            for start in range(0, len(missing), WINDOW):
                window = missing[start : start + WINDOW]
                try:
                    await self._window(model, session, window, run)
                except AnswerRejected as error:
                    raise await self._rejected(
                        "prepare", session.certificate, epoch, error
                    ) from error
        await self.erase_closed()
        return Prepared(epoch.number, len(wanted), len(missing), run.bytes)

    async def session(self, model: Model, epoch: OpenEpoch) -> Session:
        """The session of a model and epoch. Raises Rejected, RemoteError."""
        try:
            return await self._sessions.session(model, epoch)
        except AnswerRejected as error:
            certificate = await self._agent.certified(model.hash)
            raise await self._rejected("keys", certificate, epoch, error) from error

    async def bucket(self, model: Model, epoch: OpenEpoch, bucket: int) -> Bucket:
        """A bucket, prepared now if it is not yet and is at least half full."""
        session = await self.session(model, epoch)
        found = await self.kept(session.ctx, bucket)
        if found is None:
            _require_crowd(epoch, bucket)
            await self.prepare(model, epoch, [bucket])
            found = await self.kept(session.ctx, bucket)
        if found is None:  # erased meanwhile: its epoch has just closed
            raise BankError(Code.NO_OPEN_EPOCH, "epoch", chain=session.certificate.chain)
        return found

    async def kept(self, ctx: bytes, bucket: int) -> Bucket | None:
        """A bucket that is prepared, else None."""
        return await self._agent.read(lambda c: self._agent.records.bucket(c, ctx, bucket))

    async def erase_closed(self) -> None:
        """Erases the tables of epochs that are over, from the database's files too."""
        agent, now = self._agent, self._agent.now()
        if await agent.read(lambda c: agent.records.closed(c, now)):
            await agent.write(lambda c: agent.records.drop_closed(c, now))
            await agent.runtime.store.scrub(bank_buckets.name)

    async def _rejected(
        self, during: str, certificate: ModelCertificate, epoch: OpenEpoch, error: AnswerRejected
    ) -> Rejected:
        ctx = certificate.context(epoch)
        return await self._failures.rejected(
            during, certificate.chain, ctx, error, certificate.holders
        )

    async def _window(
        self, model: Model, session: Session, buckets: Sequence[int], run: Run
    ) -> None:
        view = await self._agent.chains.view(model.chain)
        async with AsyncExitStack() as stack:
            streams: dict[SpiffeId, Stream] = {}
            for holder in session.certificate.holders:
                stream = self._stream(view, session, holder, buckets)
                streams[holder] = stream
                await stack.enter_async_context(aclosing(stream))
            ahead: list[asyncio.Task[None]] = []
            try:
                for bucket in buckets:
                    tables = await side_by_side(
                        {h: self._next(view, session, h, bucket, s) for h, s in streams.items()}
                    )
                    ahead.append(
                        asyncio.create_task(self._keep(model, session, bucket, tables, run))
                    )
                    if len(ahead) > AHEAD:
                        await ahead.pop(0)
                while ahead:
                    await ahead.pop(0)
            finally:
                for task in ahead:
                    task.cancel()
                await asyncio.gather(*ahead, return_exceptions=True)

    def _stream(
        self, view: ChainView, session: Session, holder: SpiffeId, buckets: Sequence[int]
    ) -> Stream:
        request = hub_pb2.HubPrepareRequest(
            holder=str(holder),
            request=common_pb2.PrepareRequest(
                certificate_hash=session.certificate.hash,
                epoch=session.epoch.number,
                buckets=buckets,
            ),
            chain=view.scope,
        )
        return view.hub.download(PREPARE, request, common_pb2.Table)

    async def _next(
        self, view: ChainView, session: Session, holder: SpiffeId, bucket: int, stream: Stream
    ) -> _Table:
        """The next table of a stream, once its signature is the holder's for this bucket."""
        message = await anext(stream, None)
        if message is None:
            raise AnswerRejected(view.party, f"left out {holder}'s bucket {bucket}")
        answer = signed_from_wire(message.answer)
        table_is_signed(session, holder, bucket, answer, message.table)
        return _Table(answer, message.table, message.ByteSize())

    async def _keep(
        self,
        model: Model,
        session: Session,
        bucket: int,
        tables: Mapping[SpiffeId, _Table],
        run: Run,
    ) -> None:
        """Decrypts, combines and keeps a bucket."""
        agent, records = self._agent, self._agent.records
        words = await side_by_side(
            {h: self._decrypt(model, session, h, table.table) for h, table in tables.items()}
        )
        sums = await self._weight_sums(model, session)
        combined = combine_tables(words, sums, session)
        sealed = await asyncio.to_thread(records.seal_bucket, session.ctx, bucket, combined)
        answers = [tables[holder].answer for holder in session.certificate.holders]
        size = sum(table.size for table in tables.values())
        closes = session.epoch.descriptor.closes

        def unit(connection: Connection) -> None:
            records.put_bucket(connection, session.ctx, bucket, sealed, answers, size, closes)

        await agent.write(unit)
        run.add(size)

    async def _decrypt(
        self, model: Model, session: Session, holder: SpiffeId, table: bytes
    ) -> NDArray[np.uint64]:
        if session.certificate.form == "open":
            if len(table) != ROWS * WORD_BYTES:
                raise AnswerRejected(holder, f"its table has {len(table)} bytes")
            return words_from_bytes(table)
        try:
            return await self._agent.runtime.pool.run(
                jobs.decrypt_answers, model.secret_key, [table]
            )
        except (ScoringError, FederationError) as error:
            raise AnswerRejected(holder, f"its table does not decrypt: {error}") from error

    async def _weight_sums(self, model: Model, session: Session) -> dict[SpiffeId, int]:
        """The sum of each holder's packed weights, which ones and twos add to every row."""
        if model.hash not in self._sums:
            digest = session.certificate.catalogue
            view = await self._agent.chains.view(model.chain)
            catalogue = await view.read(lambda c: view.chain.catalogue(c, digest))
            self._sums[model.hash] = {
                holder: sum(model.scorecard.weights(catalogue, str(holder)))
                for holder in session.certificate.holders
            }
        return self._sums[model.hash]


def _require_crowd(epoch: OpenEpoch, bucket: int) -> None:
    """Raises BankError for a bucket less than half full: asked for alone it points at its few."""
    if 2 * (epoch.descriptor.roster_rows - bucket * ROWS) < ROWS:
        raise BankError(Code.BUCKET_TOO_SMALL, "bucket", bucket=bucket)
