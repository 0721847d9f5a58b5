"""Members of a chain with their logs on the network: real folders, databases, TLS and sockets.

Nothing of a role runs here but what every node runs: its tree, publisher, witness and log server.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from federation.entries import Entry, Kind, entry, read_entry
from federation.identity import SpiffeId
from federation.tlog.checkpoint import Checkpoint, open_checkpoint, origin_of
from federation.tlog.note import Note
from node.clock import FixedClock
from node.config import NodeConfig, load
from node.enrolment.home import CONFIGS
from node.log.http.client import LogClient
from node.runtime import Runtime, running
from support.enrolled import DELTA, HARBOUR, HOLDERS, HUB, REGULATOR, Homes, regulating

EVERYONE = (REGULATOR, HUB, *HOLDERS, HARBOUR, DELTA)
GRACE = 60
QUICK = {"YINXIN__TLOG__PERIOD": "0.1", "YINXIN__TLOG__GRACE": str(GRACE)}


@dataclass
class Directory:
    """What the hub would tell of a member's log: one for each node, over the same addresses."""

    own: SpiffeId
    known: dict[SpiffeId, str]

    async def announce(self, address: str) -> None:
        self.known[self.own] = address

    async def addresses(self) -> Mapping[SpiffeId, str]:
        return self.known


@dataclass
class Member:
    """A running node."""

    world: LogWorld
    runtime: Runtime[NodeConfig]

    @property
    def id(self) -> SpiffeId:
        return self.runtime.identity.id

    @property
    def publisher(self):  # type: ignore[no-untyped-def]
        return self.runtime.transparency.publisher

    async def append(self, count: int = 1) -> int:
        """Appends entries; returns the index of the last."""

        def unit(connection):  # type: ignore[no-untyped-def]
            now = self.runtime.clock.now()
            for number in range(count):
                raw = entry(Kind.CLOSED, now, epoch=number)
                found = self.runtime.log.append(connection, Kind.CLOSED, now, raw)
            return found.index

        return int(await self.runtime.store.run(unit))

    async def cosigned(self, size: int) -> Checkpoint:
        """Waits until a quorum cosigned a checkpoint of at least `size`."""
        await until(lambda: self.publisher.cosigned_size >= size)
        return self.checkpoint()[0]

    def checkpoint(self) -> tuple[Checkpoint, Note]:
        raw = self.publisher.checkpoint
        assert raw is not None
        return open_checkpoint(raw, origin_of(self.id), self.runtime.identity.signing.public)

    async def entries(self, kind: str = "") -> list[Entry]:
        found = [read_entry(one.entry) async for one in self.runtime.log.iterate()]
        return [one for one in found if not kind or one.kind == kind]


@dataclass
class LogWorld:
    """The chain's folders, and the members that run."""

    homes: Homes
    clock: FixedClock
    addresses: dict[SpiffeId, str] = field(default_factory=dict)
    members: dict[SpiffeId, Member] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def running(
        self, *parties: SpiffeId, environment: Mapping[str, str] = QUICK
    ) -> AsyncIterator[None]:
        """Runs these members' nodes."""
        async with contextlib.AsyncExitStack() as stack:
            for party in parties:
                await stack.enter_async_context(self.member(party, environment))
            yield

    @contextlib.asynccontextmanager
    async def member(
        self, party: SpiffeId, environment: Mapping[str, str] = QUICK, *, serving: bool = False
    ) -> AsyncIterator[Member]:
        """Runs one member's node; a `serving` one knows other processes of the same node."""
        path = self.homes.folder(party) / "node.toml"
        config = load(CONFIGS[party.role], path, environment)
        async with running(config, workers=1, clock=self.clock, serving=serving) as runtime:
            credentials = [self.homes.identity(one).credential for one in EVERYONE]

            def learn(connection):  # type: ignore[no-untyped-def]
                for credential in credentials:
                    runtime.chain.put_member(connection, credential)

            await runtime.store.run(learn)
            runtime.transparency.directory = Directory(party, self.addresses)
            tasks = [asyncio.create_task(t) for t in await runtime.transparency.listen()]
            if serving:
                tasks.append(asyncio.create_task(runtime.processes.keep()))
            member = self.members[party] = Member(self, runtime)
            try:
                yield member
            finally:
                self.members.pop(party, None)
                self.addresses.pop(party, None)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def listening(self, party: SpiffeId) -> None:
        """Waits until a member has announced where its log is."""
        await until(lambda: party in self.addresses)

    @contextlib.asynccontextmanager
    async def client(self, caller: SpiffeId, server: SpiffeId) -> AsyncIterator[LogClient]:
        await self.listening(server)
        tls = self.homes.tls(caller)
        async with LogClient(server, self.addresses[server], tls, 5.0) as client:
            yield client


@contextlib.contextmanager
def enrolled(folder: Path) -> Iterator[LogWorld]:
    """A chain whose members have joined, none running."""
    homes = Homes(folder)

    async def join() -> None:
        async with regulating(homes) as regulator:
            await homes.enrol(regulator, HARBOUR, DELTA, HUB, *HOLDERS)

    asyncio.run(join())
    yield LogWorld(homes, FixedClock(homes.now))


async def until(condition, seconds: float = 20.0) -> None:  # type: ignore[no-untyped-def]
    """Waits for something that a task or another node does."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
