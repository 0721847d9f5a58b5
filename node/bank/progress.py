"""How far a preparation has come, and what it came to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[int, int, int], None]
"""Told the buckets that are done, of how many, and the bytes fetched so far."""


@dataclass(frozen=True)
class Prepared:
    """What is prepared of a model and epoch. `fetched` buckets and `bytes` are of this run."""

    epoch: int
    buckets: int
    fetched: int
    bytes: int


class Run:
    """How far a preparation has come."""

    def __init__(self, total: int, done: int, progress: Progress | None) -> None:
        self._total, self._done, self._progress = total, done, progress
        self.bytes = 0
        self._tell()

    def add(self, size: int) -> None:
        """One more bucket, fetched with so many bytes."""
        self._done += 1
        self.bytes += size
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._done, self._total, self.bytes)
