"""Holders load an epoch beside their running nodes, by the clock of their chain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from federation.identity import Role
from node.chain import ChainSync
from node.demo.layout import Layout, Party
from node.demo.opened import holder_of
from node.holder.loading import EpochLoader
from node.holder.submission import Submission

AT_ONCE: Final = 2


async def load_epoch(
    layout: Layout, sample: Path, number: int, tell: Callable[[int, int], None]
) -> None:
    """As the administrators' command does, from the files of a sample's folder."""
    gate = asyncio.Semaphore(AT_ONCE)
    done = 0

    async def one(kind: str, party: Party) -> None:
        nonlocal done
        async with gate, holder_of(layout, party) as holder:
            hub = holder.peer_channel(Role.HUB, holder.config.hub)
            sync = ChainSync(hub, holder.chain, holder.store, holder.log, holder.clock)
            loader = EpochLoader(holder, sync, Submission(holder, hub))
            await loader.load(number, sample / "mappings" / f"{kind}.toml")
            await sync.close()
        done += 1
        tell(done, len(layout.holders))

    await asyncio.gather(*(one(kind, party) for kind, party in layout.holders.items()))
