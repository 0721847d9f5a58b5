"""Releasing counts: one release a certificate ever leaves the node, in one epoch.

As with tables (`node.holder.preparation`), the file is durable before the unit of work that records
its hash, signature, cost and log entry; that unit has the certificate as its primary key and checks
the budgets, and only what it recorded is released. A crash in between leaves a file without a row,
that nobody was given; it is removed with the next release. A second release would have other noise,
and the mean of both less of it; the same bytes again tell nothing new.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import Connection, insert, select

from federation.development.certificate import DevelopmentCertificate
from federation.development.statement import make_statement, sign_statement
from federation.entries import Kind, Logged
from federation.epoch import OpenEpoch
from federation.errors import Reason, Refusal
from federation.identity import SpiffeId
from federation.signed import Signed
from node.config import HolderConfig
from node.files import replacing
from node.holder.banks import is_stopped
from node.holder.closing import refuse_closed
from node.holder.contexts import Contexts
from node.holder.development.budget import require_budget
from node.holder.development.labels import Labels
from node.holder.development.tables import holder_counts
from node.holder.errors import HolderError
from node.holder.sharing import SharedWork
from node.holder.snapshots import Snapshots
from node.log.attachments import attach_document
from node.runtime import Runtime
from node.workers import jobs


@dataclass(frozen=True)
class Release:
    """A recorded release: the logged statement, and the ciphertexts in a file."""

    statement: Logged
    epoch: int
    counts: Path


class Counts:
    """Counts labels for one holder."""

    def __init__(
        self,
        runtime: Runtime[HolderConfig],
        contexts: Contexts,
        labels: Labels,
        snapshots: Snapshots,
    ) -> None:
        self._runtime = runtime
        self._contexts = contexts
        self._labels = labels
        self._snapshots = snapshots
        self._work: SharedWork[Release] = SharedWork()
        runtime.closing.append(self._work.close)

    async def release(self, digest: bytes, number: int) -> Release:
        """The one release under a certificate, made in epoch `number` if there is none yet.

        Raises Refusal: bank_stopped, uncertified_model, foreign_certificate; conflict when it was
        made in another epoch; not_open, closed and wrong_context of an epoch that it cannot be made
        in; budget_exhausted.
        """
        made = await self._work.run(digest, lambda: self._stored_or_made(digest, number))
        if made.epoch != number:
            raise Refusal(Reason.CONFLICT, f"counts were released in epoch {made.epoch}")
        return made

    async def _stored_or_made(self, digest: bytes, number: int) -> Release:
        certificate = await self._runtime.store.read(lambda c: self._asked(c, digest))
        stored = await self._stored(certificate)
        if stored is not None:
            return stored
        epoch = await self._epoch(certificate, number)
        return await self._record(certificate, epoch, await self._count(certificate, epoch))

    def _asked(self, connection: Connection, digest: bytes) -> DevelopmentCertificate:
        certificate = self._labels.installed(connection, digest)
        _refuse_stopped(connection, certificate.bank)
        return certificate

    async def _epoch(self, certificate: DevelopmentCertificate, number: int) -> OpenEpoch:
        """The open epoch, once everything allows a release in it but the last word on budgets."""
        runtime, now = self._runtime, self._runtime.clock.now()
        own = runtime.identity.id

        def find(connection: Connection) -> OpenEpoch | None:
            return runtime.chain.epoch(connection, number, now)

        epoch = await runtime.store.read(find)
        if epoch is None and await self._contexts.catch_up():
            epoch = await runtime.store.read(find)
        if epoch is None:
            raise Refusal(Reason.NOT_OPEN, "no such epoch is open")
        epoch.require_open(now)
        certificate.require_epoch(epoch, own)
        await runtime.store.read(lambda c: self._allow(c, certificate, number))
        return epoch

    def _allow(
        self, connection: Connection, certificate: DevelopmentCertificate, number: int
    ) -> None:
        runtime = self._runtime
        refuse_closed(connection, number)
        _refuse_stopped(connection, certificate.bank)
        rho = certificate.rho_nano(runtime.identity.id)
        limits = runtime.config.development
        require_budget(connection, limits, certificate.bank, rho, runtime.clock.now())

    async def _count(self, certificate: DevelopmentCertificate, epoch: OpenEpoch) -> bytes:
        runtime = self._runtime
        manifest = epoch.manifests[runtime.identity.id]
        catalogue = await runtime.store.read(
            lambda c: runtime.chain.catalogue(c, certificate.catalogue)
        )
        buckets = [
            (await self._snapshots.bucket(manifest, bucket))[0]
            for bucket in range(certificate.buckets)
        ]
        return await runtime.pool.run(
            jobs.count_labels,
            str(self._labels.public_key(certificate)),
            str(self._labels.bundle(certificate)),
            certificate.bundle,
            certificate.public_key,
            catalogue.bins_per_feature(runtime.config.kind),
            np.stack(buckets),
            certificate.sigma_milli,
        )

    async def _record(
        self, certificate: DevelopmentCertificate, epoch: OpenEpoch, counts: bytes
    ) -> Release:
        runtime, now = self._runtime, self._runtime.clock.now()
        identity, digest = runtime.identity, hashlib.sha256(counts).digest()
        statement = make_statement(certificate, identity.id, epoch, digest)
        signed, raw = sign_statement(statement, certificate.bank, identity.signing, now)
        path = self._path(certificate, digest)
        await asyncio.to_thread(_write, path, counts)

        def unit(connection: Connection) -> bool:
            if _row(connection, certificate.hash) is not None:
                return False
            self._allow(connection, certificate, epoch.number)
            connection.execute(
                insert(holder_counts).values(
                    certificate=certificate.hash,
                    bank=str(certificate.bank),
                    epoch=epoch.number,
                    hash=digest,
                    statement=signed.to_json(),
                    entry=raw,
                    rho=statement.rho_nano,
                    released_at=now,
                )
            )
            attach_document(connection, signed)
            runtime.append(connection, Kind.COUNTS, raw)
            return True

        first = False
        try:
            first = await runtime.store.run(unit)
        except Refusal:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise
        if not first:
            # Another process was first: these counts are one too many, and nobody ever sees them.
            await asyncio.to_thread(path.unlink, missing_ok=True)
        released = await self._stored(certificate)
        if released is None:
            raise HolderError("a release of counts is recorded and cannot be read")
        await asyncio.to_thread(_remove_others, released.counts)
        await self._labels.tidy(started=False)
        return released

    async def _stored(self, certificate: DevelopmentCertificate) -> Release | None:
        row = await self._runtime.store.read(lambda c: _row(c, certificate.hash))
        if row is None:
            return None
        epoch, digest, signed, raw = row
        path = self._path(certificate, digest)
        if not await asyncio.to_thread(path.is_file):
            # Counting again would be a second sample of the noise.
            raise HolderError(f"{path}: the counts that were released are gone; restore the file")
        return Release(self._runtime.logged(signed, raw), epoch, path)

    def _path(self, certificate: DevelopmentCertificate, digest: bytes) -> Path:
        return self._labels.folder(certificate) / f"counts-{digest.hex()}"


def _refuse_stopped(connection: Connection, bank: SpiffeId) -> None:
    if is_stopped(connection, bank):
        raise Refusal(Reason.BANK_STOPPED, f"{bank} is stopped")


def _row(connection: Connection, digest: bytes) -> tuple[int, bytes, Signed, bytes] | None:
    row = connection.execute(
        select(holder_counts).where(holder_counts.c.certificate == digest)
    ).one_or_none()
    if row is None:
        return None
    statement = Signed.from_json(bytes(row.statement))
    return row.epoch, bytes(row.hash), statement, bytes(row.entry)


def _write(path: Path, data: bytes) -> None:
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise HolderError(f"{path} cannot be written ({error.strerror})") from error


def _remove_others(released: Path) -> None:
    for path in released.parent.glob("counts-*"):
        if path != released:
            path.unlink(missing_ok=True)
