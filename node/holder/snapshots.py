"""A holder's data of each epoch, as it committed to them: read, never changed.

A snapshot stays when its epoch closes, salt and all: it is what convicts a holder that lied.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from federation.epoch import Manifest
from federation.signed import Signed
from node.config import HolderConfig
from node.errors import SealError
from node.holder.columns import Bins, ColumnFile
from node.holder.errors import HolderError
from node.holder.tables import holder_snapshots
from node.runtime import Runtime

OPEN_FILES = 8
"""Epochs overlap by a few days; older files are let go of."""
SALT_PURPOSE = b"holder/snapshot-salt/"


@dataclass(frozen=True)
class Snapshot:
    """One row of `holder_snapshots`; times in unix seconds, `submitted_at` 0 while it is not."""

    epoch: int
    file: str
    salt: bytes
    manifest: Signed
    rows: int
    known: int
    rejected: int
    loaded_at: int
    submitted_at: int

    @property
    def document(self) -> Manifest:
        """The manifest."""
        return Manifest.parse(self.manifest.payload)


def snapshots(connection: Connection, epoch: int | None = None) -> list[Snapshot]:
    """The snapshots, oldest epoch first; of one epoch, if given."""
    table = holder_snapshots
    query = select(table).order_by(table.c.epoch)
    if epoch is not None:
        query = query.where(table.c.epoch == epoch)
    return [
        Snapshot(
            epoch=row.epoch,
            file=row.file,
            salt=bytes(row.salt),
            manifest=Signed.from_json(bytes(row.manifest)),
            rows=row.rows,
            known=row.known,
            rejected=row.rejected,
            loaded_at=row.loaded_at,
            submitted_at=row.submitted_at or 0,
        )
        for row in connection.execute(query)
    ]


class Snapshots:
    """The column files of the epochs that are served, each checked when it is first read."""

    def __init__(self, runtime: Runtime[HolderConfig]) -> None:
        self._runtime = runtime
        self._files: dict[bytes, ColumnFile] = {}

    @staticmethod
    def folder(data_dir: Path) -> Path:
        """Where column files are."""
        return data_dir / "snapshots"

    async def bucket(self, manifest: Manifest, bucket: int) -> tuple[Bins, NDArray[np.uint64]]:
        """Bins, shape (features, 8192), and 1 on the rows that the holder knows, shape (8192,).

        `manifest` is the one that the epoch's opening names. Raises HolderError when the data on
        disk are not those.
        """
        file = self._files.get(manifest.hash)
        if file is None:
            file = await self._open(manifest)
            self._files[manifest.hash] = file
            if len(self._files) > OPEN_FILES:
                del self._files[next(iter(self._files))]
        return await asyncio.to_thread(file.bucket, bucket)

    async def _open(self, manifest: Manifest) -> ColumnFile:
        epoch = manifest.epoch
        found = await self._runtime.store.read(lambda connection: snapshots(connection, epoch))
        if not found or found[0].manifest.payload_hash != manifest.hash:
            raise HolderError(
                f"epoch {epoch} is open with other data than this node has; restore its folder"
            )
        try:
            purpose = SALT_PURPOSE + str(epoch).encode()
            salt = self._runtime.identity.storage.open(found[0].salt, purpose)
        except SealError as error:
            raise HolderError(f"epoch {epoch}: salt: {error}") from error
        path = self.folder(self._runtime.config.data_dir) / found[0].file
        return await asyncio.to_thread(ColumnFile, path, salt, manifest.data_hash)
