"""Ends processes whose parent is gone: a process of its own that notices when its pipe closes.

A parent that is killed runs no cleanup, and nodes are in sessions of their own so that a terminal's
Ctrl-C does not reach them before the parent ends them in order.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys

# Reads "+GROUP" and "-GROUP" lines; at the end of its input it kills the groups that are left.
_PROGRAM = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


class Guard:
    """Knows process groups; they do not outlive this process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def add(self, group: int) -> None:
        """Ends this group when the parent is gone."""
        self._write(f"+{group}")

    def remove(self, group: int) -> None:
        """Forgets a group that has ended: its number may be another's one day."""
        self._write(f"-{group}")

    def close(self) -> None:
        """Ends the groups that are left, and then itself."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def _write(self, line: str) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()
