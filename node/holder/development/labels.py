"""Certified labels: a public key and the encrypted labels of a bank, hash-checked, then kept.

Nothing of either is parsed here. The workers parse the files, after they compared them with the
same hashes once more. Once counted, labels are of no more use here and are removed; the counts
that were released go with their certificate.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from sqlalchemy import Connection, insert, select

from federation.development.certificate import DevelopmentCertificate, read_certificate
from federation.entries import Kind, entry
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import SpiffeId
from federation.signed import Signed
from node.config import HolderConfig
from node.holder.contexts import Contexts
from node.holder.development.tables import holder_counts, holder_labels
from node.holder.receiving import keep_bytes, keep_transfer
from node.log.attachments import attach_document
from node.rpc.chunks import PieceLike
from node.runtime import Runtime
from scoring.lattice import PARAMETER_SET, count_columns, labels_bytes

_KEY, _BUNDLE = "public.key", "bundle"


class Labels:
    """The labels installed at one holder: files in `labels/<certificate hash>/`."""

    def __init__(self, runtime: Runtime[HolderConfig], contexts: Contexts) -> None:
        self._runtime = runtime
        self._contexts = contexts
        self._folder = runtime.config.data_dir / "labels"

    def folder(self, certificate: DevelopmentCertificate) -> Path:
        """Where everything of a certificate is."""
        return self._folder / certificate.hash.hex()

    def public_key(self, certificate: DevelopmentCertificate) -> Path:
        """Where the labels' public key is."""
        return self.folder(certificate) / _KEY

    def bundle(self, certificate: DevelopmentCertificate) -> Path:
        """Where the encrypted labels are."""
        return self.folder(certificate) / _BUNDLE

    async def install(
        self,
        holder: SpiffeId,
        signed: Signed,
        public_key: bytes,
        bundle: AsyncIterator[PieceLike],
    ) -> DevelopmentCertificate:
        """Keeps certified labels; the same again is harmless.

        Raises Refusal(uncertified_model) unless key and bundle are the certificate's, and what
        `read_certificate` raises for one that is not of this chain, or not for this holder.
        """
        certificate = await self._contexts.verified(lambda c: self._verify(c, signed))
        if holder != self._runtime.identity.id:
            raise Refusal(Reason.WRONG_AUDIENCE, f"labels are for {holder}")
        certificate.require_valid(self._runtime.clock.now())
        if hashlib.sha256(public_key).digest() != certificate.public_key:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "public key is not the certified one")
        await keep_bytes(self.public_key(certificate), public_key, certificate.public_key)
        limit, target = labels_bytes(certificate.buckets), self.bundle(certificate)
        await keep_transfer(target, bundle, limit, certificate.bundle, "labels")
        await self._record(certificate, signed)
        await self.tidy(started=False)
        return certificate

    async def tidy(self, *, started: bool) -> None:
        """Removes labels that were counted, and all of expired certificates.

        When the node has just `started`, no other process of it serving, also what an interrupted
        transfer left.
        """
        now = self._runtime.clock.now()
        kept = await self._runtime.store.read(_kept)
        await asyncio.to_thread(_tidy, self._folder, kept, now, started)

    def installed(self, connection: Connection, digest: bytes) -> DevelopmentCertificate:
        """The certificate of that hash, verified against the members of now.

        Raises Refusal(uncertified_model) when it is not installed or not valid now, and what
        `read_certificate` raises.
        """
        raw = connection.execute(
            select(holder_labels.c.signed).where(holder_labels.c.certificate == digest)
        ).scalar_one_or_none()
        if raw is None:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "no such certificate is installed")
        certificate = self._verify(connection, Signed.from_json(bytes(raw)))
        certificate.require_valid(self._runtime.clock.now())
        return certificate

    def _verify(self, connection: Connection, signed: Signed) -> DevelopmentCertificate:
        runtime, now = self._runtime, self._runtime.clock.now()
        certificate = read_certificate(signed, runtime.chain.members(connection, now))
        own = certificate.participant(runtime.identity.id)
        catalogue = runtime.chain.catalogue(connection, certificate.catalogue)
        bins = catalogue.bins_per_feature(runtime.config.kind)
        expected = (runtime.config.kind, len(bins), len(count_columns(bins)))
        if (own.kind, own.features, own.columns) != expected:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "certificate has other columns than this kind")
        if certificate.parameter_set != PARAMETER_SET:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "certificate is for other parameters")
        if own.signing != runtime.identity.member.signing:
            raise Refusal(Reason.FOREIGN_CERTIFICATE, "this node runs with other keys; restart it")
        try:
            rows = runtime.chain.roster(connection, now).size_at(certificate.roster_root)
        except DocumentError as error:
            raise Refusal(Reason.WRONG_CONTEXT, str(error)) from error
        if rows != certificate.roster_rows:
            raise Refusal(Reason.WRONG_CONTEXT, "labels are over another roster")
        return certificate

    async def _record(self, certificate: DevelopmentCertificate, signed: Signed) -> None:
        runtime, now = self._runtime, self._runtime.clock.now()
        raw = entry(Kind.LABELS_INSTALLED, now, document=certificate.hash, bank=certificate.bank)
        table = holder_labels

        def unit(connection: Connection) -> None:
            known = select(table.c.certificate).where(table.c.certificate == certificate.hash)
            if connection.execute(known).scalar_one_or_none() is not None:
                return
            connection.execute(
                insert(table).values(
                    certificate=certificate.hash, signed=signed.to_json(), installed_at=now
                )
            )
            attach_document(connection, signed)
            runtime.append(connection, Kind.LABELS_INSTALLED, raw)

        await runtime.store.run(unit)


def _kept(connection: Connection) -> dict[str, tuple[int, bool]]:
    """Each installed certificate's end, and whether its counts were released, by folder."""
    table = holder_labels.c
    rows = connection.execute(
        select(table.certificate, table.signed, holder_counts.c.certificate.label("released"))
        .select_from(holder_labels)
        .outerjoin(holder_counts, holder_counts.c.certificate == table.certificate)
    ).all()
    return {
        bytes(row.certificate).hex(): (
            DevelopmentCertificate.parse(Signed.from_json(bytes(row.signed)).payload).not_after,
            row.released is not None,
        )
        for row in rows
    }


def _tidy(labels: Path, kept: dict[str, tuple[int, bool]], now: int, started: bool) -> None:
    for folder in labels.iterdir() if labels.is_dir() else ():
        end, released = kept.get(folder.name, (0 if started else now + 1, False))
        if end <= now:
            shutil.rmtree(folder, ignore_errors=True)
        elif released:
            for name in (_KEY, _BUNDLE):
                (folder / name).unlink(missing_ok=True)
