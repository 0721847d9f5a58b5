"""The column file: a holder's bins of one epoch, as its manifest commits to them.

    "YXC1" ‖ u32be length of the header ‖ header ‖ columns ‖ known

The header is canonical JSON (who, which epoch and catalogue, rows, bins of each feature). Each
feature is one array of `rows` bin indices, a byte each when it has at most 256 bins, else u16le;
`known` has a bit a row, highest bit first. The same data give the same bytes, so that an audit
can rebuild the file from the source and compare.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from federation.canonical import b64, canonical_json, parse_canonical
from federation.errors import DocumentError
from federation.identity import SpiffeId
from node.holder.errors import HolderError
from scoring.words import ROWS

FORMAT: Final = "yinxin-columns/1"
_MAGIC: Final = b"YXC1"
_HEADER_BYTES: Final = 65_536
_BYTE_BINS: Final = 256

Bins = NDArray[np.uint16]
Known = NDArray[np.bool_]


@dataclass(frozen=True)
class ColumnHeader:
    """What a column file says of itself. `bins` has the number of bins of each feature."""

    holder: SpiffeId
    kind: str
    epoch: int
    catalogue: bytes
    rows: int
    bins: tuple[int, ...]

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical_json(
            {
                "format": FORMAT,
                "holder": str(self.holder),
                "kind": self.kind,
                "epoch": self.epoch,
                "catalogue": b64(self.catalogue),
                "rows": self.rows,
                "bins": self.bins,
            }
        )


def column_parts(header: ColumnHeader, bins: Bins, known: Known) -> Iterator[bytes]:
    """The file in pieces: `bins` has shape (features, rows), `known` (rows,)."""
    raw = header.encode()
    yield _MAGIC + len(raw).to_bytes(4, "big") + raw
    for count, column in zip(header.bins, bins, strict=True):
        yield column.astype(_type(count)).tobytes()
    yield np.packbits(known).tobytes()


def write_columns(path: Path, header: ColumnHeader, bins: Bins, known: Known, salt: bytes) -> bytes:
    """Writes a new file, synced, closed to others; SHA-256 of `salt` and its bytes.

    Raises OSError, as when the disk is full; the caller removes what was written.
    """
    digest = hashlib.sha256(salt)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for part in column_parts(header, bins, known):
            digest.update(part)
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
    return digest.digest()


class ColumnFile:
    """A column file, mapped into memory; buckets are read as they are asked for."""

    def __init__(self, path: Path, salt: bytes, data_hash: bytes) -> None:
        """Raises HolderError unless the file is the one that `data_hash` commits to."""
        try:
            digest = hashlib.sha256(salt)
            with path.open("rb") as file:
                while part := file.read(1 << 20):
                    digest.update(part)
            if digest.digest() != data_hash:
                raise HolderError(f"{path} is not what the manifest commits to; restore it")
            raw: NDArray[np.uint8] = np.memmap(path, dtype=np.uint8, mode="r")
            length = int.from_bytes(raw[4:8].tobytes(), "big")
            header: Any = parse_canonical(raw[8 : 8 + length].tobytes(), _HEADER_BYTES)
            self.rows = int(header["rows"])
            self.bins = tuple(int(count) for count in header["bins"])
        except (OSError, ValueError, KeyError, TypeError, DocumentError) as error:
            raise HolderError(f"{path} cannot be read as a column file; restore it") from error
        offset = 8 + length
        self._columns: list[NDArray[Any]] = []
        for count in self.bins:
            size = self.rows * _type(count).itemsize
            self._columns.append(raw[offset : offset + size].view(_type(count)))
            offset += size
        self._known = raw[offset:]

    def bucket(self, bucket: int) -> tuple[Bins, NDArray[np.uint64]]:
        """Bins, uint16 of shape (features, 8192), and 1 on known rows, uint64 of shape (8192,).

        Rows beyond the file are `missing` and not known, as those of unknown firms are.
        """
        start = bucket * ROWS
        end = min(start + ROWS, self.rows)
        bins = np.zeros((len(self.bins), ROWS), dtype=np.uint16)
        known = np.zeros(ROWS, dtype=np.uint64)
        for index, column in enumerate(self._columns):
            bins[index, : end - start] = column[start:end]
        # A bucket begins on a whole byte: 8192 is a multiple of 8.
        bits = np.unpackbits(self._known[start // 8 : -(-end // 8)])
        known[: end - start] = bits[: end - start]
        return bins, known


def _type(bins: int) -> np.dtype[Any]:
    return np.dtype(np.uint8) if bins <= _BYTE_BINS else np.dtype("<u2")
