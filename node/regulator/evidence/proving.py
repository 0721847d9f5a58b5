"""tlog-proofs of mirrored entries, under the newest mirrored checkpoint that a quorum cosigned.

The regulator keeps no tree of other members' logs: it is computed from the entries themselves, in
one pass over a log, so that what is proved is what is kept. Memory is one hash for 256 entries.
"""

from __future__ import annotations

from sqlalchemy import Connection

from federation.merkle import EMPTY_ROOT, inclusion_path, leaf_hash, root_of
from federation.merkle import root as subtree_root
from federation.tlog.proof import TlogProof
from federation.tlog.tiles import TILE_HEIGHT, TILE_WIDTH
from node.regulator.errors import RegulatorError
from node.regulator.mirror.books import MirroredLog, mirrored


class MirroredTree:
    """The Merkle tree of a mirrored log up to its cosigned checkpoint."""

    def __init__(self, connection: Connection, log: MirroredLog) -> None:
        """Raises RegulatorError when the entries do not give what the mirror established."""
        self.log = log
        self._connection = connection
        size = log.cosigned_size
        self._full = [subtree_root(self._leaves(tile)) for tile in range(size // TILE_WIDTH)]
        root = root_of(size, self._read)
        if log.size == size and root != log.root:
            raise RegulatorError(f"mirrored entries of {log.log} are not those that it established")

    @property
    def size(self) -> int:
        """Entries that can be proved."""
        return self.log.cosigned_size

    @property
    def root(self) -> bytes:
        """Root of the tree of these entries."""
        return root_of(self.size, self._read) if self.size else EMPTY_ROOT

    def proof(self, index: int) -> bytes:
        """The tlog-proof of an entry below `size`."""
        if self.log.cosigned_note is None:
            raise RegulatorError(f"no checkpoint of {self.log.log} is cosigned yet")
        path = inclusion_path(index, self.size, self._read)
        return TlogProof(index, path, self.log.cosigned_note).encode()

    def _leaves(self, tile: int) -> list[bytes]:
        start = tile * TILE_WIDTH
        stop = min(start + TILE_WIDTH, self.size)
        return [leaf_hash(raw) for raw in mirrored(self._connection, self.log.log, start, stop)]

    def _read(self, level: int, index: int) -> bytes:
        if level >= TILE_HEIGHT:
            span = 1 << (level - TILE_HEIGHT)
            return subtree_root(self._full[index * span : (index + 1) * span])
        start = index << level
        stop = start + (1 << level)
        raws = mirrored(self._connection, self.log.log, start, stop)
        return subtree_root(leaf_hash(raw) for raw in raws)
