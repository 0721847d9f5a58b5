"""Time as an argument: whoever needs the present is handed a clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time, in whole seconds since 1970-01-01 UTC."""

    def now(self) -> int:
        """The present."""
        ...


class SystemClock:
    """The machine's clock; keep it synchronised, permits live for minutes."""

    def now(self) -> int:
        """The machine's present, rounded down to a second."""
        return int(time.time())


class FixedClock:
    """A clock that stands until it is moved: for tests and for replaying a recorded day."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        """The time it was last set to."""
        return self._now

    def advance(self, seconds: int) -> None:
        """Moves it by `seconds`."""
        self._now += seconds
