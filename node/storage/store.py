"""A node's database: opened, brought up to date, written by one thread, read by several."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine

from node.errors import StorageUnavailable
from node.storage.committer import GroupCommitter, Unit
from node.storage.engine import open_engine, reading, scrub
from node.storage.migrate import upgrade

T = TypeVar("T")


class Store:
    """The state of one node. Open it once a process; close it last."""

    def __init__(self, engine: Engine, committer: GroupCommitter, readers: int) -> None:
        self.engine = engine
        self.committer = committer
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="yinxin-reader")

    @classmethod
    def open(
        cls,
        url: str,
        *,
        pool: int = 8,
        batch: int = 256,
        waiting: int = 8192,
        busy_timeout_s: float = 10.0,
    ) -> Store:
        """Opens the database at an SQLAlchemy URL and migrates it to this program's schema.

        Raises StorageError for a bad URL, SchemaError for a database of a newer program, and
        StorageUnavailable when it cannot be reached.
        """
        engine = open_engine(url, pool=pool, busy_timeout_s=busy_timeout_s)
        try:
            upgrade(engine)
        except BaseException:
            engine.dispose()
            raise
        committer = GroupCommitter(engine, batch=batch, waiting=waiting)
        committer.start()
        # One connection of the pool is the writer's.
        return cls(engine, committer, max(1, pool - 1))

    @property
    def healthy(self) -> bool:
        """Whether the last write reached the disk."""
        return self.committer.healthy

    async def run(self, unit: Unit[T]) -> T:
        """Runs a unit of work; returns once it is durable. Errors: `GroupCommitter.run`."""
        return await self.committer.run(unit)

    def run_blocking(self, unit: Unit[T]) -> T:
        """`run` for a thread without an event loop."""
        return self.committer.run_blocking(unit)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Runs `query` on one snapshot in a reader's thread; it cannot write.

        Return plain values: rows that are still to be fetched die with the connection.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self._readers, self.read_blocking, query
        )

    def read_blocking(self, query: Callable[[Connection], T]) -> T:
        """`read` for a thread without an event loop."""
        try:
            with reading(self.engine) as connection:
                return query(connection)
        except StorageUnavailable:
            self.committer.doubt()
            raise

    async def scrub(self, *tables: str) -> None:
        """Makes sure that rows deleted from `tables` are gone from the database's files.

        SQLite overwrites deleted rows at once, but its write-ahead log keeps older pages until it
        is emptied; PostgreSQL keeps dead rows until the table is rewritten (which locks it), and
        its own write-ahead log keeps them until the server recycles it. Raises StorageUnavailable
        when a transaction that is still open prevents it.
        """
        await asyncio.get_running_loop().run_in_executor(self._readers, scrub, self.engine, tables)

    def close(self, timeout_s: float | None = 30.0) -> None:
        """Finishes the units that wait, then lets go of the database."""
        try:
            self.committer.stop(timeout_s)
        finally:
            self._readers.shutdown(cancel_futures=True)
            self.engine.dispose()
