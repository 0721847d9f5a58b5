"""The stored hashes of a log's tree: leaves beside their entries, nodes in `log_nodes`."""

from __future__ import annotations

from sqlalchemy import Connection, select

from federation.merkle import root
from federation.tlog.tiles import TILE_HEIGHT, TILE_WIDTH
from node.errors import LogError
from node.log.edge import Edge
from node.log.tables import blob, log_nodes
from node.storage.schema import log_entries


def stored_hashes(connection: Connection, level: int, start: int, stop: int) -> list[bytes]:
    """The hashes of a level from `start` to before `stop`, as far as they are there in order."""
    index = log_entries.c.index
    query = select(index, blob(log_entries.c.leaf_hash))
    if level:
        index = log_nodes.c.index
        query = select(index, blob(log_nodes.c.hash)).where(log_nodes.c.level == level)
    rows = connection.execute(query.where(index >= start, index < stop).order_by(index)).all()
    found: list[bytes] = []
    for number, digest in rows:
        if number != start + len(found):
            break
        found.append(digest)
    return found


def require_hashes(connection: Connection, level: int, start: int, stop: int) -> list[bytes]:
    """`stored_hashes`, all of them. Raises LogError where one is missing."""
    found = stored_hashes(connection, level, start, stop)
    if len(found) < stop - start:
        raise LogError(f"{name_of(level, start + len(found))} is not in the log")
    return found


def name_of(level: int, index: int) -> str:
    """What messages call a hash of the tree."""
    return f"node {level}/{index}" if level else f"entry {index}"


class StoredTree:
    """Hashes of complete subtrees as one connection sees them: a HashReader.

    It reads each tile once; use one for a proof or a few, and let go of it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def __call__(self, level: int, index: int) -> bytes:
        """Raises LogError when the log does not have all of it."""
        height, span = level // TILE_HEIGHT, 1 << (level % TILE_HEIGHT)
        number, offset = divmod(index * span, TILE_WIDTH)
        part = self._tile(height, number)[offset : offset + span]
        if len(part) < span:
            missing = name_of(height, index * span + len(part))
            raise LogError(f"{missing} is not in the log")
        return root(part)

    def _tile(self, height: int, number: int) -> list[bytes]:
        if (height, number) not in self._tiles:
            start = number * TILE_WIDTH
            found = stored_hashes(self._connection, height, start, start + TILE_WIDTH)
            self._tiles[height, number] = found
        return self._tiles[height, number]


def edge_at(connection: Connection, size: int) -> Edge:
    """The right edge of the tree of `size` as it is stored. Raises LogError."""
    levels = []
    count, level = size, 0
    while count:
        start = count - count % TILE_WIDTH
        levels.append(require_hashes(connection, level, start, count))
        count, level = count // TILE_WIDTH, level + 1
    return Edge(levels)
