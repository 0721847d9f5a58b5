"""Preparing a bucket: exactly one table a context and bucket ever leaves the node.

The sealed table is durable before the unit of work that records its hash, signature and log entry;
that unit has the (context, bucket) as its primary key, and only what it recorded is released. Of
two that compute at once, in one process or two, the later unit finds the row and returns the
other's table. A crash in between leaves a sealed file without a row, that nobody was given.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, insert, select

from federation.entries import Kind
from federation.errors import Reason, Refusal
from federation.signed import Signed
from node.config import HolderConfig
from node.holder.closing import refuse_closed
from node.holder.contexts import Context, Contexts
from node.holder.errors import HolderError, RootMissing
from node.holder.models import Models
from node.holder.pads import Pads
from node.holder.sharing import SharedWork
from node.holder.snapshots import Snapshots
from node.holder.tables import holder_tables
from node.holder.vault import EpochVault
from node.runtime import Runtime
from node.workers import jobs
from scoring.masks import mask
from scoring.words import MODULUS

MOST_BUCKETS = 65_536
"""In one request."""


@dataclass(frozen=True)
class PreparedBucket:
    """The table of a bucket and the signed answer that binds it to holder, context and bucket."""

    bucket: int
    answer: Signed
    table: bytes


class Preparation:
    """Makes and returns tables for one holder."""

    def __init__(
        self,
        runtime: Runtime[HolderConfig],
        contexts: Contexts,
        models: Models,
        snapshots: Snapshots,
        pads: Pads,
        vault: EpochVault,
    ) -> None:
        self._runtime = runtime
        self._contexts = contexts
        self._models = models
        self._snapshots = snapshots
        self._pads = pads
        self._vault = vault
        self._work: SharedWork[PreparedBucket] = SharedWork()
        self.prepared = 0
        """Buckets prepared by this process."""
        runtime.closing.append(self._work.close)

    async def tables(
        self, context: Context, buckets: Sequence[int]
    ) -> AsyncGenerator[PreparedBucket, None]:
        """The tables of the buckets in the order asked, some made ahead of the one awaited.

        Raises Refusal(unknown_bucket) before any, if one of them has no row.
        """
        if not 1 <= len(buckets) <= MOST_BUCKETS:
            raise Refusal(Reason.MALFORMED, f"{len(buckets)} buckets, allowed are {MOST_BUCKETS}")
        if len(set(buckets)) < len(buckets):
            raise Refusal(Reason.MALFORMED, "a bucket is asked for twice")
        for bucket in buckets:
            if not 0 <= bucket < context.buckets:
                raise Refusal(Reason.UNKNOWN_BUCKET, f"bucket {bucket} has no row")
        ahead: deque[asyncio.Task[PreparedBucket]] = deque()
        most = self._runtime.pool.state().workers + 1
        try:
            for bucket in buckets:
                if len(ahead) >= most:
                    yield await ahead.popleft()
                ahead.append(asyncio.create_task(self.table(context, bucket)))
            while ahead:
                yield await ahead.popleft()
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def table(self, context: Context, bucket: int) -> PreparedBucket:
        """The one table of a bucket that the roster of the epoch reaches."""
        return await self._work.run(
            (context.ctx, bucket), lambda: self._stored_or_made(context, bucket)
        )

    async def _stored_or_made(self, context: Context, bucket: int) -> PreparedBucket:
        stored = await self._stored(context, bucket)
        if stored is not None:
            return stored
        # Also states the key, and states it first.
        clear = await self._clear(context, bucket)
        table = await self._evaluate(context, bucket, clear)
        prepared = await self._release(context, bucket, table)
        await self._pads.discard(context, bucket)
        self.prepared += 1
        return prepared

    async def _clear(self, context: Context, bucket: int) -> NDArray[np.uint64]:
        """Cover + pad + mask, mod 2^48, on every row of the bucket."""
        certificate, own = context.certificate, self._runtime.identity
        _, known = await self._snapshots.bucket(context.manifest, bucket)
        pads = await self._pads.words(context, bucket)
        peers = {str(p.holder): p.agreement for p in certificate.participants}
        del peers[str(own.id)]
        masks = await asyncio.to_thread(
            mask, str(own.id), own.require_agreement(), peers, context.ctx, bucket
        )
        cover = known << np.uint64(certificate.coverage.offset)
        total: NDArray[np.uint64] = (cover + pads + masks) & np.uint64(MODULUS - 1)
        return total

    async def _evaluate(self, context: Context, bucket: int, clear: NDArray[np.uint64]) -> bytes:
        """The table: blind under the model's key, or in the clear for an open scorecard."""
        certificate = context.certificate
        bins, _ = await self._snapshots.bucket(context.manifest, bucket)
        layout = await self._layout(certificate.catalogue)
        bundle = str(self._models.bundle(certificate))
        digest = certificate.participant(context.holder).bundle
        run = self._runtime.pool.run
        if certificate.form == "open":
            return await run(jobs.clear_bucket, bundle, digest, layout, bins, clear)
        key = str(self._models.public_key(certificate))
        return await run(
            jobs.prepare_bucket, key, bundle, digest, certificate.public_key, layout, bins, clear
        )

    async def _layout(self, digest: bytes) -> tuple[int, ...]:
        chain = self._runtime.chain
        catalogue = await self._runtime.store.read(lambda c: chain.catalogue(c, digest))
        return catalogue.bins_per_feature(self._runtime.config.kind)

    async def _release(self, context: Context, bucket: int, table: bytes) -> PreparedBucket:
        runtime, now = self._runtime, self._runtime.clock.now()
        digest = hashlib.sha256(table).digest()
        place = (context.number, context.ctx, _name(bucket, digest))
        desk = await self._contexts.desk()
        answer, raw = desk.sign_table(context.ctx, bucket, digest, now)
        try:
            await asyncio.to_thread(self._vault.put, *place, table)
        except RootMissing:
            await self._contexts.refuse_closed(context)
            raise

        def unit(connection: Connection) -> bool:
            refuse_closed(connection, context.number)
            if _row(connection, context.ctx, bucket) is not None:
                return False
            connection.execute(
                insert(holder_tables).values(
                    ctx=context.ctx,
                    bucket=bucket,
                    epoch=context.number,
                    hash=digest,
                    answer=answer.to_json(),
                )
            )
            runtime.append(connection, Kind.PREPARED, raw)
            return True

        if await runtime.store.run(unit):
            return PreparedBucket(bucket, answer, table)
        # Another process was first: this table is one too many, and nobody ever sees it.
        await asyncio.to_thread(self._vault.remove, *place)
        released = await self._stored(context, bucket)
        if released is None:
            await self._contexts.refuse_closed(context)
            raise HolderError(f"the table of bucket {bucket} is recorded and cannot be read")
        return released

    async def _stored(self, context: Context, bucket: int) -> PreparedBucket | None:
        row = await self._runtime.store.read(lambda c: _row(c, context.ctx, bucket))
        if row is None:
            return None
        digest, answer = row
        try:
            table = await asyncio.to_thread(
                self._vault.get, context.number, context.ctx, _name(bucket, digest)
            )
        except RootMissing:
            await self._contexts.refuse_closed(context)
            raise
        if table is None:
            raise HolderError(
                f"the released table of bucket {bucket} in epoch {context.number} is lost, and a "
                "second one is never made; the model serves again from the next epoch"
            )
        return PreparedBucket(bucket, answer, table)


def _row(connection: Connection, ctx: bytes, bucket: int) -> tuple[bytes, Signed] | None:
    table = holder_tables.c
    row = connection.execute(
        select(table.hash, table.answer).where(table.ctx == ctx, table.bucket == bucket)
    ).one_or_none()
    return None if row is None else (bytes(row.hash), Signed.from_json(bytes(row.answer)))


def _name(bucket: int, digest: bytes) -> str:
    return f"table-{bucket}-{digest.hex()}"
