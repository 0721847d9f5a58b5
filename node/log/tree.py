"""The Merkle tree over a node's entries: checkpoints, tiles, proofs.

A checkpoint is made within one unit of work, over every entry that is durable with it: writers of
all processes take turns, the size is a key, and Ed25519 is deterministic, so that two processes
that make one at once give the same. It is made from the entries' bytes, and only where the stored
tree still has the root that the newest checkpoint before it says. What is served comes as it is
stored, so that whoever reads a log sees what an editor of the database left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from sqlalchemy import Connection, insert, select

from federation.errors import DocumentError
from federation.identity import SpiffeId
from federation.merkle import HashReader, consistency_path, inclusion_path
from federation.signed import SigningKey
from federation.tlog.checkpoint import Checkpoint, origin_of
from federation.tlog.tiles import TILE_WIDTH, encode_bundle
from node.errors import LogError
from node.log.attachments import attachments_of, encode_attachments
from node.log.checkpoints import SignedCheckpoint, keep, newest, newest_cosigned, with_key
from node.log.edge import Edge, Node
from node.log.faults import Covering, entries_fault, stored_entries
from node.log.hashes import StoredTree, edge_at, require_hashes
from node.log.patrol import Patrol
from node.log.query_log import QueryLog
from node.log.tables import log_checkpoints, log_nodes
from node.storage.schema import log_entries
from node.storage.store import Store

PORTION: Final = 16 * 1024
"""Most entries that one unit of work adds to the tree: other writers wait for it."""
PATROL_TILES: Final = 768
"""At a call every ten seconds, a log of a million entries is looked at within a minute."""


class LogTree:
    """The tree of one node's log, over its store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._patrol = Patrol(store)

    # --- checkpoints ----------------------------------------------------------------------------

    async def checkpoint(self, key: SigningKey, log: SpiffeId, now: int) -> SignedCheckpoint:
        """The checkpoint over all entries, durable; `log` is whose log it is, `now` unix seconds.

        The newest one again when nothing was appended since. Raises LogError, naming the place,
        when an entry or the tree is no longer what it was; StorageUnavailable.
        """
        while True:
            signed, whole = await self._store.run(lambda c: extend(c, key, log, now))
            if whole:
                return signed

    async def latest(self) -> SignedCheckpoint | None:
        """The newest checkpoint; None before the first."""
        return await self._store.read(newest)

    async def has_checkpoint(self, size: int) -> bool:
        """Whether this node has made a checkpoint of that size."""
        query = select(log_checkpoints.c.size).where(log_checkpoints.c.size == size)
        return await self._store.read(lambda c: c.execute(query).first() is not None)

    async def cosigned(self, quorum: int) -> SignedCheckpoint | None:
        """The newest checkpoint that at least `quorum` witnesses have cosigned."""
        return await self._store.read(lambda connection: newest_cosigned(connection, quorum))

    async def time_of(self, index: int) -> int | None:
        """When entry `index` was appended, unix seconds; None when there is no such entry."""
        query = select(log_entries.c.time).where(log_entries.c.index == index)
        return await self._store.read(lambda c: c.execute(query).scalar_one_or_none())

    # --- proofs ---------------------------------------------------------------------------------

    @staticmethod
    def reader(connection: Connection) -> HashReader:
        """Hashes of complete subtrees as `connection` sees them; it raises LogError."""
        return StoredTree(connection)

    async def prove(self, index: int, at: int) -> tuple[bytes, ...]:
        """The inclusion path of entry `index` in the tree of size `at`, a checkpoint's.

        Raises LogError when the tree has no such entry.
        """
        return await self._path(lambda read: inclusion_path(index, at, read))

    async def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """The proof that the tree of size `new` extends that of `old`. Raises LogError."""
        return await self._path(lambda read: consistency_path(old, new, read))

    async def _path(self, find: Callable[[HashReader], tuple[bytes, ...]]) -> tuple[bytes, ...]:
        try:
            return await self._store.read(lambda connection: find(StoredTree(connection)))
        except DocumentError as error:
            raise LogError(str(error)) from error

    # --- what is served -------------------------------------------------------------------------

    async def tile(self, level: int, index: int, width: int = TILE_WIDTH) -> bytes:
        """A hash tile of `width` (1 to 256) hashes. Raises LogError where it has not as many."""
        start = index * TILE_WIDTH
        return b"".join(
            await self._store.read(lambda c: require_hashes(c, level, start, start + width))
        )

    async def bundle(self, index: int, width: int = TILE_WIDTH) -> bytes:
        """An entry bundle of `width` entries. Raises LogError where there are not as many."""
        start = index * TILE_WIDTH
        entries = await self._store.read(lambda c: _entries(c, start, start + width))
        if len(entries) < width:
            raise LogError(f"entry {start + len(entries)} is not in the log")
        return encode_bundle(entries)

    async def attachments(self, index: int) -> bytes:
        """What is kept of what the entries of bundle `index` name, in order of first mention."""
        start = index * TILE_WIDTH
        kept = await self._store.read(
            lambda c: attachments_of(c, _entries(c, start, start + TILE_WIDTH))
        )
        return encode_attachments(kept)

    # --- the node's own look at it --------------------------------------------------------------

    async def patrol(self, log: SpiffeId, public: bytes, tiles: int = PATROL_TILES) -> None:
        """Looks whether what is stored is what was checkpointed: see `node.log.patrol`.

        `public` is the key of the log's owner now; notes under its earlier keys are for `fsck`.
        Up to `tiles` tiles of 256 entries a call; the end of the log at every call. Raises LogError
        that names the first fault.
        """
        await self._patrol.step(log, public, tiles)


def extend(
    connection: Connection, key: SigningKey, log: SpiffeId, now: int
) -> tuple[SignedCheckpoint, bool]:
    """The next checkpoint, and whether it covers every entry, within one unit of work.

    Raises LogError as `LogTree.checkpoint` does.
    """
    last, size = newest(connection), QueryLog.size_in(connection)
    if last is None:
        edge, covering = Edge(), None
    else:
        last = with_key(connection, last, log, key)
        if size == last.size:
            return last, True
        if size < last.size:
            raise LogError(f"entry {size}: is missing; a checkpoint of size {last.size} covers it")
        edge, covering = edge_at(connection, last.size), Covering(last.size, last.root)
        if edge.root != last.root:
            raise LogError(f"the stored tree has not the root of the checkpoint of {last.size}")
    stop = min(size, edge.size + PORTION)
    nodes: list[Node] = []
    for leaf in _checked_leaves(connection, edge.size, stop, covering):
        nodes += edge.append(leaf)
    if nodes:
        connection.execute(
            insert(log_nodes),
            [{"level": node.level, "index": node.number, "hash": node.hash} for node in nodes],
        )
    checkpoint = Checkpoint(origin_of(log), edge.size, edge.root)
    return keep(connection, checkpoint, key, now), stop == size


def _checked_leaves(
    connection: Connection, start: int, stop: int, covering: Covering | None
) -> Iterator[bytes]:
    for begin in range(start, stop, TILE_WIDTH * 4):
        end = min(stop, begin + TILE_WIDTH * 4)
        rows = stored_entries(connection, begin, end)
        fault = entries_fault(connection, rows, begin, end, covering)
        if fault is not None:
            raise fault.error()
        yield from (row.leaf_hash for row in rows)


def _entries(connection: Connection, start: int, stop: int) -> list[bytes]:
    """The bytes of the entries from `start` on, as far as they are there in order."""
    found: list[bytes] = []
    for row in stored_entries(connection, start, stop):
        if row.index != start + len(found):
            break
        found.append(row.entry)
    return found
