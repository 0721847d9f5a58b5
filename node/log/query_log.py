"""Entries in order of their index, each with its RFC 6962 leaf hash.

An entry is appended within the unit of work whose effect it records, so that both are kept or
neither. Indices run from 0 without gaps: a unit that is rolled back takes its index back with it,
and writers of all processes run one after the other (`node.storage.engine`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, cast, func, insert, select

from federation.merkle import leaf_hash
from node.errors import LogError
from node.log.tables import blob
from node.storage.schema import MAX_ENTRY_BYTES, log_entries
from node.storage.store import Store

_PAGE = 500
_next_index = select(func.coalesce(func.max(log_entries.c.index) + 1, 0)).scalar_subquery()


@dataclass(frozen=True)
class LogPosition:
    """Where an entry stands: its index, and SHA-256(0x00 ‖ entry) of 32 bytes."""

    index: int
    leaf_hash: bytes


@dataclass(frozen=True)
class LogEntry:
    """One entry; `time` in unix seconds."""

    index: int
    leaf_hash: bytes
    kind: str
    time: int
    entry: bytes


class QueryLog:
    """The log of one node, over its store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def append(self, connection: Connection, kind: str, time: int, entry: bytes) -> LogPosition:
        """Appends within the unit of work that `connection` belongs to.

        `kind` has 1 to 64 characters, `time` is unix seconds, `entry` at most 65,535 bytes.
        Raises LogError when one of them is not so.
        """
        if not 1 <= len(kind) <= 64:
            raise LogError(f"kind: has {len(kind)} characters; use 1 to 64")
        if time < 0:
            raise LogError(f"time: {time} is negative; use unix seconds")
        if len(entry) > MAX_ENTRY_BYTES:
            raise LogError(
                f"entry: {len(entry)} bytes; an entry has at most {MAX_ENTRY_BYTES}, split it"
            )
        digest = leaf_hash(entry)
        index = connection.execute(
            insert(log_entries)
            .values(index=_next_index, leaf_hash=digest, kind=kind, time=time, entry=entry)
            .returning(log_entries.c.index)
        ).scalar_one()
        return LogPosition(index, digest)

    async def write(self, kind: str, time: int, entry: bytes) -> LogPosition:
        """Appends an entry that records no change of state; returns once it is durable."""
        return await self._store.run(lambda connection: self.append(connection, kind, time, entry))

    async def size(self) -> int:
        """How many entries there are."""
        return await self._store.read(self.size_in)

    @staticmethod
    def size_in(connection: Connection) -> int:
        """How many entries there are, as `connection` sees it."""
        size: int = connection.execute(select(_next_index)).scalar_one()
        return size

    async def get(self, index: int) -> LogEntry:
        """One entry; raises LogError when there is none of that index."""
        async for entry in self.iterate(index, index + 1):
            return entry
        raise LogError(f"index: the log has no entry {index}; it has {await self.size()}")

    async def iterate(self, start: int = 0, stop: int | None = None) -> AsyncIterator[LogEntry]:
        """The entries from `start` to before `stop`, or to the end, in order.

        Raises LogError at an entry that is missing or no longer has its leaf hash.
        """
        while stop is None or start < stop:
            length = _PAGE if stop is None else min(_PAGE, stop - start)
            page = await self._store.read(partial(_page, start=start, length=length))
            for entry in page:
                if entry.index != start or entry.leaf_hash != leaf_hash(entry.entry):
                    raise LogError(
                        f"entry {start} is missing or changed on disk; "
                        "stop the node and restore its database"
                    )
                start += 1
                yield entry
            if len(page) < length:
                return

    async def count_by_kind(self) -> dict[str, int]:
        """How many entries there are of each kind."""
        query = select(log_entries.c.kind, func.count()).group_by(log_entries.c.kind)
        return await self._store.read(
            lambda connection: {row[0]: row[1] for row in connection.execute(query)}
        )


def _page(connection: Connection, start: int, length: int) -> list[LogEntry]:
    index = log_entries.c.index
    query = select_entries().where(index >= start).order_by(index).limit(length)
    return read_entries(connection, query)


def select_entries() -> Select[Any]:
    """Selects what `read_entries` reads."""
    table = log_entries.c
    time = cast(table.time, BigInteger)
    return select(table.index, blob(table.leaf_hash), blob(table.kind), time, blob(table.entry))


def read_entries(connection: Connection, query: Select[Any]) -> list[LogEntry]:
    """The entries of a query from `select_entries`, whatever an editor of the database left."""
    return [
        LogEntry(index, leaf, kind.decode(errors="replace"), time, entry)
        for index, leaf, kind, time, entry in connection.execute(query)
    ]
