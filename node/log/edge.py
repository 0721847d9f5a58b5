"""The right edge of a log's tree: what it takes to extend it, and its root.

The tree is cut into tiles of height 8 (C2SP tlog-tiles): a node of level L is the root of a
complete subtree of 256^L leaves. Of each level the edge holds the hashes that are in no full tile
yet, as a frontier, so that it has a few kilobytes however long the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from federation.merkle import Frontier
from federation.tlog.tiles import TILE_WIDTH


class Node(NamedTuple):
    """The root of the complete subtree of 256^level leaves from number · 256^level on."""

    level: int
    number: int
    hash: bytes


class Edge:
    """A tree that grows leaf by leaf."""

    def __init__(self, levels: Sequence[Sequence[bytes]] = ()) -> None:
        """`levels`: the hashes of each level's tile that is not full (up to 255), leaves first."""
        self._levels = [Frontier().extended(hashes) for hashes in levels]
        self.size = sum(
            level.size * TILE_WIDTH**height for height, level in enumerate(self._levels)
        )
        """Number of leaves."""

    def append(self, leaf: bytes) -> tuple[Node, ...]:
        """Adds a leaf by its hash; returns the nodes that got complete with it, lowest first."""
        self.size += 1
        if not self._levels:
            self._levels.append(Frontier())
        self._levels[0].append(leaf)
        return self._carry() if self.size % TILE_WIDTH == 0 else ()

    @property
    def root(self) -> bytes:
        """Merkle tree hash of all leaves so far."""
        peaks = [peak for level in reversed(self._levels) for peak in level.peaks]
        return Frontier.restored(self.size, peaks).root

    def _carry(self) -> tuple[Node, ...]:
        complete: list[Node] = []
        height, count = 0, self.size
        while self._levels[height].size == TILE_WIDTH:
            (carried,) = self._levels[height].peaks
            self._levels[height] = Frontier()
            height, count = height + 1, count // TILE_WIDTH
            complete.append(Node(height, count - 1, carried))
            if height == len(self._levels):
                self._levels.append(Frontier())
            self._levels[height].append(carried)
        return tuple(complete)
