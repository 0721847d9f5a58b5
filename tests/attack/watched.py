"""One member's log in its own database, the witnesses of its chain, and the regulator's mirror.

All real but the network: `LogTree` over SQLite, a `Witness` with a database each, `WitnessLink`
that asks them, `LogFollower` that mirrors what the log's owner shows.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine, Table, delete, insert

from federation.audit.findings import FindingKind
from federation.entries import Kind, entry, read_entry
from federation.identity import SpiffeId
from federation.merkle import leaf_hash
from federation.signed import SigningKey
from federation.tlog.checkpoint import quorum_of, witnesses_of
from federation.tlog.note import Note, NoteSignature
from federation.tlog.proof import TlogProof
from federation.tlog.tiles import TILE_WIDTH, decode_bundle
from node.clock import FixedClock
from node.errors import NodeError
from node.log.attachments import decode_attachments
from node.log.checkpoints import SignedCheckpoint
from node.log.cosigning import WitnessLink
from node.log.tables import log_checkpoints, log_cosignatures, log_nodes, witness_logs
from node.log.tree import LogTree
from node.log.witnessing import Witness
from node.regulator.findings import KeptFinding, kept_findings
from node.regulator.mirror.books import MirroredLog
from node.regulator.mirror.follower import LogFollower, Watch
from node.storage import Store
from node.storage.engine import writing
from node.storage.schema import log_entries
from support.chain import HUB, NOW, REGULATOR, Chain
from support.tlog import levels_of
from tests.node.log.logs import edit

GRACE = 60


def entries(count: int, start: int = 0) -> list[bytes]:
    """Entries as a hub writes them, all within a second."""
    return [
        entry(Kind.REFUSAL, NOW, reason="no_consent", reference=f"{n:08x}")
        for n in range(start, start + count)
    ]


def key_of(chain: Chain, party: SpiffeId) -> SigningKey:
    holders = chain.holders
    return holders[party].signing if party in holders else chain.signing[party]


@dataclass
class LocalWitness:
    """A member that witnesses, without the network: what `WitnessLink` calls."""

    party: SpiffeId
    store: Store
    witness: Witness

    async def add_checkpoint(self, raw: bytes) -> tuple[int, bytes]:
        given = await self.witness.add_checkpoint(raw)
        return given.status, given.body

    async def forget(self) -> None:
        """What an insider of the witness does to its database."""
        await self.store.run(lambda c: c.execute(delete(witness_logs)))


@dataclass
class Shown:
    """A log as its owner's node serves it, whoever edited its database; a LogSource."""

    tree: LogTree
    note: bytes = b""
    own_fault: str = ""
    """What an honest owner's node has found; an insider's says nothing."""

    async def checkpoint(self) -> bytes:
        return self.note

    async def fault(self) -> str:
        return self.own_fault

    async def tile(self, level: int, index: int, width: int = TILE_WIDTH) -> bytes:
        return await self.tree.tile(level, index, width)

    async def bundle(self, index: int, width: int = TILE_WIDTH) -> tuple[bytes, ...]:
        return decode_bundle(await self.tree.bundle(index, width))

    async def attachments(self, index: int) -> dict[bytes, bytes]:
        return decode_attachments(await self.tree.attachments(index))

    async def close(self) -> None:
        return None


@dataclass
class Owner:
    """A log with its owner's key, in one database. Who shows two views has two of them."""

    chain: Chain
    log: SpiffeId
    store: Store
    witnesses: Mapping[SpiffeId, LocalWitness]
    shown: Shown = field(init=False)
    _links: dict[SpiffeId, WitnessLink] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shown = Shown(LogTree(self.store))

    @property
    def key(self) -> SigningKey:
        return key_of(self.chain, self.log)

    @property
    def tree(self) -> LogTree:
        """As a node that has just started has it: nothing remembered."""
        return LogTree(self.store)

    @property
    def engine(self) -> Engine:
        return self.store.engine

    async def append(self, raws: Iterable[bytes]) -> None:
        start = len(await self.entries())
        rows = [row_of(index, raw) for index, raw in enumerate(raws, start)]
        await self.store.run(lambda c: c.execute(insert(log_entries), rows))

    async def entries(self) -> list[bytes]:
        found = log_entries.select().order_by(log_entries.c.index)
        return [bytes(row.entry) for row in await self.store.read(lambda c: c.execute(found).all())]

    async def publish(self) -> list[SpiffeId]:
        """Asks all witnesses; see `publish_to`."""
        return await self.publish_to(self.witnesses)

    async def publish_to(self, asked: Iterable[SpiffeId]) -> list[SpiffeId]:
        """A checkpoint over all entries, shown with the cosignatures that it gets; who gave one."""
        signed: SignedCheckpoint = await self.tree.checkpoint(self.key, self.log, NOW)
        note = Note.parse(signed.note)
        keys, found = witnesses_of(self.chain.members, self.log), dict[SpiffeId, NoteSignature]()
        for party in asked:
            link = self._links.setdefault(party, self._link(party))
            try:
                found[party], _ = await link.cosign(note, signed.size, keys[party])
            except NodeError:
                continue
        self.shown.note = note.adding(tuple(found.values())).encode()
        return list(found)

    async def prove(self, index: int) -> bytes:
        """The tlog-proof of an entry under the checkpoint that is shown."""
        size = int(Note.parse(self.shown.note).text.split("\n")[1])
        path = await self.tree.prove(index, size)
        return TlogProof(index, tuple(path), self.shown.note).encode()

    async def rebuild(self, raws: Iterable[bytes]) -> None:
        """Writes the whole log anew as an insider does who has its signing key: entries, hashes,
        nodes and checkpoint, with nothing left of the old ones.
        """
        self._clear(log_entries, log_nodes, log_checkpoints, log_cosignatures)
        await self.append(raws)
        await self.tree.checkpoint(self.key, self.log, NOW)

    async def recompute(self, raws: Iterable[bytes]) -> None:
        """The same without the key: everything but the checkpoint, whose signature stays."""
        raws = list(raws)
        self._clear(log_entries, log_nodes)
        await self.append(raws)
        levels = levels_of(list(map(leaf_hash, raws)))[1:]
        nodes = [
            {"level": level, "index": index, "hash": digest}
            for level, digests in enumerate(levels, 1)
            for index, digest in enumerate(digests)
        ]
        await self.store.run(lambda c: c.execute(insert(log_nodes), nodes))

    def _clear(self, *tables: Table) -> None:
        edit(self.engine)  # without a statement: the triggers go
        with writing(self.engine) as connection:
            for table in tables:
                connection.execute(delete(table))
        self._links.clear()

    def _link(self, party: SpiffeId) -> WitnessLink:
        client = cast(Any, self.witnesses[party])
        return WitnessLink(client, self.tree.consistency)


