"""Jobs that tests run in workers. Imports nothing heavy: what a worker has loaded is under test."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path


class Awkward(Exception):
    """Pickles to arguments that its constructor does not take."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")


def loaded() -> list[str]:
    return sorted({name.partition(".")[0] for name in sys.modules})


def resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError


def double(number: int) -> int:
    return 2 * number


def pause(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash() -> None:
    ctypes.string_at(0)


def fail(kind: str) -> None:
    raise Awkward("field", "bad") if kind == "awkward" else KeyError(kind)


def setup() -> tuple[int, bool, str]:
    """Niceness, whether SIGINT is ignored, and the start method's parent name."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    parent = multiprocessing.parent_process()
    return os.nice(0), ignored, parent.name if parent else ""


def interrupted() -> str:
    os.kill(os.getpid(), signal.SIGINT)
    return "alive"


def memory(size: int) -> None:
    bytearray(os.urandom(1024) * (size // 1024))
