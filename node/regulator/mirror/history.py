"""Whether a checkpoint continues what its log has shown before, and which part does not fit.

Everything is decided by hashes: a checkpoint with its owner's signature and another root for a size
that was established before is a second view of the log, and both notes prove it. Hashes that do
not lead to the signed root are an edit of what the log keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from federation.audit.findings import FindingKind
from federation.errors import DocumentError
from federation.merkle import (
    HASH_BYTES,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from federation.merkle import root as subtree_root
from federation.tlog.checkpoint import Checkpoint
from federation.tlog.tiles import (
    TILE_WIDTH,
    Tile,
    TileReader,
    split_tile,
    tile_path,
    tiles_for_consistency,
    tiles_for_inclusion,
    tiles_for_root,
    width_of,
)
from node.regulator.mirror.source import LogSource
from node.regulator.mirror.suspicion import Suspicion, broken


class ServedTree:
    """The tree under one checkpoint as its log serves it, tile by tile; tiles are kept."""

    def __init__(self, source: LogSource, checkpoint: Checkpoint) -> None:
        self._source = source
        self._checkpoint = checkpoint
        self._tiles: dict[tuple[int, int], bytes] = {}

    async def reader(self, tiles: Iterable[Tile]) -> TileReader:
        """A reader that has `tiles`."""
        for tile in tiles:
            if (tile.level, tile.number) not in self._tiles:
                raw = await self._source.tile(*tile)
                self._tiles[tile.level, tile.number] = raw
        return TileReader(self._tiles)

    async def leaves(self, number: int) -> tuple[bytes, ...]:
        """The leaf hashes of entry bundle `number`."""
        width = width_of(0, number, self._checkpoint.size)
        await self.reader([Tile(0, number, width)])
        return split_tile(self._tiles[0, number], width)

    async def extends(self, size: int, root: bytes) -> bool:
        """Whether the checkpoint's tree begins with that of `size` with `root`, by its tiles."""
        new = self._checkpoint
        reader = await self.reader(tiles_for_consistency(size, new.size))
        try:
            path = consistency_path(size, new.size, reader)
            verify_consistency(size, new.size, root, new.root, path)
        except DocumentError:
            return False
        return True

    async def leads(self, index: int, leaf: bytes) -> bool:
        """Whether `leaf` is leaf `index` of the checkpoint's tree, by its tiles."""
        size = self._checkpoint.size
        reader = await self.reader(tiles_for_inclusion(index, size))
        try:
            path = inclusion_path(index, size, reader)
            verify_inclusion(leaf, index, size, path, self._checkpoint.root)
        except DocumentError:
            return False
        return True

    async def fault(self) -> str:
        """The first hash of the tiles that were read that does not lead to the checkpoint's root;
        nothing when all of them do.
        """
        size = self._checkpoint.size
        try:
            reader = await self.reader(tiles_for_root(size))
            waiting = list(self._tiles)
            while waiting:
                level, number = waiting.pop()
                above, position = divmod(number, TILE_WIDTH)
                width = width_of(level + 1, above, size)
                if position >= width:
                    continue  # not full yet: the root is made of its hashes
                if (level + 1, above) not in self._tiles:
                    await self.reader([Tile(level + 1, above, width)])
                    waiting.append((level + 1, above))
                stored = self._tiles[level + 1, above][position * HASH_BYTES :][:HASH_BYTES]
                if subtree_root(split_tile(self._tiles[level, number], TILE_WIDTH)) != stored:
                    return f"{tile_path(level + 1, above, width)} hash {position}"
            led = root_of(size, reader) == self._checkpoint.root
        except DocumentError as error:
            return str(error)
        return "" if led else f"root of {size} entries"


async def inconsistent(
    tree: ServedTree, old: Checkpoint, new: Checkpoint, *notes: bytes
) -> Suspicion:
    """Why the tree of `new` does not extend `old`: tiles that were edited, or a second view."""
    fault = await tree.fault()
    if not fault:
        problem = f"the log of {new.size} entries does not begin with that of {old.size}"
        return Suspicion(FindingKind.LOG_FORK, f"checkpoint of size {new.size}", problem, *notes)
    return broken(fault, f"does not lead to the checkpoint of {new.size} entries", *notes)


async def misfit(
    tree: ServedTree, number: int, entries: Sequence[bytes], size: int, *notes: bytes
) -> Suspicion:
    """Why the entries of bundle `number` do not give the root of their checkpoint."""
    leaves = await tree.leaves(number)
    for position, (raw, stored) in enumerate(zip(entries, leaves, strict=False)):
        if leaf_hash(raw) == stored:
            continue
        index = number * TILE_WIDTH + position
        if await tree.leads(index, leaf_hash(raw)):
            return broken(
                f"leaf {index}", f"hash {position} of {tile_path(0, number)} is changed", *notes
            )
        return broken(f"entry {index}", "is not what its leaf hash stands for", *notes)
    where = f"checkpoint of size {size}"
    return broken(where, f"entries and leaf hashes of bundle {number} do not lead to it", *notes)
