"""A node whose state is in PostgreSQL: its processes, and the one of them that leads.

Leading, and what a process has of what all share, are locks of a session (`LockSession`).
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import structlog

from node.errors import StorageError
from node.replicas.processes import NotShared, nobody_waits
from node.replicas.sharing import SHARED
from node.storage.session import IDLE_SECONDS, LockSession

LEADER_LOCK: Final = 0x59_58_4C_45_41_44
"""Key of the advisory lock of the process that leads: "YXLEAD"."""
BEAT_SECONDS: Final = 0.25
JOIN_SECONDS: Final = IDLE_SECONDS + 10.0
"""How long a start waits for a process that is gone, and that the server does not know to be."""

_KIND: Final = 0x59_58_00_00
"""The first number of a shared lock, with the place of what is shared; the second is its hash."""

T = TypeVar("T")
_log = structlog.get_logger(__name__)


class Replicas:
    """The serving processes of a node on PostgreSQL, as one of them knows them."""

    def __init__(self, session: LockSession, shared: Mapping[str, bytes], *, sole: bool) -> None:
        """`sole` for a node that is one process, which leads or does not serve."""
        self._session = session
        self._shared = {SHARED.index(name): _number(value) for name, value in shared.items()}
        self._sole = sole
        self._leads = False
        self._calling = False
        # Of its own: a beat that waits behind other work would lose the lock.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="yinxin-replicas")
        self.on_call: Callable[[], None] = nobody_waits

    @property
    def leads(self) -> bool:
        """Whether this process had the leader's lock at the last beat."""
        return self._leads

    def call(self) -> None:
        """Wakes the leader at the next beat."""
        self._calling = not self._leads

    async def join(self, seconds: float = JOIN_SECONDS) -> None:
        """Waits up to `seconds` for a process that is gone. Raises NotShared, StorageError."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            try:
                await self._run(self._enter)
                return
            except NotShared:
                if loop.time() > end:
                    raise
            # Two that come at once and do not fit refuse each other: not again at the same time.
            await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311 (a pause, no secret)

    async def check(self) -> None:
        """Raises NotShared, StorageError. Takes no lock. A command publishes no log."""
        if not self._shared:
            return

        def look() -> None:
            self._session.open()
            try:
                self._compare({p for p, name in enumerate(SHARED) if not name.startswith("tlog.")})
            finally:
                self._session.close()

        await self._run(look)

    async def alone(self) -> bool:
        """Whether no other process of the node serves now. Raises StorageError."""
        return not await self._run(self._others)

    async def keep(self) -> None:
        """Beats until cancelled; after an outage of the database it joins again."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                if await self._run(self._beat):
                    self.on_call()
            except StorageError as error:
                self._leads = False
                _log.warning("not among the node's processes", error=str(error))
                await self._rejoin()

    async def close(self) -> None:
        """Lets another process lead at once."""
        self._leads = False
        await self._run(self._session.close)
        self._thread.shutdown()

    async def _rejoin(self) -> None:
        while True:
            try:
                await self.join()
                return
            except StorageError:
                await asyncio.sleep(4 * BEAT_SECONDS)

    def _enter(self) -> None:
        self._session.open()
        try:
            if self._sole and not self._session.try_lock(LEADER_LOCK):
                raise NotShared("another process of this node serves from this database; stop it")
            for place, value in self._shared.items():
                self._session.share(_KIND + place, value)
            self._compare(set(self._shared))
        except NotShared:
            self._session.close()
            raise
        self._leads = self._sole or self._session.try_lock(LEADER_LOCK)

    def _compare(self, places: set[int]) -> None:
        for place, value in sorted(self._others()):
            if place in places and self._shared.get(place, value) != value:
                raise NotShared(
                    f"{SHARED[place]}: another process of this node runs with a different one; "
                    "replicas share it: correct this one's, or stop the other"
                )

    def _others(self) -> set[tuple[int, int]]:
        found = self._session.shared_by_others()
        return {(k - _KIND, v) for k, v in found if 0 <= k - _KIND < len(SHARED)}

    def _beat(self) -> bool:
        """Whether there is work for the leader that cannot wait."""
        called = self._session.called()
        if self._calling:
            self._calling = False
            self._session.call()
        if self._leads:
            return called
        self._leads = self._session.try_lock(LEADER_LOCK)
        return self._leads

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _number(value: bytes) -> int:
    return int.from_bytes(hashlib.sha256(value).digest()[:4], "big")
