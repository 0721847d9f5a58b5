"""One log, followed: each round establishes what is new and looks again at what was mirrored.

1. The checkpoint is signed by its owner, and continues the last one that was seen.
2. New entries are fetched bundle by bundle; each batch is kept once it leads to the checkpoint,
   with what came later than its owner promised.
3. The newest bundle, and others in rotation, are fetched again with their leaf hashes and compared
   with what is mirrored, so that an edit of what was established before shows; what else it keeps
   its owner's node looks at itself, and says.
   What this regulator cosigned as a witness has to be a beginning of it.
4. The checkpoint has the cosignatures of a quorum of the log's witnesses.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy import Connection

from federation.audit.findings import Finding, FindingKind
from federation.errors import DocumentError, SignatureInvalid
from federation.identity import SpiffeId
from federation.merkle import leaf_hash
from federation.tlog.checkpoint import (
    Checkpoint,
    cosigners,
    open_checkpoint,
    origin_of,
    quorum_of,
)
from federation.tlog.note import Note
from federation.tlog.tiles import TILE_WIDTH, bundles_of, width_of
from federation.tlog.witness import Seen
from node.errors import NodeError
from node.regulator.findings import keep_findings
from node.regulator.mirror.books import (
    FAULTY,
    OK,
    MirroredLog,
    fitting,
    keep_grown,
    load_log,
    mirrored,
    read_on,
    root_at,
    save_log,
)
from node.regulator.mirror.history import ServedTree, inconsistent, misfit
from node.regulator.mirror.promises import Known, late_entries
from node.regulator.mirror.source import LogSource
from node.regulator.mirror.suspicion import Suspicion, broken, second_root
from node.regulator.mirror.witnessed import check_witnessed, cosigned_here
from node.storage.store import Store

BATCH_BUNDLES: Final = 8
"""Bundles that one unit of work keeps: 2048 entries."""
BATCH_BYTES: Final = 64 << 20
"""What is attached to a batch: after so much it ends early."""
ROUND_BATCHES: Final = 64
"""Batches of one round. A log that is far behind has its answers counted between them."""
BEHIND_SECONDS: Final = 15
"""How long a log may show an older checkpoint of its own before that is a rollback: the newest
with a quorum may be older than the newest there is."""


@dataclass(frozen=True)
class Watch:
    """What a round goes by: keys (Ed25519) of the log's owner and witnesses, and limits.

    `grace` seconds may pass without a quorum; `again` bundles are looked at again.
    """

    public: bytes
    witnesses: Mapping[SpiffeId, bytes]
    grace: int
    again: int


@dataclass
class LogFollower:
    """Follows the log of `member`, as `source` shows it, into `store`."""

    member: SpiffeId
    source: LogSource
    store: Store
    _next: int = 0
    _behind_since: int | None = None
    _looked: Known | None = None
    _awaited: tuple[int, int] | None = None
    """A size that was cosigned here and not served, and since when."""
    _findings: list[Finding] = field(default_factory=list)

    async def round(self, watch: Watch, now: int) -> MirroredLog:
        """One round at `now`; what it finds is kept. Raises RemoteError when the log is away."""
        log = str(self.member)
        state = await self.store.read(lambda c: load_log(c, log, now))
        self._findings = []
        raw = await self.source.checkpoint()
        try:
            state = await self._establish(state, raw, watch, now)
            # Only now: who shows checkpoints and withholds what they cover is away.
            state = dataclasses.replace(state, seen_at=now, state=OK, fault=None)
        except Suspicion as found:
            self._findings.append(found.finding(log))
            # What was established up to here stays so.
            state = await self.store.read(lambda c: load_log(c, log, now))
            state = dataclasses.replace(state, seen_at=now, state=FAULTY, fault=found.kind.value)

        def unit(connection: Connection) -> None:
            keep_findings(connection, self._findings, now)
            save_log(connection, state)

        await self.store.run(unit)
        return state

    async def _establish(
        self, state: MirroredLog, raw: bytes, watch: Watch, now: int
    ) -> MirroredLog:
        checkpoint, note = self._open(raw, watch)
        try:
            state, tree = await self._continue(state, checkpoint, raw, now)
            if tree is None:
                return dataclasses.replace(state, checked_at=now)
            state = await self._extend(state, tree, checkpoint, raw, watch, now)
            if state.size < checkpoint.size:
                return state
            seen = await self.store.read(partial(cosigned_here, member=self.member))
            await check_witnessed(seen, tree, checkpoint, raw)
            self._compare_cosigned(state.log, seen, checkpoint, watch, now)
            self._looked = Known(now, max(checkpoint.size, seen.size if seen else 0))
            await self._look_again(state, tree, checkpoint, watch.again)
        except NodeError:
            # Why it does not serve what its checkpoint covers, its owner may know.
            await self._ask_owner()
            raise
        await self._ask_owner()
        state = dataclasses.replace(state, checked_at=now)
        return self._count_cosigners(state, note, checkpoint, raw, watch, now)

    def _open(self, raw: bytes, watch: Watch) -> tuple[Checkpoint, Note]:
        try:
            return open_checkpoint(raw, origin_of(self.member), watch.public)
        except (DocumentError, SignatureInvalid) as error:
            raise Suspicion(FindingKind.LOG_UNSIGNED, "checkpoint", str(error), raw) from error

    async def _continue(
        self, state: MirroredLog, new: Checkpoint, raw: bytes, now: int
    ) -> tuple[MirroredLog, ServedTree | None]:
        """The log with its newest checkpoint, and the tree; None while it shows an older one."""
        if state.note is None:
            return dataclasses.replace(state, note=raw), ServedTree(self.source, new)
        # Verified when it was kept, with the key of then.
        old = Checkpoint.parse(Note.parse(state.note).text)
        tree = ServedTree(self.source, new)
        if new.size < old.size:
            await self._look_back(state, new, raw, now)
            return state, None
        self._behind_since = None
        if new.size == old.size:
            if new.root != old.root:
                raise second_root(new.size, state.note, raw)
            return dataclasses.replace(state, note=raw), tree
        if not await tree.extends(old.size, old.root):
            raise await inconsistent(tree, old, new, state.note, raw)
        state = dataclasses.replace(state, note=raw)
        await self.store.run(lambda c: save_log(c, state))
        return state, tree

    async def _look_back(self, state: MirroredLog, new: Checkpoint, raw: bytes, now: int) -> None:
        """A checkpoint of fewer entries: a second view, or the past of this one."""
        old_note = state.note or b""
        mirrored_root = partial(root_at, log=state.log, size=new.size)
        if new.size <= state.size and await self.store.read(mirrored_root) != new.root:
            raise second_root(new.size, old_note, raw)
        self._behind_since = self._behind_since or now
        if now - self._behind_since >= BEHIND_SECONDS:
            where, problem = f"checkpoint of size {new.size}", "the log had more entries before"
            raise Suspicion(FindingKind.LOG_ROLLBACK, where, problem, old_note, raw)

    async def _extend(
        self,
        state: MirroredLog,
        tree: ServedTree,
        new: Checkpoint,
        raw: bytes,
        watch: Watch,
        now: int,
    ) -> MirroredLog:
        """Mirrors the entries up to the checkpoint, batch by batch, or as many as a round takes."""
        for _ in range(ROUND_BATCHES):
            if state.size == new.size:
                break
            first = state.size // TILE_WIDTH
            upto = min(new.size, (first + BATCH_BUNDLES) * TILE_WIDTH)
            bundles: dict[int, tuple[bytes, ...]] = {}
            attached: dict[bytes, bytes] = {}
            for number, width in bundles_of(upto, state.size):
                bundles[number] = await self.source.bundle(number, width)
                attached |= fitting(bundles[number], await self.source.attachments(number))
                if sum(map(len, attached.values())) > BATCH_BYTES:
                    upto = min(new.size, (number + 1) * TILE_WIDTH)
                    break
            entries = [raw for bundle in bundles.values() for raw in bundle]
            entries = entries[state.size - first * TILE_WIDTH :]
            batch, grown = await asyncio.to_thread(read_on, state, entries, now)
            # Of the whole tree that says the same as its root.
            if not await tree.extends(upto, grown.root):
                raise await self._blame(tree, bundles, new, raw)
            late = late_entries(batch, state, watch.witnesses, self._looked)
            batch = dataclasses.replace(batch, findings=(*batch.findings, *late))
            state = grown
            keep = partial(keep_grown, batch=batch, attached=attached, state=grown, now=now)
            await self.store.run(keep)
        return state

    async def _blame(
        self,
        tree: ServedTree,
        bundles: Mapping[int, tuple[bytes, ...]],
        new: Checkpoint,
        raw: bytes,
    ) -> Suspicion:
        """Which of the fetched bundles does not fit."""
        found = None
        for number, entries in bundles.items():
            found = await misfit(tree, number, entries, new.size, raw)
            if not found.where.startswith("checkpoint"):
                break
        return found or broken(f"checkpoint of size {new.size}", "has no entries", raw)

    async def _look_again(
        self, state: MirroredLog, tree: ServedTree, new: Checkpoint, again: int
    ) -> None:
        """Compares bundles with what is mirrored: the newest, and `again` others in turn."""
        if not new.size:
            return
        bundles = -(-new.size // TILE_WIDTH)
        chosen = {bundles - 1}
        for _ in range(min(again, bundles)):
            self._next = (self._next + 1) % bundles
            chosen.add(self._next)
        for number in sorted(chosen):
            await self._compare(tree, number, new)
        fault = await tree.fault()
        if fault:
            raise broken(fault, "is not the hash of what is below it")

    async def _compare(self, tree: ServedTree, number: int, new: Checkpoint) -> None:
        log, start = str(self.member), number * TILE_WIDTH
        width = width_of(0, number, new.size)
        ours = await self.store.read(lambda c: mirrored(c, log, start, start + width))
        theirs = await self.source.bundle(number, width)
        leaves = await tree.leaves(number)
        for index, (kept, shown, leaf) in enumerate(zip(ours, theirs, leaves, strict=True), start):
            hashed = leaf_hash(kept)
            if kept == shown and hashed == leaf:
                continue
            if not await tree.leads(index, hashed) and await tree.leads(index, leaf_hash(shown)):
                raise broken(f"mirrored entry {index}", "the regulator's own copy is changed")
            if kept != shown:
                raise broken(f"entry {index}", "is no longer what it was")
            raise broken(f"leaf {index}", "its stored hash is no longer what it was")

    async def _ask_owner(self) -> None:
        """What is wrong with rows that are not served, such as old checkpoints, only they know."""
        where, _, problem = (await self.source.fault()).partition(": ")
        if where:
            raise broken(where, f"its owner's node says so: {problem}")

    def _compare_cosigned(
        self, log: str, seen: Seen | None, served: Checkpoint, watch: Watch, now: int
    ) -> None:
        """Who has entries cosigned here and goes on serving the log without them hides them: a
        log in order serves them once a quorum cosigned, or its owner stops answering.
        """
        if self._awaited is None or served.size >= self._awaited[0]:
            ahead = seen is not None and seen.size > served.size
            self._awaited = (seen.size, now) if seen is not None and ahead else None
        elif now - self._awaited[1] >= watch.grace:
            self._findings.append(
                Finding(
                    kind=FindingKind.NOT_COSIGNED,
                    subject=log,
                    evidence={"size": served.size, "cosigned_here": self._awaited[0]},
                    key=f"served {served.size}",
                )
            )

    def _count_cosigners(
        self,
        state: MirroredLog,
        note: Note,
        new: Checkpoint,
        raw: bytes,
        watch: Watch,
        now: int,
    ) -> MirroredLog:
        found, needed = len(cosigners(note, watch.witnesses)), quorum_of(len(watch.witnesses))
        if found >= needed:
            return dataclasses.replace(
                state, cosigned_size=new.size, cosigned_note=raw, uncosigned_since=None
            )
        since = state.uncosigned_since or now
        if now - since >= watch.grace:
            self._findings.append(
                Finding(
                    kind=FindingKind.NOT_COSIGNED,
                    subject=state.log,
                    evidence={"size": new.size, "cosigned": found, "needed": needed},
                    key=str(state.cosigned_size),
                )
            )
        return dataclasses.replace(state, uncosigned_since=since)
