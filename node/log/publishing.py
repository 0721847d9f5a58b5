"""Checkpoints of a node's own log: made when there are entries, cosigned by its witnesses, kept.

A round makes a checkpoint over every durable entry and submits it to all witnesses at once. It is
over when a quorum has cosigned: a witness that is slow or away holds nothing up, and is asked
again in a later round, for the checkpoint of then. Rounds follow one another, so that witnesses
that answer cosign the same checkpoints.

While an entry older than the grace is in no checkpoint with a quorum, or the stored log is no
longer what was checkpointed, the node answers nothing (`require`).

Of a node's processes (`node.replicas`) the one that leads makes the rounds, and the others read
what came of them. Were there two, they would make the same checkpoints (`node.log.tree`), and ask
every witness twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

import structlog

from federation.errors import FederationError
from federation.identity import SpiffeId
from federation.membership import Members
from federation.signed import SigningKey
from federation.tlog.checkpoint import quorum_of, witnesses_of
from federation.tlog.proof import TlogProof
from node.clock import Clock
from node.errors import LogError, NodeError, StorageUnavailable, Unwitnessed
from node.log.asking import Asking
from node.log.cosigning import WitnessLink
from node.log.rounds import Round, cosigned_sizes
from node.log.tree import LogTree
from node.replicas import Processes
from node.storage.store import Store

RETRY_SECONDS: Final = 1.0
PATROL_SECONDS: Final = 10.0
FOLLOW_SECONDS: Final = 0.5
FOLLOW_AT_ONCE: Final = 0.1

_log = structlog.get_logger(__name__)


class Publisher:
    """Publishes the log of one node. `start` it before the node answers, then run `keep`."""

    def __init__(
        self,
        store: Store,
        tree: LogTree,
        own: SpiffeId,
        key: SigningKey,
        clock: Clock,
        *,
        period: float,
        grace: int,
        members: Callable[[], Awaitable[Members]],
        addresses: Callable[[], Awaitable[Mapping[SpiffeId, str]]],
        connect: Callable[[SpiffeId, str], WitnessLink],
        processes: Processes,
    ) -> None:
        """`period` in seconds between rounds at most, `grace` in seconds as configured.

        `addresses` are where the members serve their logs, `connect` makes a link to one,
        `processes` says whether this one makes the rounds.
        """
        self._store = store
        self._tree = tree
        self._own = own
        self._key = key
        self._clock = clock
        self._period = period
        self._grace = grace
        self._members = members
        self._addresses = addresses
        self._asking = Asking(store, tree, connect, self._settle)
        self._processes = processes
        self._waiting = 0
        self._wanted = asyncio.Event()
        self._changed = asyncio.Event()
        self._latest: Round | None = None
        self._cosigned: Round | None = None
        self._oldest: int | None = None
        self._fault = ""
        self.checkpoint_time = 0
        """When the newest checkpoint was made, unix seconds."""
        processes.on_call = self._wanted.set

    # --- life -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Reads what the node published before, so that `require` is right from the first call."""
        await self._restore()
        await self.look()

    async def keep(self) -> None:
        """Rounds until cancelled."""
        try:
            while True:
                self._wanted.clear()
                if not self._processes.leads:
                    await self._or_fault(self._restore())
                    await asyncio.sleep(FOLLOW_AT_ONCE if self._waiting else FOLLOW_SECONDS)
                    continue
                await self._or_fault(self._round())
                settled = self._latest is None or self._latest.settled
                pause = self._period if settled else min(self._period, RETRY_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        # What waits for a proof is not helped by asking absent witnesses faster.
                        await (self._wanted.wait() if settled else asyncio.Event().wait())
        finally:
            await self._asking.close()

    async def patrol(self) -> None:
        """Looks at what is stored of the log, over and over, until cancelled: an editor of the
        database leaves the witnesses what they know, and changes what is under it.
        """
        while not self._fault:
            try:
                await self._tree.patrol(self._own, self._key.public)
            except StorageUnavailable as error:
                _log.warning("log not looked at", error=str(error))
            except LogError as error:
                self._stop(error)
            await asyncio.sleep(PATROL_SECONDS)
        await asyncio.Event().wait()

    async def look(self) -> None:
        """Finds the oldest entry that witnesses do not know of."""
        size = self.cosigned_size
        try:
            self._oldest = await self._tree.time_of(size)
        except StorageUnavailable:
            return  # the store's own health says so

    # --- what others ask of it ------------------------------------------------------------------

    def require(self) -> None:
        """Raises Unwitnessed while the node may not answer."""
        if self._fault:
            raise Unwitnessed(self._fault)
        if self._oldest is not None and self._clock.now() - self._oldest > self._grace:
            raise Unwitnessed(f"no quorum cosigned an entry of {self._oldest} within the grace")

    @property
    def answers(self) -> bool:
        """Whether `require` lets calls through."""
        try:
            self.require()
        except Unwitnessed:
            return False
        return True

    @property
    def fault(self) -> str:
        """What is wrong with the stored log, empty while nothing is."""
        return self._fault

    @property
    def size(self) -> int:
        """Entries that the newest checkpoint covers."""
        return self._latest.size if self._latest is not None else 0

    @property
    def cosigned_size(self) -> int:
        """Entries that the newest checkpoint with a quorum covers."""
        return self._cosigned.size if self._cosigned is not None else 0

    @property
    def disagreeing(self) -> int:
        """How many witnesses say that they have seen another log of this node."""
        return len(self._asking.disagreeing)

    @property
    def checkpoint(self) -> bytes | None:
        """The newest checkpoint with a quorum, or else the newest; None before the first."""
        best = self._cosigned or self._latest
        return None if best is None else best.encode()

    async def prove(self, index: int, seconds: float) -> bytes:
        """The tlog-proof of a durable entry under a checkpoint with a quorum, made if need be.

        Proofs that are asked for at once share a checkpoint. Raises Unwitnessed after `seconds`.
        """
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                while (covering := self._cosigned) is None or covering.size <= index:
                    self._wanted.set()
                    self._processes.call()
                    await self._changed.wait()
        except TimeoutError:
            raise Unwitnessed(f"no quorum cosigned entry {index} in {seconds} seconds") from None
        finally:
            self._waiting -= 1
        path = await self._tree.prove(index, covering.size)
        return TlogProof(index, tuple(path), covering.encode()).encode()

    # --- rounds ---------------------------------------------------------------------------------

    async def _or_fault(self, work: Awaitable[None]) -> None:
        try:
            await work
        except StorageUnavailable as error:
            _log.warning("no checkpoint", error=str(error))
        except LogError as error:
            self._stop(error)
        except (NodeError, FederationError) as error:
            _log.error("no checkpoint", error=str(error))

    def _stop(self, error: LogError) -> None:
        """The node answers nothing more until it is restarted on a log that is whole."""
        if not self._fault:
            _log.critical("the log is not what was checkpointed", error=str(error))
        self._fault = str(error)

    async def _round(self) -> None:
        """A checkpoint where there are new entries, and the witnesses that have not cosigned it."""
        signed = await self._tree.checkpoint(self._key, self._own, self._clock.now())
        witnesses = witnesses_of(await self._members(), self._own)
        current = self._latest
        if current is None or current.size != signed.size or current.witnesses != witnesses:
            current = self._latest = Round.of(signed.size, signed.note, witnesses)
            self.checkpoint_time = signed.time
        if current.settled:
            await self._settle(current)
        tasks = await self._asking.ask(current, await self._addresses())
        with suppress(TimeoutError):
            async with asyncio.timeout(self._period):
                while tasks and not current.settled:
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    tasks = [task for task in tasks if task not in done]

    async def _settle(self, current: Round) -> None:
        if current.size < self.cosigned_size:
            return
        self._cosigned = current
        self._changed.set()
        self._changed = asyncio.Event()
        await self.look()

    async def _restore(self) -> None:
        """What was published last, by whichever process."""
        witnesses = witnesses_of(await self._members(), self._own)
        self._asking.sizes = await self._store.read(cosigned_sizes)
        quorum = quorum_of(len(witnesses))
        for signed in (await self._tree.cosigned(quorum), await self._tree.latest()):
            if signed is None:
                continue
            current = self._latest = Round.of(signed.size, signed.note, witnesses)
            self.checkpoint_time = signed.time
            if current.settled:
                await self._settle(current)
