"""The loop that sends manifests again goes on through an outage of the node's own database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from federation.identity import Role
from node.errors import StorageUnavailable
from node.holder import submission
from node.holder.main import assemble
from node.holder.snapshots import Snapshot
from tests.node.holder.world import World


async def test_an_outage_of_the_database_does_not_end_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a holder ended whenever its database server restarted at the wrong moment."""
    monkeypatch.setattr(submission, "SUBMIT_SECONDS", 0.01)
    world = World(tmp_path)
    async with world.running() as node:
        hub = node.runtime.peer_channel(Role.HUB, node.runtime.config.hub)
        parts = assemble(node.runtime, node.sync(hub), hub)
        found = asyncio.Event()
        outages = 3

        async def pending() -> list[Snapshot]:
            nonlocal outages
            if outages:
                outages -= 1
                raise StorageUnavailable("the database server is away")
            found.set()
            return []

        monkeypatch.setattr(parts.submission, "_pending", pending)
        loop = asyncio.create_task(parts.submission.keep())
        async with asyncio.timeout(10):
            await found.wait()
        assert not loop.done()
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
