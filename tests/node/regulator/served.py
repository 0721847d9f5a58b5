"""A log as its owner serves it, honest or not, and a regulator's store that mirrors it."""

from __future__ import annotations

from dataclasses import dataclass, field

from federation.entries import Kind, entry
from federation.errors import DocumentError
from federation.identity import Role, SpiffeId
from federation.merkle import leaf_hash, root
from federation.signed import SigningKey
from federation.tlog.checkpoint import Checkpoint, cosign, origin_of, sign_checkpoint
from federation.tlog.tiles import TILE_WIDTH
from node.regulator.mirror.follower import Watch

HUB = SpiffeId("csj.yinxin.example", Role.HUB, "hub")
TAX = SpiffeId("csj.yinxin.example", Role.HOLDER, "tax-1")
POWER = SpiffeId("csj.yinxin.example", Role.HOLDER, "power-1")
GRACE = 60
NOW = 1_800_000_000


def entries(count: int, start: int = 0) -> list[bytes]:
    """Entries of a hub's log, one a second."""
    return [
        entry(Kind.REFUSAL, NOW - 10_000 + number, reason="none", reference=f"{number:08x}")
        for number in range(start, start + count)
    ]


@dataclass
class ServedLog:
    """The hub's log. `entries` and `leaves` are what it serves: a test edits either."""

    key: SigningKey = field(default_factory=SigningKey.generate)
    witnesses: dict[SpiffeId, SigningKey] = field(
        default_factory=lambda: {TAX: SigningKey.generate(), POWER: SigningKey.generate()}
    )
    entries: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """Stored hashes above the leaves that were edited, by level and number."""
    note: bytes = b""
    cosigned: bool = True
    own_fault: str = ""
    owner: SpiffeId = HUB

    def grow(self, more: list[bytes]) -> None:
        """Honest growth: entries, their leaf hashes, and a checkpoint."""
        self.entries += more
        self.leaves += map(leaf_hash, more)
        self.sign()

    def sign(self) -> None:
        """Signs a checkpoint over the leaves as they are."""
        checkpoint = Checkpoint(origin_of(self.owner), len(self.leaves), root(self.leaves))
        note = sign_checkpoint(checkpoint, self.key)
        if self.cosigned:
            lines = [cosign(note, w, key, NOW) for w, key in self.witnesses.items()]
            note = note.adding(tuple(lines))
        self.note = note.encode()

    def watch(self, again: int = 4) -> Watch:
        public = {witness: key.public for witness, key in self.witnesses.items()}
        return Watch(self.key.public, public, GRACE, again)

    # --- what a LogSource has -----------------------------------------------------------------

    async def checkpoint(self) -> bytes:
        return self.note

    async def fault(self) -> str:
        return self.own_fault

    async def tile(self, level: int, index: int, width: int = TILE_WIDTH) -> bytes:
        hashes = self._level(level)[index * TILE_WIDTH :][:width]
        if len(hashes) < width:
            raise DocumentError("tile", "there is no such tile")
        return b"".join(hashes)

    async def bundle(self, index: int, width: int = TILE_WIDTH) -> tuple[bytes, ...]:
        return tuple(self.entries[index * TILE_WIDTH :][:width])

    async def attachments(self, index: int) -> dict[bytes, bytes]:
        return {}

    async def close(self) -> None:
        return None

    def _level(self, level: int) -> list[bytes]:
        hashes = self.leaves
        for above in range(1, level + 1):
            full = len(hashes) // TILE_WIDTH
            hashes = [
                self.nodes.get((above, n), root(hashes[n * TILE_WIDTH :][:TILE_WIDTH]))
                for n in range(full)
            ]
        return hashes
