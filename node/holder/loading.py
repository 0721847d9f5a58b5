"""Loading an epoch: from a mapping file to a manifest that the hub has a receipt for.

Until the one unit of work that keeps row, manifest and log entry, nothing exists but a file that
nobody knows; after it, this holder's data of the epoch are final. Sending the manifest comes
last and may be repeated: it is the same manifest then.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import chain as chained
from pathlib import Path

from sqlalchemy import Connection, insert

from federation.entries import Kind, entry
from federation.epoch import SALT_BYTES, Descriptor, Manifest, check_roster
from federation.errors import Reason, Refusal
from node.chain import ChainSync
from node.chain.store import MANIFEST
from node.config import HolderConfig
from node.holder.closing import is_closed
from node.holder.columns import ColumnHeader, write_columns
from node.holder.errors import HolderError
from node.holder.ingest import FeatureTable, IngestReport, align, ingest
from node.holder.mapping import load_mapping
from node.holder.quality import count_missing, keep_missing, keep_rejections
from node.holder.snapshots import SALT_PURPOSE, Snapshot, Snapshots, snapshots
from node.holder.submission import Submission
from node.holder.tables import holder_snapshots
from node.holder.vault import sync_folder
from node.runtime import Runtime
from scoring.catalogue import Catalogue

Progress = Callable[[str, int], None]
"""Told the step (`read`, `write`, `submit`) and how many rows it is at."""


@dataclass(frozen=True)
class Loaded:
    """What was loaded: rows of the roster, firms of them that are known, rows rejected."""

    epoch: int
    manifest: bytes
    as_of: str
    rows: int
    known: int
    read: int
    rejected: int
    report: Path


@dataclass(frozen=True)
class Announced:
    """What an epoch's descriptor names, with the codes of its part of the roster."""

    descriptor: Descriptor
    catalogue: Catalogue
    codes: tuple[str, ...]


