"""Two sides of a row, measured turn by turn.

A turn runs each side once or, where that is too short to time, several times; which side goes
first alternates. The ratio is the median of the turns' ratios, so that whatever slows the
machine for a while slows both sides of it.
"""

from __future__ import annotations

import inspect
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from node.bench.errors import BenchError


class Unit(StrEnum):
    """What a figure counts. Of a rate more is better, of everything else less."""

    MILLISECONDS = "ms"
    MICROSECONDS = "µs"
    RATE = "1/s"
    BYTES = "B"


@dataclass(frozen=True)
class Row:
    """One row. `about` is what Yinxin does, `baseline` what it is compared with."""

    name: str
    unit: Unit
    about: str
    baseline: str


@dataclass(frozen=True)
class Side:
    """What is timed: `run` does `items` pieces of work; if it gives an awaitable, it is awaited."""

    run: Callable[[], object]
    items: int = 1


@dataclass(frozen=True)
class Pair:
    """The two sides of a row: work to be timed, or sizes in bytes of rows that count those."""

    yinxin: Side | int
    baseline: Side | int


@dataclass(frozen=True)
class Result:
    """A measured row. `ratio` is Yinxin's figure over the baseline's; `runs` counts the turns."""

    row: Row
    median: float
    least: float
    runs: int
    baseline_median: float
    ratio: float

    def to_dict(self) -> dict[str, str | float | int]:
        """As in the JSON report."""
        return {
            "name": self.row.name,
            "unit": self.row.unit.value,
            "median": self.median,
            "min": self.least,
            "runs": self.runs,
            "baseline": self.row.baseline,
            "baseline_median": self.baseline_median,
            "ratio": self.ratio,
        }


@dataclass(frozen=True)
class Meter:
    """Measures rows: for `seconds` each, and at least `least_turns` turns.

    `turn` is how long a side runs at least in one turn, in seconds: long against the slices of a
    busy machine's scheduler, which would otherwise fall on one side of a turn and not the other.
    `clock` counts seconds.
    """

    seconds: float
    least_turns: int = 3
    turn: float = 0.04
    clock: Callable[[], float] = time.perf_counter

    def __post_init__(self) -> None:
        if not 0 <= self.seconds <= 3600 or self.least_turns < 1:
            raise BenchError(f"seconds: {self.seconds} a row; give 0 to 3600")

    async def measure(self, row: Row, pair: Pair) -> Result:
        """The row's figures, in its unit."""
        yinxin, baseline = pair.yinxin, pair.baseline
        if isinstance(yinxin, int) or isinstance(baseline, int):
            return _counted(row, pair)
        repeats = (await self._repeats(yinxin), await self._repeats(baseline))
        ours: list[float] = []
        theirs: list[float] = []
        end = self.clock() + self.seconds
        while len(ours) < self.least_turns or self.clock() < end:
            if len(ours) % 2 == 0:
                ours.append(await self._time(yinxin, repeats[0]))
                theirs.append(await self._time(baseline, repeats[1]))
            else:
                theirs.append(await self._time(baseline, repeats[1]))
                ours.append(await self._time(yinxin, repeats[0]))
        figures = [_figure(row.unit, seconds) for seconds in ours]
        bases = [_figure(row.unit, seconds) for seconds in theirs]
        return Result(
            row=row,
            median=statistics.median(figures),
            least=min(figures),
            runs=len(figures),
            baseline_median=statistics.median(bases),
            ratio=statistics.median(a / b for a, b in zip(figures, bases, strict=True)),
        )

    async def _repeats(self, side: Side) -> int:
        """How often a side runs in one turn. These first runs also fill caches and connect."""
        if await self._time(side, 1) * side.items >= self.turn:
            return 1
        return max(1, math.ceil(self.turn / (await self._time(side, 1) * side.items)))

    async def _time(self, side: Side, repeats: int) -> float:
        """Seconds an item."""
        begin = self.clock()
        for _ in range(repeats):
            done = side.run()
            if inspect.isawaitable(done):
                await done
        # A clock of coarse resolution may not have moved.
        return max(self.clock() - begin, 1e-9) / (repeats * side.items)


def _counted(row: Row, pair: Pair) -> Result:
    if not (isinstance(pair.yinxin, int) and isinstance(pair.baseline, int)):
        raise BenchError(f"{row.name}: one side is a size and the other is not")
    size, base = pair.yinxin, pair.baseline
    return Result(row, size, size, 1, base, size / base)


def _figure(unit: Unit, seconds: float) -> float:
    match unit:
        case Unit.MILLISECONDS:
            return seconds * 1e3
        case Unit.MICROSECONDS:
            return seconds * 1e6
        case Unit.RATE:
            return 1 / seconds
        case Unit.BYTES:
            raise BenchError("sizes are counted, not timed")
