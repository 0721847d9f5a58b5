"""Where the files of a log are read from: a folder as `yinxin log export` writes it, or a node."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from federation.entries import MAX_ENTRY_BYTES
from federation.merkle import HASH_BYTES
from federation.tlog.fault import LogFault, Step, Wanted
from federation.tlog.note import MAX_NOTE_BYTES
from federation.tlog.opening import LogKeys, recognised
from federation.tlog.tiles import TILE_WIDTH, encode_bundle
from node.errors import NodeError
from node.log.http.client import LogClient
from node.rpc.errors import RemoteFailure

CHECKPOINT: Final = "checkpoint"
MAX_BUNDLE_BYTES: Final = TILE_WIDTH * (MAX_ENTRY_BYTES + 2)


class VerifyError(NodeError):
    """A log or its keys cannot be read as asked; the message says what to give instead."""


class LogSource(Protocol):
    """Gives a log's files as they are. Nothing of them is verified."""

    async def checkpoint(self) -> bytes:
        """The checkpoint, a note. Raises LogFault or NodeError."""

    async def read(self, wanted: Wanted) -> bytes:
        """A tile or entry bundle. Raises LogFault where there is none, or NodeError."""


class FolderSource:
    """The files of a log below a folder."""

    def __init__(self, folder: Path) -> None:
        """Raises VerifyError when there is no such folder."""
        if not folder.is_dir():
            raise VerifyError(f"{folder} is no folder; name one that `yinxin log export` wrote")
        self._folder = folder

    async def checkpoint(self) -> bytes:
        """The file `checkpoint`."""
        return self._bytes(CHECKPOINT, Step.CHECKPOINT, MAX_NOTE_BYTES)

    async def read(self, wanted: Wanted) -> bytes:
        """The file of a tile."""
        if wanted.level is None:
            return self._bytes(wanted.path, Step.BUNDLES, MAX_BUNDLE_BYTES)
        return self._bytes(wanted.path, Step.TILES, TILE_WIDTH * HASH_BYTES)

    def _bytes(self, path: str, step: Step, most: int) -> bytes:
        try:
            with (self._folder / path).open("rb") as file:
                raw = file.read(most + 1)
        except FileNotFoundError as error:
            raise LogFault(step, path, "is missing") from error
        except OSError as error:
            raise LogFault(step, path, f"cannot be read ({error.strerror})") from error
        if len(raw) > most:
            raise LogFault(step, path, f"has more than {most} bytes")
        return raw


class RemoteSource:
    """The files of a log as its node serves them to the caller."""

    def __init__(self, client: LogClient, keys: LogKeys) -> None:
        self._client = client
        self._keys = keys

    async def checkpoint(self) -> bytes:
        """What the node serves as its checkpoint, without signatures of keys that are none now."""
        try:
            return recognised(await self._client.checkpoint(), self._keys)
        except RemoteFailure as error:
            raise LogFault(Step.CHECKPOINT, CHECKPOINT, "is not served") from error

    async def read(self, wanted: Wanted) -> bytes:
        """What the node serves as that tile."""
        try:
            if wanted.level is None:
                return encode_bundle(await self._client.bundle(wanted.number, wanted.width))
            return await self._client.tile(wanted.level, wanted.number, wanted.width)
        except RemoteFailure as error:
            step = Step.BUNDLES if wanted.level is None else Step.TILES
            raise LogFault(step, wanted.path, f"is not served whole by {error.party}") from error
