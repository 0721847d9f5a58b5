"""What runs inside a worker process, and how one is started.

Workers are started by spawn: a new interpreter, made by fork and exec with all inherited file
descriptors closed. Nothing of the parent's threads, locks or gRPC state is in it, and nothing of
the parent's Python runs between fork and exec (CPython makes the child in C; gRPC's fork handlers
are not called). So a worker can be started, and one that died replaced, while gRPC serves.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from types import ModuleType
from typing import Any

from node.workers.errors import JobFailed

_main_lock = threading.Lock()


@contextmanager
def _without_main() -> Iterator[None]:
    """Hides the parent's main module, which spawn would import in the child.

    For a node that is the command line with everything it needs; for a worker 100 MB of nothing.
    """
    with _main_lock:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


class _WorkerProcess(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # multiprocessing's name
        with _without_main():
            return SpawnProcess._Popen(process_obj)


class WorkerContext(SpawnContext):
    """Spawn, without the parent's main module."""

    Process = _WorkerProcess


def initialise(niceness: int, module: str) -> None:
    """Runs once in a new worker: priority, signals, the end with the parent, early import."""
    os.nice(niceness)
    # Control-C reaches the whole group; the node decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    import_module(module)


def _end_with_parent() -> None:
    """A worker waits on a pipe that its siblings keep open, so it has to look for itself."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def call(job: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, int]:
    """Runs one job; its result and the worker's peak memory so far in bytes."""
    try:
        result = job(*arguments)
    except Exception as error:
        raise _portable(error) from error
    return result, peak_memory()


def _portable(error: Exception) -> Exception:
    """The error, if it survives pickling: one that did not would break the whole pool."""
    try:
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own bytes
    except Exception:
        copy = None
    if type(copy) is type(error):
        return error
    return JobFailed(f"{type(error).__name__}: {error}")


def peak_memory() -> int:
    """Highest resident memory of this process in bytes.

    From /proc: what getrusage calls the maximum is, after vfork and exec, the parent's.
    """
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise JobFailed("/proc/self/status: no VmHWM; workers need Linux")


def settle() -> int:
    """The job that a pool runs to see a worker up; its process id."""
    return os.getpid()