@dataclass
class Watched:
    """A member's log and all who watch it."""

    folder: Path
    chain: Chain
    owner: Owner
    witnesses: dict[SpiffeId, LocalWitness]
    mirror: Store
    clock: FixedClock
    _stores: list[Store] = field(default_factory=list)
    _follower: LogFollower | None = None

    @property
    def quorum(self) -> int:
        return quorum_of(len(self.witnesses))

    def open(self, name: str) -> Store:
        """A database of its own."""
        path = self.folder / f"{name}.sqlite"
        if not path.exists():
            shutil.copy(self.folder / "empty.sqlite", path)
        store = Store.open(f"sqlite:///{path}")
        self._stores.append(store)
        return store

    def second_view(self, name: str = "second") -> Owner:
        """The same member's log in another database, empty: for another view of it."""
        return Owner(self.chain, self.owner.log, self.open(name), self.witnesses)

    async def look(self, shown: Owner | None = None, *, after: int = 0) -> MirroredLog:
        """A round of the regulator's mirror, of the log or of another view of it."""
        self.clock.advance(after)
        if self._follower is None:
            self._follower = LogFollower(self.owner.log, self.owner.shown, self.mirror)
        self._follower.source = (shown or self.owner).shown
        public = self.owner.key.public
        watch = Watch(public, witnesses_of(self.chain.members, self.owner.log), GRACE, 8)
        return await self._follower.round(watch, self.clock.now())

    def begin_mirror_anew(self) -> None:
        """A regulator that has seen nothing of the log."""
        self.mirror, self._follower = self.open("another-regulator"), None

    async def findings(self) -> list[KeptFinding]:
        """Everything that the mirror found, against the log's owner alone."""
        kept = await self.mirror.read(kept_findings)
        assert {one.subject for one in kept} <= {str(self.owner.log)}
        return list(kept)

    async def found(self) -> list[FindingKind]:
        """The kinds of it."""
        return [one.kind for one in await self.findings()]

    def close(self) -> None:
        for store in self._stores:
            store.close()


@asynccontextmanager
async def watching(folder: Path, chain: Chain, log: SpiffeId = HUB) -> AsyncIterator[Watched]:
    """The log of a member of the chain, its witnesses and a mirror: what the folder has of them,
    or all empty.
    """
    Store.open(f"sqlite:///{folder}/empty.sqlite").close()
    clock = FixedClock(NOW)
    watched = Watched(folder, chain, cast(Any, None), {}, cast(Any, None), clock)
    try:

        async def members():  # type: ignore[no-untyped-def]
            return chain.members.at(clock.now())

        for number, party in enumerate(witnesses_of(chain.members, log)):
            store = watched.open(f"witness-{number}")
            witness = Witness(store, party, key_of(chain, party), clock, members)
            watched.witnesses[party] = LocalWitness(party, store, witness)
        own = watched.witnesses.get(REGULATOR)
        # A witness and the mirror in one, as a regulator's node is.
        watched.mirror = own.store if own is not None else watched.open("mirror")
        watched.owner = Owner(chain, log, watched.open("owner"), watched.witnesses)
        yield watched
    finally:
        watched.close()


def row_of(index: int, raw: bytes) -> dict[str, object]:
    """An entry as its row."""
    read = read_entry(raw)
    return {
        "index": index,
        "leaf_hash": leaf_hash(raw),
        "kind": read.kind.value,
        "time": read.time,
        "entry": raw,
    }
