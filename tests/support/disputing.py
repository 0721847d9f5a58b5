"""A hub, a holder and firms on real sockets, with their own agents, and clocks that one sets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from federation.entries import Entry, Kind, read_entry
from federation.identity import SpiffeId
from federation.uscc import Uscc
from node.clock import FixedClock
from node.config import HolderConfig, HubConfig, load
from node.enterprise import Enterprise, enrol_enterprises
from node.enterprise.agent import Agent, open_agent
from node.enterprise.chains import ChainLink, keep_link
from node.enterprise.home import EnterpriseHome
from node.holder.main import build
from node.hub.publication import add_member, publish_catalogue
from node.runtime import Runtime, running
from node.storage.schema import log_entries
from support.enrolled import HARBOUR, HOLDERS, HUB, Homes, hub_serving, regulating
from support.small import small_catalogue

HOLDER = HOLDERS[-1]
FIRM, OTHER = Uscc.generate(7), Uscc.generate(8)


@dataclass
class World:
    """`agents` are of FIRM and OTHER; the holder's clock is apart from theirs."""

    homes: Homes
    hub: Runtime[HubConfig]
    holder: Runtime[HolderConfig]
    firms: dict[Uscc, Enterprise]
    clock: FixedClock
    """Of the holder."""
    wall: FixedClock
    """Of the agents."""

    def folder(self, firm: Uscc = FIRM) -> Path:
        return self.homes.base / firm

    def link(self, port: int | None = None) -> ChainLink:
        """The hub as firms find it."""
        return ChainLink(self.homes.root, HUB, f"127.0.0.1:{port or self.hub.servers[1].port}")

    @asynccontextmanager
    async def agent(self, firm: Uscc = FIRM) -> AsyncIterator[Agent]:
        async with open_agent(self.folder(firm), self.wall) as agent:
            yield agent

    async def entries(self, kind: Kind) -> list[Entry]:
        """The holder's entries of a kind."""
        return [read_entry(raw) for raw in await self.raw_entries(kind)]

    async def raw_entries(self, kind: Kind) -> list[bytes]:
        def look(connection: Connection) -> list[bytes]:
            table = log_entries.c
            rows = connection.execute(
                log_entries.select().where(table.kind == kind.value).order_by(table.index)
            )
            return [bytes(row.entry) for row in rows]

        return await self.holder.store.read(look)


@asynccontextmanager
async def disputing(
    base: Path, holder_environment: dict[str, str] | None = None
) -> AsyncIterator[World]:
    """The world, enrolled and serving."""
    homes = Homes(base)
    async with regulating(homes) as regulator:
        await homes.enrol(regulator, HUB, HARBOUR, HOLDER)
    firms = dict(
        zip(
            (FIRM, OTHER),
            enrol_enterprises(homes.licence, [FIRM, OTHER], homes.now, 365),
            strict=True,
        )
    )
    for code, firm in firms.items():
        EnterpriseHome.store(base / code, firm, homes.licence.certificate_pem)
    clock = FixedClock(homes.now)
    config = load(HolderConfig, homes.folder(HOLDER) / "node.toml", holder_environment or {})
    async with hub_serving(homes) as hub, running(config, workers=1, clock=clock) as holder:
        await build(holder)
        for server in holder.servers:
            await server.start()
        tasks = [asyncio.create_task(task) for task in holder.tasks]
        try:
            address = f"127.0.0.1:{holder.servers[0].port}"
            await hub.store.run(lambda c: _join(homes, hub, c, address))
            world = World(homes, hub, holder, firms, clock, FixedClock(homes.now))
            for code in firms:
                keep_link(base / code, world.link())
            yield world
        finally:
            for server in holder.servers:
                await server.stop(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _join(homes: Homes, hub: Runtime[HubConfig], connection: Connection, address: str) -> None:
    parties: tuple[tuple[SpiffeId, str], ...] = ((HUB, ""), (HARBOUR, ""), (HOLDER, address))
    for party, where in parties:
        add_member(hub, connection, homes.identity(party).credential, where)
    publish_catalogue(hub, connection, small_catalogue())
