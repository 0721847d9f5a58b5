"""What a group of rows gets to work with, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from node.bench.measure import Pair, Row

COLUMNS, FEATURES, BINS = 100, 10, 10
"""The model of every row: ten features of ten bins each, one holder's share of a scorecard."""
HOLDERS = 6


@dataclass(frozen=True)
class Setting:
    """Where the rows may write, the PostgreSQL server to measure, if any (a URL), and how long
    the log is that is too long to be looked at whole.
    """

    folder: Path
    postgresql: str | None = None
    entries: int = 1_000_000


Pairs = Mapping[str, Pair | str]
"""By the row's name: its two sides, or why the row cannot be measured here."""
Prepare = Callable[[Setting], AbstractAsyncContextManager[Pairs]]


@dataclass(frozen=True)
class Group:
    """Rows that share their preparation. Row names begin with the group's name and a dot."""

    name: str
    rows: tuple[Row, ...]
    prepare: Prepare