class EpochLoader:
    """Loads epochs for one holder. `sync` has to be able to reach the hub."""

    def __init__(
        self, runtime: Runtime[HolderConfig], sync: ChainSync, submission: Submission
    ) -> None:
        self._runtime = runtime
        self._sync = sync
        self._submission = submission
        self._folder = Snapshots.folder(runtime.config.data_dir)

    async def load(
        self,
        number: int | None,
        mapping_path: Path,
        *,
        as_of: date | None = None,
        report: Path | None = None,
        progress: Progress | None = None,
    ) -> Loaded:
        """Makes and submits this holder's manifest of an epoch that is announced, not yet open.

        `number` None is the newest epoch, for what runs every night.
        Raises HolderError for an epoch that is not announced, open already, over, or loaded
        already; MappingError and IngestError as `ingest` does; RemoteError when the hub could not
        be told, with the manifest made and sent again by the running node.
        """
        tell = progress or (lambda step, rows: None)
        await self._sync.sync()
        with _only_one(self._runtime.config.data_dir):
            announced = await self._runtime.store.read(lambda c: self._announced(c, number))
            table, ingested = await self._ingest(announced, mapping_path, as_of, report, tell)
            loaded = await self._keep(announced, table, ingested, tell)
        tell("submit", loaded.rows)
        await self._submission.submit(loaded.epoch)
        return loaded

    def _announced(self, connection: Connection, number: int | None) -> Announced:
        chain, now = self._runtime.chain, self._runtime.clock.now()
        if number is None:
            number = newest_epoch(self._runtime, connection).epoch
        descriptor = chain.descriptor(connection, number)
        if descriptor is None:
            known = ", ".join(map(str, chain.epoch_numbers(connection))) or "none"
            raise HolderError(f"epoch {number} is not announced by the hub; announced are: {known}")
        if snapshots(connection, number):
            raise HolderError(
                f"epoch {number} is loaded already, and a holder has one manifest an epoch; "
                "load corrected data into the next epoch"
            )
        if is_closed(connection, number) or now >= descriptor.closes:
            raise HolderError(f"epoch {number} is over; load the next epoch")
        if chain.epoch(connection, number, now) is not None:
            raise HolderError(
                f"epoch {number} was opened without this holder; load the next epoch in time"
            )
        roster = chain.roster(connection, now)
        check_roster(descriptor, roster)
        rows = descriptor.roster_rows
        buckets = (roster.codes(bucket, rows) for bucket in range(roster.buckets(rows)))
        catalogue = chain.catalogue(connection, descriptor.catalogue)
        return Announced(descriptor, catalogue, tuple(chained.from_iterable(buckets)))

    async def _ingest(
        self,
        announced: Announced,
        mapping_path: Path,
        as_of: date | None,
        report: Path | None,
        tell: Progress,
    ) -> tuple[FeatureTable, IngestReport]:
        config = self._runtime.config
        mapping = load_mapping(mapping_path, announced.catalogue, as_of=as_of)
        if mapping.kind != config.kind:
            raise mapping.error(
                "kind", f"is {mapping.kind}, this holder's is {config.kind}", "use its own mapping"
            )
        if report is None:
            report = (
                config.data_dir / "reports" / f"epoch-{announced.descriptor.epoch}-rejected.csv"
            )
            report.parent.mkdir(mode=0o700, exist_ok=True)
        return await asyncio.to_thread(
            ingest,
            mapping,
            announced.catalogue,
            report,
            progress=lambda rows: tell("read", rows),
        )

    async def _keep(
        self, announced: Announced, table: FeatureTable, ingested: IngestReport, tell: Progress
    ) -> Loaded:
        runtime, descriptor = self._runtime, announced.descriptor
        bins, known = await asyncio.to_thread(align, announced.codes, table, announced.catalogue)
        features = announced.catalogue.features_of(runtime.config.kind)
        missing = await asyncio.to_thread(count_missing, features, bins, known)
        tell("write", len(announced.codes))
        header = ColumnHeader(
            holder=runtime.identity.id,
            kind=runtime.config.kind,
            epoch=descriptor.epoch,
            catalogue=descriptor.catalogue,
            rows=descriptor.roster_rows,
            bins=announced.catalogue.bins_per_feature(runtime.config.kind),
        )
        salt = secrets.token_bytes(SALT_BYTES)
        path = self._folder / f"epoch-{descriptor.epoch}-{secrets.token_hex(6)}.columns"
        try:
            self._clear_orphans(await runtime.store.read(snapshots))
            digest = await asyncio.to_thread(write_columns, path, header, bins, known, salt)
            sync_folder(self._folder)
            manifest = Manifest(
                chain=descriptor.chain,
                epoch=descriptor.epoch,
                descriptor=descriptor.hash,
                holder=runtime.identity.id,
                as_of=table.as_of.isoformat(),
                rows=descriptor.roster_rows,
                data_hash=digest,
            )
            await keep_rejections(runtime, descriptor.epoch, ingested.path)
            counts = (int(known.sum()), ingested.rejected)
            await self._commit(manifest, path.name, salt, counts, missing)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise HolderError(
                f"{path} cannot be written ({error.strerror}); nothing was loaded"
            ) from error
        except BaseException:
            await self._unlink_unless_kept(path, descriptor.epoch)
            raise
        return Loaded(
            epoch=descriptor.epoch,
            manifest=manifest.hash,
            as_of=manifest.as_of,
            rows=descriptor.roster_rows,
            known=int(known.sum()),
            read=ingested.read,
            rejected=ingested.rejected,
            report=ingested.path,
        )

    async def _commit(
        self,
        manifest: Manifest,
        file: str,
        salt: bytes,
        counts: tuple[int, int],
        missing: Mapping[str, int],
    ) -> None:
        """`counts` are the firms that are known and the rows that were rejected."""
        known, rejected = counts
        runtime, now = self._runtime, self._runtime.clock.now()
        signed = manifest.sign(runtime.identity.signing)
        purpose = SALT_PURPOSE + str(manifest.epoch).encode()
        sealed = runtime.identity.storage.seal(salt, purpose)
        raw = entry(Kind.MANIFEST, now, document=manifest.hash, epoch=manifest.epoch)

        def unit(connection: Connection) -> None:
            if is_closed(connection, manifest.epoch):
                raise HolderError(f"epoch {manifest.epoch} is over; load the next epoch")
            runtime.chain.put(
                connection, MANIFEST, signed, manifest.epoch, str(runtime.identity.id)
            )
            connection.execute(
                insert(holder_snapshots).values(
                    epoch=manifest.epoch,
                    file=file,
                    salt=sealed,
                    manifest=signed.to_json(),
                    rows=manifest.rows,
                    known=known,
                    rejected=rejected,
                    loaded_at=now,
                )
            )
            keep_missing(connection, manifest.epoch, missing)
            runtime.append(connection, Kind.MANIFEST, raw)

        try:
            await runtime.store.run(unit)
        except Refusal as error:
            if error.reason is not Reason.CONFLICT:
                raise
            raise HolderError(
                f"epoch {manifest.epoch}: the chain has another manifest of this holder already; "
                "load the next epoch"
            ) from error

    async def _unlink_unless_kept(self, path: Path, number: int) -> None:
        """A commit that was not confirmed may have happened: then its file has to stay."""
        kept = await self._runtime.store.read(lambda connection: snapshots(connection, number))
        if path.name not in {snapshot.file for snapshot in kept}:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    def _clear_orphans(self, kept: list[Snapshot]) -> None:
        """Removes files that a crash left between their writing and their row."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        names = {snapshot.file for snapshot in kept}
        for path in self._folder.glob("*.columns"):
            if path.name not in names:
                path.unlink()


def newest_epoch(runtime: Runtime[HolderConfig], connection: Connection) -> Descriptor:
    """The newest epoch that the hub announced. Raises HolderError when there is none."""
    numbers = runtime.chain.epoch_numbers(connection)
    descriptor = runtime.chain.descriptor(connection, numbers[-1]) if numbers else None
    if descriptor is None:
        raise HolderError("the hub has announced no epoch yet; ask it to announce one")
    return descriptor


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    """One load at a time on a data folder, whatever the process."""
    descriptor = os.open(data_dir / "load.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HolderError("another load is running on this folder; wait for it") from error
        yield
    finally:
        os.close(descriptor)
