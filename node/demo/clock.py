"""The clock of a sandbox: the machine's, set back by a time that all its processes share.

A sandbox is founded in the past and brought up to the present: what its charts show of weeks are
real queries, whose entries bear the time at which they were written by this clock. It is only ever
moved forward, for all parties at one moment, so that no log has a later entry of an earlier time.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path
from typing import Final

from node.demo.errors import DemoError

_OFFSET: Final = struct.Struct("=q")


class SandboxClock:
    """As `node.clock.Clock`; the offset (seconds, 0 or less) stands in a file of eight bytes."""

    def __init__(self, file: Path) -> None:
        self.file = file
        with file.open("r+b") as opened:
            self._offset = mmap.mmap(opened.fileno(), _OFFSET.size)

    @classmethod
    def create(cls, file: Path, behind: int = 0) -> SandboxClock:
        """A new clock that is `behind` the machine's by so many seconds.

        Raises DemoError for one that would be ahead.
        """
        if behind < 0:
            raise DemoError(f"clock: it would be {-behind} s ahead; start it in the past")
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(_OFFSET.pack(-behind))
        return cls(file)

    def now(self) -> int:
        """The sandbox's present, rounded down to a second."""
        return int(time.time()) + self._read()

    @property
    def is_real(self) -> bool:
        """Whether it has come up to the machine's clock, which it follows from then on."""
        return self._read() == 0

    def forward(self, until: int) -> None:
        """Moves it to `until` (unix seconds), or to the machine's time if that is earlier.

        Raises DemoError for a time that is over: logs are never back-dated.
        """
        back = until - self.now()
        if back < 0:
            raise DemoError(f"clock: {until} was {-back} s ago, and it never goes back")
        # Eight aligned bytes: no process sees half of them.
        self._offset[:] = _OFFSET.pack(min(0, self._read() + back))

    def _read(self) -> int:
        (offset,) = _OFFSET.unpack(self._offset[:])
        return int(offset)
