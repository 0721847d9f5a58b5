"""What is wrong with a stored log, and where: found from what is stored beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from federation.errors import DocumentError
from federation.merkle import inclusion_path, leaf_hash, verify_inclusion
from federation.merkle import root as tree_root
from federation.tlog.tiles import TILE_WIDTH
from node.errors import LogError
from node.log.hashes import StoredTree, name_of, require_hashes
from node.log.query_log import LogEntry, read_entries, select_entries
from node.storage.schema import log_entries


@dataclass(frozen=True)
class Fault:
    """One place of the log (`entry 17`, `node 1/0`, `checkpoint of size 300`) and what it has."""

    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"

    def error(self) -> LogError:
        """As the running node raises it."""
        return LogError(f"{self}; stop the node and restore its database")


class Covering(NamedTuple):
    """The tree that decides who is right: size and root of a checkpoint."""

    size: int
    root: bytes


def stored_entries(connection: Connection, start: int, stop: int) -> list[LogEntry]:
    """The rows from `start` to before `stop`, in order."""
    index = log_entries.c.index
    query = select_entries().where(index >= start, index < stop).order_by(index)
    return read_entries(connection, query)


def entries_fault(
    connection: Connection,
    rows: Sequence[LogEntry],
    start: int,
    stop: int,
    covering: Covering | None,
) -> Fault | None:
    """The first of the entries from `start` to before `stop` that is missing or changed."""
    for offset, row in enumerate(rows):
        index = start + offset
        if row.index != index:
            return Fault(f"entry {index}", "is missing")
        computed = leaf_hash(row.entry)
        if computed != row.leaf_hash:
            return _entry_fault(connection, index, computed, row.leaf_hash, covering)
    if len(rows) < stop - start:
        return Fault(f"entry {start + len(rows)}", "is missing")
    return None


def node_fault(
    connection: Connection, level: int, index: int, below: Sequence[bytes], covering: Covering
) -> Fault | None:
    """Whether node (level, index) is the root of the 256 hashes `below` it, and if not, why."""
    try:
        (stored,) = require_hashes(connection, level, index, index + 1)
    except LogError:
        return Fault(name_of(level, index), "is missing")
    if stored == tree_root(below):
        return None
    first = index * TILE_WIDTH**level
    leaf = require_hashes(connection, 0, first, first + 1)[0]
    if _leads(connection, first, leaf, covering):
        return Fault(name_of(level, index), "is not the hash of what is below it")
    start, last = index * TILE_WIDTH, (index + 1) * TILE_WIDTH - 1
    where = f"{name_of(level - 1, start)} to {last}"
    return Fault(where, f"one of them is not what was checkpointed as {name_of(level, index)}")


def _entry_fault(
    connection: Connection, index: int, computed: bytes, stored: bytes, covering: Covering | None
) -> Fault:
    where = f"entry {index}"
    if covering is None or index >= covering.size:
        return Fault(where, "its bytes and its leaf hash differ")
    if _leads(connection, index, stored, covering):
        return Fault(where, "its bytes are not those that were logged")
    if _leads(connection, index, computed, covering):
        return Fault(where, "its leaf hash is changed, its bytes are not")
    return Fault(where, "its bytes and its leaf hash differ, and other hashes are changed, too")


def _leads(connection: Connection, index: int, leaf: bytes, covering: Covering) -> bool:
    """Whether `leaf` at `index`, with the stored hashes beside its path, gives the root."""
    try:
        path = inclusion_path(index, covering.size, StoredTree(connection))
        verify_inclusion(leaf, index, covering.size, path, covering.root)
    except (DocumentError, LogError):
        return False
    return True
