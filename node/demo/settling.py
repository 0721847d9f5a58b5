"""Moves the clock of a running chain, and only while nothing is on its way.

A sandbox's hour passes at once. What a node has written by then its witnesses must have cosigned
and its regulator mirrored, as they would have in an hour: else it would look as if it had been kept
back. So a move waits for that, and is no longer than the mirror lets a log be away.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Final

from sqlalchemy import Connection, func, select

from node.config import load
from node.demo.clock import SandboxClock
from node.demo.errors import DemoError
from node.demo.layout import Layout
from node.enrolment.home import CONFIGS
from node.regulator.mirror.books import OK, MirroredLog, all_logs
from node.storage import Store
from node.storage.schema import log_entries

STEP: Final = 20 * 3_600
"""The farthest move at once, in seconds; the mirror's grace is a day."""
SETTLED_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.05


class Settling:
    """The logs of a running chain, looked at in the parties' databases. Use as a context."""

    def __init__(self, layout: Layout, clock: SandboxClock) -> None:
        self._layout = layout
        self._clock = clock
        self._stores: dict[str, Store] = {}
        self._landed = clock.now()

    async def __aenter__(self) -> Settling:
        self._stack = AsyncExitStack()
        for party in self._layout.servers:
            config = load(CONFIGS[party.id.role], party.config)
            store = await asyncio.to_thread(Store.open, config.database_url())
            self._stack.push_async_callback(asyncio.to_thread, store.close)
            self._stores[str(party.id)] = store
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def move(self, until: int) -> None:
        """Moves the clock to `until` (unix seconds), or to the present if that is earlier.

        Raises DemoError when the logs do not settle.
        """
        while (now := self._clock.now()) < until and not self._clock.is_real:
            await self.settle()
            self._clock.forward(min(until, now + STEP))
            self._landed = self._clock.now()

    async def settle(self) -> None:
        """Waits until every entry of every log is cosigned and mirrored, and every log was seen
        since the last move.
        """
        deadline = time.monotonic() + SETTLED_SECONDS
        while late := await self._late():
            if time.monotonic() > deadline:
                raise DemoError(f"logs do not settle: {', '.join(late)}")
            await asyncio.sleep(POLL_SECONDS)

    async def _late(self) -> list[str]:
        regulator = self._stores[str(self._layout.regulator.id)]
        logs = {log.log: log for log in await regulator.read(all_logs)}
        return [
            party
            for party, store in self._stores.items()
            if not self._settled(logs.get(party), await store.read(_size))
        ]

    def _settled(self, log: MirroredLog | None, size: int) -> bool:
        if log is None or log.state != OK:
            return False
        return min(log.size, log.cosigned_size) >= size and log.checked_at >= self._landed


def _size(connection: Connection) -> int:
    last = connection.execute(select(func.max(log_entries.c.index))).scalar_one()
    return 0 if last is None else int(last) + 1
