"""What a holder is sent to keep, as files that appear whole, and only with the certified hash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from federation.errors import Reason, Refusal
from node.holder.errors import HolderError
from node.rpc.chunks import PieceLike, pieces, receiving

T = TypeVar("T")


async def keep_bytes(path: Path, data: bytes, digest: bytes) -> None:
    """Writes what arrived in one message. Raises HolderError, ChunkError for another hash."""

    def write() -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise HolderError(f"{path.parent} cannot be made ({error.strerror})") from error
        with receiving(path, len(data), digest) as assembler:
            for piece in pieces(data):
                assembler.add(piece)

    await asyncio.to_thread(write)


async def keep_transfer(
    path: Path, transfer: AsyncIterator[PieceLike], limit: int, digest: bytes, what: str
) -> None:
    """Writes a transfer of at most `limit` bytes.

    Raises Refusal(uncertified_model) as soon as it announces another SHA-256 than `digest`.
    """
    async with _in_threads(receiving(path, limit, digest)) as assembler:
        announced = False
        async for piece in transfer:
            if not announced and piece.sha256 != digest:
                raise Refusal(Reason.UNCERTIFIED_MODEL, f"{what} are not those certified")
            announced = True
            await asyncio.to_thread(assembler.add, piece)


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
