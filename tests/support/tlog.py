"""Small transparency logs in memory: their files as an export has them, and verifying those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from federation.entries import Kind, entry
from federation.identity import Role, SpiffeId
from federation.merkle import Frontier, HashReader, leaf_hash, root
from federation.signed import SigningKey
from federation.tlog.checkpoint import Checkpoint, cosign, origin_of, sign_checkpoint
from federation.tlog.fault import LogFault, Step, Wanted
from federation.tlog.follow import follow
from federation.tlog.note import COSIGNATURE, ED25519, Note, vkey
from federation.tlog.opening import Followed, LogKeys, open_log
from federation.tlog.tiles import TILE_WIDTH, bundles_of, encode_bundle, tile_path, tiles_of

DOMAIN = "csj.yinxin.example"
LOG = SpiffeId(DOMAIN, Role.HUB, "hub")
START = 1_790_000_000
Files = dict[str, bytes]


def entries(count: int, start: int = 0) -> list[bytes]:
    """Short entries, one a second."""
    return [entry(Kind.CLOSED, START + i, epoch=i) for i in range(start, start + count)]


@dataclass
class Owner:
    """A log's owner and its witnesses, with all their private keys."""

    log: SpiffeId = LOG
    key: SigningKey = field(default_factory=lambda: SigningKey.from_bytes(bytes([1]) * 32))
    witnesses: Mapping[SpiffeId, SigningKey] = field(
        default_factory=lambda: {
            SpiffeId(DOMAIN, Role.HOLDER, name): SigningKey.from_bytes(bytes([number]) * 32)
            for number, name in enumerate(("courts", "power", "tax"), start=2)
        }
    )

    @property
    def keys(self) -> LogKeys:
        public = {witness: key.public for witness, key in self.witnesses.items()}
        return LogKeys(self.log, self.key.public, public)

    @property
    def vkeys(self) -> list[str]:
        """The owner's, then the witnesses'."""
        found = [vkey(origin_of(self.log), ED25519, self.key.public)]
        for witness, key in self.witnesses.items():
            found.append(vkey(origin_of(witness), COSIGNATURE, key.public))
        return found

    def checkpoint(self, size: int, root_: bytes, cosigners: int | None = None) -> bytes:
        """A checkpoint with that many cosignatures (of all witnesses if None)."""
        note: Note = sign_checkpoint(Checkpoint(origin_of(self.log), size, root_), self.key)
        signers = list(self.witnesses.items())[:cosigners]
        return note.adding([cosign(note, who, key, START) for who, key in signers]).encode()

    def files(self, raws: Sequence[bytes], cosigners: int | None = None) -> Files:
        """The export of a log with these entries."""
        leaves = [leaf_hash(raw) for raw in raws]
        files = {"checkpoint": self.checkpoint(len(raws), root(leaves), cosigners)}
        for number, width in bundles_of(len(raws)):
            start = number * TILE_WIDTH
            path = Wanted(None, number, width).path
            files[path] = encode_bundle(raws[start : start + width])
        return files | tile_files(leaves)


def levels_of(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """Hashes of complete subtrees of 256^L leaves, for each L."""
    levels = [list(leaves)]
    while len(levels[-1]) >= TILE_WIDTH:
        below = levels[-1]
        whole = range(0, len(below) - TILE_WIDTH + 1, TILE_WIDTH)
        levels.append([root(below[i : i + TILE_WIDTH]) for i in whole])
    return levels


def tile_files(leaves: Sequence[bytes]) -> Files:
    """The hash tiles of a tree."""
    levels = levels_of(leaves)
    return {
        tile_path(*tile): b"".join(
            levels[tile.level][tile.number * TILE_WIDTH : tile.number * TILE_WIDTH + tile.width]
        )
        for tile in tiles_of(len(leaves))
    }


def reader_of(leaves: Sequence[bytes]) -> HashReader:
    """Subtree hashes by definition, remembered: independent of tiles."""
    known: dict[tuple[int, int], bytes] = {}

    def read(level: int, index: int) -> bytes:
        if (level, index) not in known:
            part = leaves[index << level : (index + 1) << level]
            assert len(part) == 1 << level, "not a complete subtree"
            known[level, index] = Frontier().extended(part).root
        return known[level, index]

    return read


def verify(files: Mapping[str, bytes], keys: LogKeys, earlier: Sequence[bytes] = ()) -> Followed:
    """Verifies the files of a log. Raises LogFault."""

    def file(path: str, step: Step) -> bytes:
        if path not in files:
            raise LogFault(step, path, "is missing")
        return files[path]

    followed = open_log(file("checkpoint", Step.CHECKPOINT), keys)
    steps = follow(followed, keys, earlier)
    wanted = next(steps, None)
    while wanted is not None:
        raw = file(wanted.path, Step.BUNDLES if wanted.level is None else Step.TILES)
        try:
            wanted = steps.send(raw)
        except StopIteration:
            break
    return followed


def fault_of(
    files: Mapping[str, bytes], keys: LogKeys, earlier: Sequence[bytes] = ()
) -> LogFault | None:
    """The fault that verification ends with."""
    try:
        verify(files, keys, earlier)
    except LogFault as fault:
        return fault
    return None


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Writes the files of a log below a folder."""
    for path, raw in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(raw)
