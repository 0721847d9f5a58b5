"""Long byte strings over streams: an announcement of length and SHA-256, then pieces in order.

A transfer is one piece with `total` and `sha256` and no data, then pieces with data only, each at
most CHUNK_BYTES, none empty. The receiver knows before the first data byte whether it will take
the whole, and has nothing until length and hash are exact.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

from node.errors import NodeError
from node.files import replacing
from node.rpc.errors import ChunkError

CHUNK_BYTES = 1024 * 1024
HASH_BYTES = 32


class PieceLike(Protocol):
    """A Piece, or the protobuf message `yinxin.v1.Chunk`."""

    @property
    def total(self) -> int: ...
    @property
    def sha256(self) -> bytes: ...
    @property
    def data(self) -> bytes: ...


@dataclass(frozen=True)
class Piece:
    """One message of a transfer: the announcement (`total`, `sha256`) or `data`."""

    total: int = 0
    sha256: bytes = b""
    data: bytes = b""


def pieces(data: bytes) -> Iterator[Piece]:
    """The transfer of `data`."""
    yield Piece(total=len(data), sha256=hashlib.sha256(data).digest())
    for start in range(0, len(data), CHUNK_BYTES):
        yield Piece(data=data[start : start + CHUNK_BYTES])


def file_pieces(path: Path) -> Iterator[Piece]:
    """The transfer of a file, which is read twice and must not change meanwhile.

    Raises NodeError when it cannot be read. Reads in the calling thread.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
            yield Piece(total=file.tell(), sha256=digest)
            file.seek(0)
            while data := file.read(CHUNK_BYTES):
                yield Piece(data=data)
    except OSError as error:
        raise NodeError(f"{path}: {error.strerror}") from error


class Assembler:
    """Puts a transfer together in memory, or in `sink`. Every error is a ChunkError.

    `limit` is the most bytes that a transfer may announce; `expected`, where it is known from a
    signed document, the hash that it has to announce.
    """

    def __init__(
        self, limit: int, expected: bytes | None = None, sink: BinaryIO | None = None
    ) -> None:
        self._limit = limit
        self._expected = expected
        self._memory = BytesIO()
        self._sink = sink if sink is not None else self._memory
        self._hash = hashlib.sha256()
        self._total: int | None = None
        self._sha256 = b""
        self._received = 0

    def add(self, piece: PieceLike) -> None:
        """Takes the next piece. Raises ChunkError; the transfer is then of no use."""
        if self._total is None:
            self._announce(piece)
            return
        if piece.total or piece.sha256:
            raise ChunkError("transfer is announced twice")
        size = len(piece.data)
        if not 0 < size <= CHUNK_BYTES:
            raise ChunkError(f"piece has {size} bytes, allowed are 1 to {CHUNK_BYTES}")
        if self._received + size > self._total:
            raise ChunkError(f"transfer is longer than the {self._total} bytes announced")
        self._received += size
        self._hash.update(piece.data)
        self._sink.write(piece.data)

    @property
    def complete(self) -> bool:
        """Whether as many bytes arrived as were announced."""
        return self._total is not None and self._received == self._total

    def verify(self) -> bytes:
        """The SHA-256 of the transfer, once length and hash are as announced."""
        if not self.complete:
            raise ChunkError(f"transfer ends after {self._received} bytes of {self._total}")
        if self._hash.digest() != self._sha256:
            raise ChunkError("transfer does not have the announced SHA-256")
        return self._sha256

    def finish(self) -> bytes:
        """The bytes of a transfer that was kept in memory."""
        if self._sink is not self._memory:
            raise ChunkError("transfer was written to a file; call verify()")
        self.verify()
        return self._memory.getvalue()

    def _announce(self, piece: PieceLike) -> None:
        if piece.data or len(piece.sha256) != HASH_BYTES:
            raise ChunkError("transfer does not begin with its length and SHA-256")
        if piece.total > self._limit:
            raise ChunkError(f"transfer of {piece.total} bytes, allowed are {self._limit}")
        if self._expected is not None and piece.sha256 != self._expected:
            raise ChunkError("transfer announces another SHA-256 than expected")
        self._total = piece.total
        self._sha256 = bytes(piece.sha256)


@contextmanager
def receiving(path: Path, limit: int, expected: bytes | None = None) -> Iterator[Assembler]:
    """Puts a transfer together in a file that appears at `path` whole, synced, or not at all.

    The block feeds the assembler; leaving it without an error checks the transfer, which raises
    ChunkError, and publishes the file. Raises NodeError when the file cannot be written.
    """
    try:
        with replacing(path) as temporary:
            with temporary.open("xb") as file:
                assembler = Assembler(limit, expected, file)
                yield assembler
            assembler.verify()
    except OSError as error:
        raise NodeError(f"{path}: {error.strerror}") from error
