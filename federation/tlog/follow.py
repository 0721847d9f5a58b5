"""A whole log checked from its files: checkpoint, entry bundles, hash tiles. A fault ends it.

1. The checkpoint is signed by the log's owner.
2. A majority of the witnesses cosigned it, and nobody else's name stands under it.
3. Every entry bundle is there and holds as many entries as the checkpoint's size says.
4. Every hash tile is there and holds the hashes of the entries, and of the tiles below it.
5. The entries give the checkpoint's root.
6. Every entry is one that this version reads, and no time goes back.
7. The log extends every checkpoint of it that was known before.

`follow` does no IO: it is a generator that asks for one file after the other (`Wanted`) and is sent
its bytes, so that it serves a folder, a network and a test alike. What it keeps is a tile of each
level, however long the log.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Final

from federation.entries import Entry, read_entry
from federation.errors import DocumentError, SignatureInvalid
from federation.merkle import EMPTY_ROOT, Frontier, inclusion_path, leaf_hash, verify_inclusion
from federation.tlog.checkpoint import (
    Checkpoint,
    open_checkpoint,
    origin_of,
)
from federation.tlog.fault import LogFault, Step, Wanted
from federation.tlog.opening import Followed, LogKeys
from federation.tlog.tiles import (
    TILE_WIDTH,
    TileReader,
    bundles_of,
    decode_bundle,
    split_tile,
    tile_path,
    tiles_for_inclusion,
    width_of,
)

BACKWARDS: Final = 3600
"""How far an entry's time may lie before an earlier entry's, in seconds: it is taken when the work
begins that the entry records, and loading an epoch's data, say, lets much come in between."""

Following = Generator[Wanted, bytes, None]


def follow(followed: Followed, keys: LogKeys, earlier: Sequence[bytes] = ()) -> Following:
    """Steps 3 to 7 over what `open_log` (1 and 2) opened, filling `followed`. Raises LogFault.

    `earlier` are checkpoints of the same log, as anybody kept them, signed with its owner's key.
    """
    checkpoint = followed.checkpoint
    known = [_opened_earlier(raw, keys, checkpoint) for raw in earlier]
    tree, reader = _Tree(), _Entries(followed)
    for number, width in bundles_of(checkpoint.size):
        start = number * TILE_WIDTH
        bundle, tile = Wanted(None, number, width), Wanted(0, number, width)
        entries = _entries_of(bundle, (yield bundle))
        leaves = [leaf_hash(raw) for raw in entries]
        stored = _hashes_of(tile, (yield tile))
        for position, (computed, found) in enumerate(zip(leaves, stored, strict=True)):
            if computed != found:
                yield from _blame(checkpoint, start + position, computed, found)
        for position, raw in enumerate(entries):
            reader.take(start + position, raw)
        for old in known:
            if start < old.size <= start + width:
                _check_earlier(old, tree.root_with(leaves[: old.size - start]))
        yield from tree.add(leaves)
    yield from tree.finish()
    _check_root(checkpoint, tree.root)
    followed.earlier = tuple(sorted(old.size for old in known))


class _Tree:
    """The tree above the entries, tile by tile: what is not in a full tile yet of each level."""

    def __init__(self) -> None:
        self._full = Frontier()  # over the roots of full tiles of level 0
        self._rest: list[bytes] = []
        self._levels: list[list[bytes]] = []
        self._counts: list[int] = []

    def add(self, leaves: Sequence[bytes]) -> Following:
        """Adds a tile of level 0; a level above that got full with it is compared."""
        if len(leaves) < TILE_WIDTH:
            self._rest = list(leaves)
            return
        carried = Frontier().extended(leaves).root
        self._full.append(carried)
        level = 0
        while True:
            if level == len(self._levels):
                self._levels.append([])
                self._counts.append(0)
            pending = self._levels[level]
            pending.append(carried)
            if len(pending) < TILE_WIDTH:
                return
            yield from self._compare(level)
            carried = Frontier().extended(pending).root
            pending.clear()
            self._counts[level] += 1
            level += 1

    def finish(self) -> Following:
        """Compares the partial tiles above level 0."""
        for level, pending in enumerate(self._levels):
            if pending:
                yield from self._compare(level)

    def _compare(self, level: int) -> Following:
        pending, number = self._levels[level], self._counts[level]
        wanted = Wanted(level + 1, number, len(pending))
        found = _hashes_of(wanted, (yield wanted))
        for position, (computed, stored) in enumerate(zip(pending, found, strict=True)):
            if computed != stored:
                below = tile_path(level, number * TILE_WIDTH + position)
                where = f"{wanted.path} hash {position}"
                raise LogFault(Step.TILES, where, f"is not the hash of {below}")

    @property
    def root(self) -> bytes:
        """Root of all that was added."""
        return self.root_with(self._rest)

    def root_with(self, leaves: Sequence[bytes]) -> bytes:
        """Root of the full tiles so far with `leaves` (up to 256 hashes) after them."""
        size = self._full.size * TILE_WIDTH
        return Frontier.restored(size, self._full.peaks).extended(leaves).root


