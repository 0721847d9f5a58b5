"""Pads of every bucket of every context, computed ahead and kept sealed until they are used.

A requested bucket does not wait for those computed ahead: it goes to the worker pool by itself,
where at most as many others stand before it as there are workers.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import select

from federation.errors import FederationError
from node.config import HolderConfig
from node.errors import NodeError
from node.files import replacing
from node.holder.contexts import Context, Contexts
from node.holder.sharing import SharedWork
from node.holder.tables import holder_tables
from node.holder.vault import EpochVault
from node.runtime import Runtime
from node.workers import jobs
from scoring.errors import ScoringError
from scoring.pads import empty_row_words
from scoring.words import ROWS, words_from_bytes, words_to_bytes

_log = structlog.get_logger(__name__)

SCAN_SECONDS: Final = 5.0
_HASH_BYTES: Final = 32


@dataclass
class PadProgress:
    """Buckets whose pads are there, of all buckets of the contexts that are open."""

    done: int = 0
    total: int = 0


class Pads:
    """The pads of one holder."""

    def __init__(
        self, runtime: Runtime[HolderConfig], contexts: Contexts, vault: EpochVault
    ) -> None:
        self._runtime = runtime
        self._contexts = contexts
        self._vault = vault
        self._work: SharedWork[NDArray[np.uint64]] = SharedWork()
        self._wake = asyncio.Event()
        self._hashes = runtime.config.data_dir / "hashes"
        self.progress = PadProgress()
        runtime.closing.append(self._work.close)

    async def words(self, context: Context, bucket: int) -> NDArray[np.uint64]:
        """The pads of a bucket, uint64 of shape (8192,), stored ones or computed now.

        Rows of the roster, known to this holder or not, have the pad of their OPRF value; those
        beyond it a word of the holder's own secret.
        """
        return await self._work.run(
            (context.ctx, bucket), lambda: self._stored_or_made(context, bucket)
        )

    async def discard(self, context: Context, bucket: int) -> None:
        """Removes pads whose table is made: nothing needs them again."""
        name = _name(bucket)
        await asyncio.to_thread(self._vault.remove, context.number, context.ctx, name)

    def look(self) -> None:
        """Has the background look for work at once: a model or an epoch is new."""
        self._wake.set()

    async def keep(self) -> None:
        """Computes ahead whatever is missing, until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self.compute_ahead()
            except (NodeError, FederationError, ScoringError) as error:
                _log.warning("pads not computed ahead", error=str(error))
            try:
                async with asyncio.timeout(SCAN_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def compute_ahead(self) -> None:
        """One pass: the missing buckets of all open contexts, oldest epoch first.

        The work of the process that leads; the others say how far it is.
        """
        missing: list[tuple[Context, int]] = []
        done = 0
        contexts = await self._contexts.open_contexts()
        for context in contexts:
            have = await self._finished(context)
            done += len(have)
            missing += [(context, b) for b in range(context.buckets) if b not in have]
        self.progress.total = done + len(missing)
        self.progress.done = done
        if not self._runtime.processes.leads:
            return
        slots = asyncio.Semaphore(self._runtime.pool.state().workers)

        async def one(context: Context, bucket: int) -> None:
            async with slots:
                if not await self._finished_bucket(context, bucket):
                    await self.words(context, bucket)
                self.progress.done += 1

        results = await asyncio.gather(*(one(*item) for item in missing), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _finished(self, context: Context) -> set[int]:
        pads = await asyncio.to_thread(self._vault.buckets, context.number, context.ctx, "pads")
        table = holder_tables.c
        query = select(table.bucket).where(table.ctx == context.ctx)
        tables = await self._runtime.store.read(
            lambda connection: set(connection.execute(query).scalars())
        )
        return pads | tables

    async def _finished_bucket(self, context: Context, bucket: int) -> bool:
        """Again just before the work: a request may have done it meanwhile."""
        return bucket in await self._finished(context)

    async def _stored_or_made(self, context: Context, bucket: int) -> NDArray[np.uint64]:
        # States the key first, so that nothing is made under a key that is not logged.
        keys = await self._contexts.keys(context)
        place = (context.number, context.ctx, _name(bucket))
        stored = await asyncio.to_thread(self._vault.get, *place)
        if stored is not None:
            return words_from_bytes(stored)
        codes = await self._codes(context, bucket)
        hashed = await self._hash(bucket, codes)
        raw = await self._runtime.pool.run(
            jobs.oprf_pads, keys.secret, codes, context.ctx, context.manifest.hash, hashed
        )
        secret = (await self._contexts.secrets(context)).empty_rows()
        beyond = range(bucket * ROWS + len(codes), (bucket + 1) * ROWS)
        words = raw + words_to_bytes(empty_row_words(secret, context.ctx, beyond))
        await asyncio.to_thread(self._vault.put, *place, words)
        return words_from_bytes(words)

    async def _codes(self, context: Context, bucket: int) -> list[bytes]:
        chain, now = self._runtime.chain, self._runtime.clock.now()
        roster = await self._runtime.store.read(lambda connection: chain.roster(connection, now))
        return [code.encode() for code in roster.codes(bucket, context.rows)]

    async def _hash(self, bucket: int, codes: list[bytes]) -> bytes:
        """The group elements of a bucket's codes: public, the same in every context, kept."""
        digest = hashlib.sha256(b"".join(codes)).digest()
        path = self._hashes / f"{bucket}-{digest.hex()[:32]}"

        def read() -> bytes | None:
            try:
                raw = path.read_bytes()
            except FileNotFoundError:
                return None
            except OSError as error:
                raise NodeError(f"{path} cannot be read ({error.strerror})") from error
            body, check = raw[:-_HASH_BYTES], raw[-_HASH_BYTES:]
            return body if hashlib.sha256(body).digest() == check else None

        def write(body: bytes) -> None:
            try:
                path.parent.mkdir(mode=0o700, exist_ok=True)
                with replacing(path) as temporary:
                    temporary.write_bytes(body + hashlib.sha256(body).digest())
            except OSError as error:
                raise NodeError(f"{path} cannot be written ({error.strerror})") from error

        kept = await asyncio.to_thread(read)
        if kept is not None:
            return kept
        made = await self._runtime.pool.run(jobs.hash_codes, codes)
        await asyncio.to_thread(write, made)
        return made


def _name(bucket: int) -> str:
    return f"pads-{bucket}"
