"""Where an entry stands in the own log, found by its bytes."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select

from federation.merkle import leaf_hash
from node.log.query_log import QueryLog
from node.storage.schema import log_entries

SKEW: Final = 120
"""Entries are in order of time up to so many seconds, while the clock is not set back further."""


def find_entry(connection: Connection, raw: bytes, time: int) -> int | None:
    """The index of the entry `raw` of `time` (unix seconds); None when there is no such entry."""
    first = _first_since(connection, time - SKEW)
    found = _find(connection, raw, first)
    # Not there: the clock was set back by more, and order of time says nothing.
    return _find(connection, raw, 0) if found is None and first else found


def _find(connection: Connection, raw: bytes, first: int) -> int | None:
    table = log_entries.c
    query = select(table.index).where(table.index >= first, table.leaf_hash == leaf_hash(raw))
    return connection.execute(query.order_by(table.index).limit(1)).scalar_one_or_none()


def _first_since(connection: Connection, time: int) -> int:
    """The index of the first entry of `time` or later, as if entries were in order of time."""
    table = log_entries.c
    low, high = 0, QueryLog.size_in(connection)
    while low < high:
        middle = (low + high) // 2
        at = connection.execute(select(table.time).where(table.index == middle)).scalar_one()
        if at < time:
            low = middle + 1
        else:
            high = middle
    return low