class _Entries:
    """Step 6, entry by entry."""

    def __init__(self, followed: Followed) -> None:
        self._followed = followed
        self._latest = 0

    def take(self, index: int, raw: bytes) -> None:
        """Raises LogFault for an entry that cannot be read or lies before what came before."""
        read = _read(index, raw)
        if read.time < self._latest - BACKWARDS:
            problem = f"its time lies {self._latest - read.time} s before an earlier entry's"
            raise LogFault(Step.ENTRIES, f"entry {index}", problem)
        self._latest = max(self._latest, read.time)
        first = self._followed.times[0] if self._followed.times else read.time
        self._followed.times = (first, read.time)
        self._followed.kinds[str(read.kind)] += 1


def _read(index: int, raw: bytes) -> Entry:
    try:
        return read_entry(raw)
    except DocumentError as error:
        raise LogFault(Step.ENTRIES, f"entry {index}", str(error)) from error


def _opened_earlier(raw: bytes, keys: LogKeys, checkpoint: Checkpoint) -> Checkpoint:
    try:
        old, _ = open_checkpoint(raw, origin_of(keys.log), keys.public)
    except (DocumentError, SignatureInvalid) as error:
        raise LogFault(Step.EARLIER, "earlier checkpoint", str(error)) from error
    if old.size > checkpoint.size:
        problem = f"was signed before; the log has shrunk to {checkpoint.size} entries"
        raise LogFault(Step.EARLIER, f"checkpoint of size {old.size}", problem)
    if old.size == 0:
        _check_earlier(old, EMPTY_ROOT)
    return old


def _check_earlier(old: Checkpoint, root: bytes) -> None:
    if old.root != root:
        problem = "was signed before with another root; the log's owner shows two histories"
        raise LogFault(Step.EARLIER, f"checkpoint of size {old.size}", problem)


def _check_root(checkpoint: Checkpoint, root: bytes) -> None:
    if root != checkpoint.root:
        where = f"checkpoint of size {checkpoint.size}"
        raise LogFault(Step.ROOT, where, "its root is not that of the entries and tiles")


def _entries_of(wanted: Wanted, raw: bytes) -> tuple[bytes, ...]:
    try:
        entries = decode_bundle(raw)
    except DocumentError as error:
        raise LogFault(Step.BUNDLES, wanted.path, str(error)) from error
    if len(entries) != wanted.width:
        problem = f"holds {len(entries)} entries, not {wanted.width}"
        raise LogFault(Step.BUNDLES, wanted.path, problem)
    return entries


def _hashes_of(wanted: Wanted, raw: bytes) -> tuple[bytes, ...]:
    try:
        return split_tile(raw, wanted.width)
    except DocumentError as error:
        raise LogFault(Step.TILES, wanted.path, str(error)) from error


def _blame(checkpoint: Checkpoint, index: int, leaf: bytes, stored: bytes) -> Following:
    """Entry and tile disagree: which of them leads to the checkpoint's root?

    Raises LogFault always, at the one that does not.
    """
    size = checkpoint.size
    tiles: dict[tuple[int, int], bytes] = {}
    for tile in tiles_for_inclusion(index, size):
        wanted = Wanted(*tile)
        raw = yield wanted
        _hashes_of(wanted, raw)
        tiles[tile.level, tile.number] = raw
    path = inclusion_path(index, size, TileReader(tiles))

    def leads(hash_: bytes) -> bool:
        try:
            verify_inclusion(hash_, index, size, path, checkpoint.root)
        except DocumentError:
            return False
        return True

    number, position = divmod(index, TILE_WIDTH)
    where = f"{tile_path(0, number, width_of(0, number, size))} hash {position}"
    if leads(leaf):
        raise LogFault(Step.TILES, where, f"is not the hash of entry {index}, which is unchanged")
    problem = f"is not what {where} stands for"
    if not leads(stored):
        problem += "; other hashes are changed, too"
    raise LogFault(Step.BUNDLES, f"entry {index}", problem)
