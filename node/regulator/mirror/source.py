"""Where a mirrored log is read: from its owner, the regulator's own from its own log server too."""

from __future__ import annotations

from typing import Protocol

from federation.tlog.tiles import TILE_WIDTH


class LogSource(Protocol):
    """A log as its owner shows it; `node.log.http.client.LogClient` is one. Nothing is verified."""

    async def checkpoint(self) -> bytes:
        """Its newest checkpoint, a note."""

    async def fault(self) -> str:
        """What its owner found wrong with it, or nothing."""

    async def tile(self, level: int, index: int, width: int = TILE_WIDTH) -> bytes:
        """A hash tile."""

    async def bundle(self, index: int, width: int = TILE_WIDTH) -> tuple[bytes, ...]:
        """Entries, 256 at most."""

    async def attachments(self, index: int) -> dict[bytes, bytes]:
        """What the entries of a bundle name by hash and their owner still keeps."""

    async def close(self) -> None:
        """Ends the connection."""
