"""The tree of a log in tiles: C2SP tlog-tiles.

A tile of level L holds up to 256 hashes, each the root of a complete subtree of 256^L leaves; an
entry bundle holds up to 256 entries, each after its length as u16, big-endian. A tile that is not
full yet is a partial one, named by its width, and disappears once there is a wider one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from federation.canonical import MAX_INTEGER
from federation.entries import MAX_ENTRY_BYTES
from federation.errors import DocumentError
from federation.merkle import (
    HASH_BYTES,
    HashReader,
    consistency_path,
    inclusion_path,
    root_of,
)
from federation.merkle import root as subtree_root

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
MAX_LEVEL: Final = 6
"""Enough for 2^56 entries; the specification allows 63 heights of one bit."""

_PATH: Final = re.compile(
    r"tile/(entries|[0-6])/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
)
_LENGTH_BYTES: Final = 2


class Tile(NamedTuple):
    """Where a tile stands and how many hashes it has, 1 to 256."""

    level: int
    number: int
    width: int


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """The path of a hash tile below a log's URL, such as `tile/1/x001/067.p/5`."""
    return f"tile/{level}/{_index_path(index)}{_width_path(width)}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """The path of an entry bundle below a log's URL."""
    return f"tile/entries/{_index_path(index)}{_width_path(width)}"


def parse_tile_path(path: str) -> tuple[int | None, int, int]:
    """Level (None for entries), index and width of a path. Raises DocumentError."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise DocumentError("path", "is not that of a tile")
    level = None if match[1] == "entries" else int(match[1])
    index = int("".join(part.removeprefix("x") for part in match[2].split("/")))
    width = TILE_WIDTH if match[3] is None else int(match[3])
    expected = entries_path(index, width) if level is None else tile_path(level, index, width)
    if expected != path:
        raise DocumentError("path", "is not the canonical one of its tile")
    if index > MAX_INTEGER // TILE_WIDTH or width > TILE_WIDTH:
        raise DocumentError("path", "is beyond what a log or a tile may have")
    return level, index, width


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """An entry bundle of 1 to 256 entries of at most 65,535 bytes each."""
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise DocumentError("bundle", f"of {len(entries)} entries; it has 1 to {TILE_WIDTH}")
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise DocumentError("bundle", f"has an entry of {len(entry)} bytes")
        parts += [len(entry).to_bytes(_LENGTH_BYTES, "big"), entry]
    return b"".join(parts)


def decode_bundle(raw: bytes) -> tuple[bytes, ...]:
    """The entries of a bundle. Raises DocumentError."""
    entries: list[bytes] = []
    position = 0
    while position < len(raw):
        start = position + _LENGTH_BYTES
        position = start + int.from_bytes(raw[start - _LENGTH_BYTES : start], "big")
        if start > len(raw) or position > len(raw):
            raise DocumentError("bundle", f"ends within entry {len(entries)}")
        entries.append(raw[start:position])
        if len(entries) > TILE_WIDTH:
            raise DocumentError("bundle", f"has more than {TILE_WIDTH} entries")
    return tuple(entries)


def split_tile(raw: bytes, width: int) -> tuple[bytes, ...]:
    """The hashes of a tile. Raises DocumentError unless there are `width`."""
    if len(raw) != width * HASH_BYTES:
        raise DocumentError("tile", f"has {len(raw)} bytes, not {width} hashes of 32")
    return tuple(raw[i : i + HASH_BYTES] for i in range(0, len(raw), HASH_BYTES))


def width_of(level: int, index: int, size: int) -> int:
    """How many hashes a tile has in a tree of `size`; 0 where there is no such tile."""
    hashes = size >> (TILE_HEIGHT * level)
    return max(0, min(TILE_WIDTH, hashes - index * TILE_WIDTH))


def tiles_of(size: int) -> Iterator[Tile]:
    """Every tile of a tree, level by level."""
    level = 0
    while size >> (TILE_HEIGHT * level):
        count = size >> (TILE_HEIGHT * level)
        for index in range(-(-count // TILE_WIDTH)):
            yield Tile(level, index, width_of(level, index, size))
        level += 1


def bundles_of(size: int, start: int = 0) -> Iterator[tuple[int, int]]:
    """Index and width of the entry bundles that hold entries `start` to `size`."""
    for index in range(start // TILE_WIDTH, -(-size // TILE_WIDTH)):
        yield index, width_of(0, index, size)


@dataclass(frozen=True)
class TileReader:
    """Hashes of complete subtrees out of tiles, by (level, index) of the tile: a HashReader."""

    tiles: Mapping[tuple[int, int], bytes]

    def __call__(self, level: int, index: int) -> bytes:
        """Raises DocumentError when the tiles do not have it."""
        height, span = level // TILE_HEIGHT, 1 << (level % TILE_HEIGHT)
        number, offset = divmod(index * span, TILE_WIDTH)
        raw = self.tiles.get((height, number), b"")
        part = raw[offset * HASH_BYTES : (offset + span) * HASH_BYTES]
        return subtree_root(split_tile(part, span))


def tiles_for_root(size: int) -> list[Tile]:
    """The tiles from which the root of a tree of `size` follows."""
    return _needed(size, lambda read: root_of(size, read))


def tiles_for_inclusion(index: int, size: int) -> list[Tile]:
    """The tiles that `inclusion_path` reads."""
    return _needed(size, lambda read: inclusion_path(index, size, read))


def tiles_for_consistency(old_size: int, new_size: int) -> list[Tile]:
    """The tiles that `consistency_path` reads."""
    return _needed(new_size, lambda read: consistency_path(old_size, new_size, read))


def _needed(size: int, use: Callable[[HashReader], object]) -> list[Tile]:
    found: dict[tuple[int, int], Tile] = {}

    def record(level: int, index: int) -> bytes:
        height, span = level // TILE_HEIGHT, 1 << (level % TILE_HEIGHT)
        number = index * span // TILE_WIDTH
        found[height, number] = Tile(height, number, width_of(height, number, size))
        return bytes(HASH_BYTES)

    use(record)
    return list(found.values())


def _index_path(index: int) -> str:
    digits = f"{index:0{-(-len(str(index)) // 3) * 3}d}"
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])


def _width_path(width: int) -> str:
    return "" if width == TILE_WIDTH else f".p/{width}"
