"""Certified models: a public key and this holder's weight bundle, hash-checked, then kept.

Nothing of either is parsed here. The workers parse the files, after they compared them with the
same hashes once more.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from sqlalchemy import Connection, insert

from federation.certificate import ModelCertificate, read_certificate
from federation.entries import Kind, entry
from federation.errors import Reason, Refusal
from federation.identity import SpiffeId
from federation.signed import Signed
from node.config import HolderConfig
from node.holder.contexts import Contexts
from node.holder.receiving import keep_bytes, keep_transfer
from node.holder.tables import holder_models
from node.rpc.chunks import PieceLike
from node.runtime import Runtime
from scoring import published
from scoring.lattice import PARAMETER_SET, WEIGHT_BYTES

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
        certificate = await self._contexts.verified(lambda c: self._verify(c, signed))
        own = self._runtime.identity.id
        if holder != own:
            raise Refusal(Reason.WRONG_AUDIENCE, f"bundle is for {holder}")
        participant = certificate.participant(own)
        certificate.require_valid(self._runtime.clock.now())
        if hashlib.sha256(public_key).digest() != certificate.public_key:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "public key is not the certified one")
        await keep_bytes(self.public_key(certificate), public_key, certificate.public_key)
        limit = participant.columns * WEIGHT_BYTES + _HEAD_BYTES
        target = self.bundle(certificate)
        await keep_transfer(target, bundle, limit, participant.bundle, "weights")
        await self._record(certificate, signed)
        return certificate

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
