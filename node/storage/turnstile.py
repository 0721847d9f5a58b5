"""Turns for the writers of one SQLite database, in all processes of the machine.

SQLite's own lock has no queue: who waits looks again after a while, and a process that writes one
transaction after the other takes the lock back before that, for seconds on end. An operator's
command, such as the one that stops a bank, would wait for a quiet moment. So writers pass two
locks: they hold the first, the queue, while they wait for the second, the turn. Whoever gives its
turn back finds the queue held by the next one. SQLite's lock stays underneath and keeps out
whoever does not ask here.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from node.errors import StorageUnavailable

_LOOK_AGAIN_S = 0.0005


class Turnstile:
    """The turns of one database: two empty files beside it, `-queue` and `-turn`."""

    def __init__(self, database: Path, timeout_s: float) -> None:
        self._queue = database.with_name(f"{database.name}-queue")
        self._turn = database.with_name(f"{database.name}-turn")
        self._timeout_s = timeout_s

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for a turn and holds it; the kernel gives it back if the process dies.

        Raises StorageUnavailable when no turn comes within the timeout.
        """
        end = time.monotonic() + self._timeout_s
        with ExitStack() as held:
            with _lock(self._queue, end):
                held.enter_context(_lock(self._turn, end))
            yield


@contextmanager
def _lock(path: Path, end: float) -> Iterator[None]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageUnavailable(
            f"{path} cannot be opened ({error.strerror}); check its folder and owner"
        ) from error
    try:
        while not _try_lock(descriptor):
            if time.monotonic() > end:
                raise StorageUnavailable(f"another process keeps {path}; look what holds it")
            time.sleep(_LOOK_AGAIN_S)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
