"""The running node's look at its own log: is what is stored what was checkpointed?

Each step re-hashes the end of the log, then some tiles of 256 entries from their bytes, from the
newest backwards and round again, up to the node above them, and re-derives some older checkpoints.
A log of fewer tiles than it is told to look at is looked at as a whole.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from sqlalchemy import Connection

from federation.identity import SpiffeId
from federation.merkle import root_of
from federation.tlog.checkpoint import Checkpoint, origin_of
from federation.tlog.tiles import TILE_WIDTH
from node.log.checkpoints import newest, read_note, select_checkpoints, signed_with
from node.log.faults import Covering, Fault, entries_fault, node_fault, stored_entries
from node.log.hashes import StoredTree, edge_at, require_hashes
from node.log.tables import log_checkpoints
from node.storage.store import Store

TILES_AT_ONCE: Final = 8
"""Tiles in one snapshot: between them other readers get their turn."""
CHECKPOINTS: Final = 128


class Patrol:
    """Goes round one log; where it stands is not kept over a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tile = -1
        """The next full tile to look at; below zero, the newest."""
        self._size = -1
        """The next older checkpoint is the largest up to this size; below zero, the newest."""

    async def step(self, log: SpiffeId, public: bytes, tiles: int) -> None:
        """Looks at up to `tiles` full tiles. Raises LogError that names the first fault."""
        covering = await self._store.read(lambda connection: _end(connection, log))
        if covering is None:
            return
        full = covering.size // TILE_WIDTH
        remaining = min(tiles, full)
        while remaining > 0:
            if not 0 <= self._tile < full:
                self._tile = full - 1
            stop = self._tile + 1
            start = max(0, stop - min(remaining, TILES_AT_ONCE))
            await self._store.read(partial(_tiles, start=start, stop=stop, covering=covering))
            self._tile = start - 1
            remaining -= stop - start
        largest = self._size if self._size >= 0 else covering.size
        self._size = await self._store.read(lambda c: _checkpoints(c, log, public, largest))


def _end(connection: Connection, log: SpiffeId) -> Covering | None:
    """The newest checkpoint, once the right edge of the tree, re-hashed, gives its root."""
    signed = newest(connection)
    if signed is None:
        return None
    covering = Covering(signed.size, signed.root)
    if signed.text != Checkpoint(origin_of(log), *covering).text():
        raise Fault(f"checkpoint of size {signed.size}", "its note is of another tree").error()
    start = signed.size - signed.size % TILE_WIDTH
    rows = stored_entries(connection, start, signed.size)
    fault = entries_fault(connection, rows, start, signed.size, covering)
    if fault is None and edge_at(connection, signed.size).root != signed.root:
        fault = Fault(f"checkpoint of size {signed.size}", "the stored tree has another root")
    if fault is not None:
        raise fault.error()
    return covering


def _tiles(connection: Connection, start: int, stop: int, covering: Covering) -> None:
    for number in range(stop - 1, start - 1, -1):
        first = number * TILE_WIDTH
        rows = stored_entries(connection, first, first + TILE_WIDTH)
        fault = entries_fault(connection, rows, first, first + TILE_WIDTH, covering)
        if fault is None:
            below = [row.leaf_hash for row in rows]
            fault = node_fault(connection, 1, number, below, covering)
        if fault is None:
            fault = _above(connection, number, covering)
        if fault is not None:
            raise fault.error()


def _above(connection: Connection, number: int, covering: Covering) -> Fault | None:
    """The nodes above tile `number`, looked at with the first tile that is below them."""
    level, count = 1, covering.size // TILE_WIDTH
    while number % TILE_WIDTH == 0 and number + TILE_WIDTH <= count:
        below = require_hashes(connection, level, number, number + TILE_WIDTH)
        number, count, level = number // TILE_WIDTH, count // TILE_WIDTH, level + 1
        fault = node_fault(connection, level, number, below, covering)
        if fault is not None:
            return fault
    return None


def _checkpoints(connection: Connection, log: SpiffeId, public: bytes, largest: int) -> int:
    """Re-derives checkpoints up to that size; returns where to go on, -1 at the end."""
    table = log_checkpoints.c
    rows = connection.execute(
        select_checkpoints()
        .where(table.size <= largest)
        .order_by(table.size.desc())
        .limit(CHECKPOINTS)
    ).all()
    tree = StoredTree(connection)
    for row in rows:
        where = f"checkpoint of size {row.size}"
        if root_of(row.size, tree) != row.root:
            raise Fault(where, "the stored tree has another root").error()
        note = read_note(row.size, row.note)
        if note.text != Checkpoint(origin_of(log), row.size, row.root).text():
            raise Fault(where, "its note is of another tree").error()
        signed_with(row.size, note, origin_of(log), public)
    return rows[-1].size - 1 if len(rows) == CHECKPOINTS else -1
