"""What the inspection of a log asks for, and the fault that it ends with."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from federation.errors import FederationError
from federation.tlog.tiles import entries_path, tile_path


class Step(IntEnum):
    """The steps of `federation.tlog.follow`, by their numbers."""

    CHECKPOINT = 1
    COSIGNATURES = 2
    BUNDLES = 3
    TILES = 4
    ROOT = 5
    ENTRIES = 6
    EARLIER = 7


class LogFault(FederationError):
    """The first fault of a log: the step, where (`entry 17`, `tile/0/003 hash 5`), what."""

    def __init__(self, step: Step, where: str, problem: str) -> None:
        self.step = step
        self.where = where
        self.problem = problem
        super().__init__(f"step {int(step)}: {where}: {problem}")


class Wanted(NamedTuple):
    """A file of the log: a hash tile, or with level None an entry bundle."""

    level: int | None
    number: int
    width: int

    @property
    def path(self) -> str:
        """Its path below the log's URL or folder."""
        if self.level is None:
            return entries_path(self.number, self.width)
        return tile_path(self.level, self.number, self.width)
