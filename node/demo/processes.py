"""The processes of a chain on this machine: started, watched, stopped, and never left behind."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from node.demo.errors import DemoError
from node.demo.guard import Guard

SAMPLE_SECONDS = 0.25
STOP_SECONDS = 30.0

_LOOPBACK: Final = "127.0.0.1"
_FIRST_PORT: Final = 12_000
_LAST_PORT: Final = 32_000
"""Linux gives out ports from 32,768 on."""
_BLOCK: Final = 64
_claims: list[socket.socket] = []


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on now, all different.

    They are below those that the system gives to outgoing connections and to port 0, and no other
    process that asks here gets them while this one lives: one port of each block is kept bound, as
    the claim to the block.
    """
    found: list[int] = []
    blocks = range(_FIRST_PORT, _LAST_PORT, _BLOCK)
    for first in random.SystemRandom().sample(blocks, len(blocks)):
        if len(found) >= count:
            return found[:count]
        with suppress(OSError):
            _claims.append(socket.create_server((_LOOPBACK, first)))
            found += [port for port in range(first + 1, first + _BLOCK) if _is_free(port)]
    raise DemoError(f"{count} ports from {_FIRST_PORT} on are not free; end what listens there")


def _is_free(port: int) -> bool:
    try:
        socket.create_server((_LOOPBACK, port)).close()
    except OSError:
        return False
    return True


class Processes:
    """Child processes by name, each with a log file; all are stopped when the block is left, and
    killed when this process is.
    """

    def __init__(self, logs: Path, within: Callable[[str], Sequence[str]] = lambda _: ()) -> None:
        """`within` gives, by the name of a process, the command that starts it where it is to run:
        in a network of its own, say. Nothing, for where this process runs.
        """
        self._logs = logs
        self._within = within
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._peak = 0
        self._most = 0
        self._stopping = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="memory", daemon=True)

    def __enter__(self) -> Processes:
        self._logs.mkdir(parents=True, exist_ok=True)
        self._sampler.start()
        self._guard = Guard()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._sampler.join()
        try:
            self.stop_all()
        finally:
            self._guard.close()

    @property
    def peak_rss_mb(self) -> int:
        """Most memory that all processes held at one moment, worker processes included."""
        return round(self._peak / 1e6)

    @property
    def most(self) -> int:
        """Most processes at one moment, worker processes included, this one not."""
        return self._most

    def start(self, name: str, arguments: Sequence[str], module: str = "node.cli") -> None:
        """Starts `yinxin ARGUMENTS`, or another module, in a process of its own session."""
        with self.log_of(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                [*self._within(name), sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._guard.add(self._running[name].pid)

    async def command(self, name: str, arguments: Sequence[str], **options: Path) -> None:
        """Runs `yinxin ARGUMENTS --OPTION PATH …` to its end. Raises DemoError when it fails."""
        for option, path in options.items():
            arguments = [*arguments, f"--{option}", str(path)]
        self.start(name, arguments)
        await asyncio.to_thread(self._running[name].wait)
        self.check(name)
        self._guard.remove(self._running.pop(name).pid)

    def kill(self, name: str) -> None:
        """Ends a process and its workers at once, as a crash would."""
        process = self._running.pop(name)
        _signal_group(process, signal.SIGKILL)
        process.wait()
        self._guard.remove(process.pid)

    def pid(self, name: str) -> int:
        """The id of a process, which is also that of its session: its workers are in it."""
        return self._running[name].pid

    def runs(self, name: str) -> bool:
        """Whether a process was started and has not ended."""
        return name in self._running and self._running[name].poll() is None

    def check(self, name: str) -> None:
        """Raises DemoError, with the end of its log, when a process has failed."""
        code = self._running[name].poll()
        if code:
            tail = self.log_of(name).read_text(errors="replace")[-2000:]
            raise DemoError(f"{name} ended with code {code}; the end of its log:\n{tail}")

    def log_of(self, name: str) -> Path:
        """Where a process writes."""
        return self._logs / f"{name}.log"

    def stop(self, name: str) -> None:
        """Ends one process in order."""
        self._stop([name])

    def stop_all(self) -> None:
        """Ends all of them in order; one that does not end in time is killed."""
        self._stop(list(self._running))

    def _stop(self, names: Sequence[str]) -> None:
        stopping = {name: self._running.pop(name) for name in names}
        for process in stopping.values():
            if process.poll() is None:
                process.terminate()
        for process in stopping.values():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            finally:
                # Workers end with their node; whatever did not is ended here.
                _signal_group(process, signal.SIGKILL)
                process.wait()
                self._guard.remove(process.pid)

    def _sample(self) -> None:
        while not self._stopping.wait(SAMPLE_SECONDS):
            total = count = 0
            for process in list(self._running.values()):
                for found in _tree(process.pid):
                    try:
                        total += found.memory_info().rss
                        count += 1
                    except psutil.Error:
                        continue  # it ended in between
            self._peak = max(self._peak, total)
            self._most = max(self._most, count)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return []


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return  # all of the group have ended
