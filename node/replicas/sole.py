"""A node that is one process, over SQLite: a file beside the database says that it serves."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from node.replicas.processes import NotShared, nobody_waits


class SoleProcess:
    """The one process that serves from an SQLite database; commands work beside it."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}-serving")
        self._descriptor: int | None = None
        self.on_call: Callable[[], None] = nobody_waits

    @property
    def leads(self) -> bool:
        """Always: no other process serves."""
        return True

    def call(self) -> None:
        """Nothing: the work is this process's own."""

    async def join(self) -> None:
        """Raises NotShared when another process serves from the database."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise NotShared(
                "another process of this node serves from this database; stop it, or move the "
                "state to PostgreSQL, where a hub or a holder may have replicas"
            ) from error
        self._descriptor = descriptor

    async def check(self) -> None:
        """Nothing: whoever opens the file is beside the one that serves."""

    async def alone(self) -> bool:
        """Always."""
        return True

    async def keep(self) -> None:
        """Until cancelled."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Lets another process serve."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
