"""Certified models: a public key and this holder's weight bundle, hash-checked, then kept.

Nothing of either is parsed here. The workers parse the files, after they compared them with the
same hashes once more.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, insert

from federation.certificate import ModelCertificate, read_certificate
from federation.entries import Kind, entry
from federation.errors import Reason, Refusal
from federation.identity import SpiffeId
from federation.signed import Signed
from node.config import HolderConfig
from node.holder.contexts import Contexts
from node.holder.errors import HolderError
from node.holder.tables import holder_models
from node.rpc.chunks import PieceLike, pieces, receiving
from node.runtime import Runtime
from scoring import published
from scoring.lattice import PARAMETER_SET, WEIGHT_BYTES

T = TypeVar("T")

_HEAD_BYTES = 4096
_SETS = {"sealed": PARAMETER_SET, "open": published.PARAMETER_SET}


class Models:
    """The models installed at one holder: files in `models/<certificate hash>/`."""

    def __init__(self, runtime: Runtime[HolderConfig], contexts: Contexts) -> None:
        self._runtime = runtime
        self._contexts = contexts
        self._folder = runtime.config.data_dir / "models"

    def public_key(self, certificate: ModelCertificate) -> Path:
        """Where a model's public key is; empty for an open scorecard, which has none."""
        return self._folder / certificate.hash.hex() / "public.key"

    def bundle(self, certificate: ModelCertificate) -> Path:
        """Where this holder's weight bundle is."""
        return self._folder / certificate.hash.hex() / "bundle"

    async def install(
        self,
        holder: SpiffeId,
        signed: Signed,
        public_key: bytes,
        bundle: AsyncIterator[PieceLike],
    ) -> ModelCertificate:
        """Keeps a certified model; the same again is harmless.

        Raises Refusal(uncertified_model) unless key and bundle are the certificate's, and what
        `read_certificate` raises for one that is not of this chain, or not for this holder.
        """
        certificate = await self._read(signed)
        own = self._runtime.identity.id
        if holder != own:
            raise Refusal(Reason.WRONG_AUDIENCE, f"bundle is for {holder}")
        participant = certificate.participant(own)
        certificate.require_valid(self._runtime.clock.now())
        if hashlib.sha256(public_key).digest() != certificate.public_key:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "public key is not the certified one")
        await self._store_key(certificate, public_key)
        limit = participant.columns * WEIGHT_BYTES + _HEAD_BYTES
        target = receiving(self.bundle(certificate), limit, participant.bundle)
        async with _in_threads(target) as assembler:
            announced = False
            async for piece in bundle:
                if not announced and piece.sha256 != participant.bundle:
                    raise Refusal(Reason.UNCERTIFIED_MODEL, "weights are not those certified")
                announced = True
                await asyncio.to_thread(assembler.add, piece)
        await self._record(certificate, signed)
        return certificate

    async def _read(self, signed: Signed) -> ModelCertificate:
        """The certificate; one of a bank or catalogue that is new to this node is looked up."""
        try:
            return await self._runtime.store.read(lambda c: self._verify(c, signed))
        except Refusal:
            if not await self._contexts.catch_up():
                raise
        return await self._runtime.store.read(lambda c: self._verify(c, signed))

    def _verify(self, connection: Connection, signed: Signed) -> ModelCertificate:
        runtime = self._runtime
        members = runtime.chain.members(connection, runtime.clock.now())
        certificate = read_certificate(signed, members)
        runtime.chain.refuse_withdrawn(connection, certificate.hash)
        participant = certificate.participant(runtime.identity.id)
        catalogue = runtime.chain.catalogue(connection, certificate.catalogue)
        columns = sum(catalogue.bins_per_feature(runtime.config.kind))
        if (participant.kind, participant.columns) != (runtime.config.kind, columns):
            raise Refusal(Reason.UNCERTIFIED_MODEL, "certificate has other columns than this kind")
        if certificate.parameter_set != _SETS[certificate.form]:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "certificate is for other parameters")
        return certificate

    async def _store_key(self, certificate: ModelCertificate, public_key: bytes) -> None:
        path = self.public_key(certificate)

        def write() -> None:
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise HolderError(f"{path.parent} cannot be made ({error.strerror})") from error
            with receiving(path, len(public_key), certificate.public_key) as assembler:
                for piece in pieces(public_key):
                    assembler.add(piece)

        await asyncio.to_thread(write)

    async def _record(self, certificate: ModelCertificate, signed: Signed) -> None:
        runtime, now = self._runtime, self._runtime.clock.now()
        raw = entry(Kind.INSTALLED, now, document=certificate.hash, bank=certificate.bank)

        def unit(connection: Connection) -> None:
            if not runtime.chain.put_certificate(connection, signed):
                return
            connection.execute(
                insert(holder_models).values(certificate=certificate.hash, installed_at=now)
            )
            runtime.append(connection, Kind.INSTALLED, raw)

        await runtime.store.run(unit)


@asynccontextmanager
async def _in_threads(manager: AbstractContextManager[T]) -> AsyncIterator[T]:
    """A context manager that blocks on the disk, entered and left in a thread."""
    value = await asyncio.to_thread(manager.__enter__)
    leave: Callable[..., bool | None] = manager.__exit__
    try:
        yield value
    except BaseException as error:
        await asyncio.to_thread(leave, type(error), error, error.__traceback__)
        raise
    await asyncio.to_thread(leave, None, None, None)
