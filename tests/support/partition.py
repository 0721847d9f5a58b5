"""A network of its own for a chain's processes, and a cable that can be pulled.

A Linux network namespace, joined to this process's network by a pair of virtual interfaces. Where
one cannot be made (another system, no privileges), there is none, and the caller pauses processes.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


class Namespace:
    """One namespace. `here` and `there` are the two ends' IPv4 addresses."""

    def __init__(self, name: str, interface: str, here: str, there: str) -> None:
        self.name, self.here, self.there = name, here, there
        self._interface, self._inside = interface, f"{interface}p"

    @classmethod
    def make(cls) -> Namespace | None:
        """A new one; None where none can be made."""
        tag = f"{os.getpid() & 0xFFFF:x}{secrets.token_hex(1)}"
        middle = f"10.{64 + secrets.randbelow(64)}.{secrets.randbelow(256)}"
        found = cls(f"yinxin-{tag}", f"yx{tag}", f"{middle}.1", f"{middle}.2")
        try:
            found._set_up()
        except (OSError, subprocess.CalledProcessError):
            found.remove()
            return None
        return found

    def command(self) -> list[str]:
        """What starts a program inside, as the same process."""
        return ["ip", "netns", "exec", self.name]

    @contextmanager
    def cut(self) -> Iterator[None]:
        """While the cable is pulled, packets of both sides are lost without a word."""
        # The far end: without the near one, packets would take the way to the world.
        _ip("-n", self.name, "link", "set", self._inside, "down")
        try:
            yield
        finally:
            _ip("-n", self.name, "link", "set", self._inside, "up")

    def remove(self) -> None:
        """The namespace and both interfaces; its processes have ended."""
        for command in (["link", "del", self._interface], ["netns", "del", self.name]):
            subprocess.run(["ip", *command], capture_output=True, check=False)

    def _set_up(self) -> None:
        inside = self._inside
        _ip("netns", "add", self.name)
        _ip("link", "add", self._interface, "type", "veth", "peer", "name", inside)
        _ip("link", "set", inside, "netns", self.name)
        _ip("addr", "add", f"{self.here}/30", "dev", self._interface)
        _ip("link", "set", self._interface, "up")
        for command in (
            ["addr", "add", f"{self.there}/30", "dev", inside],
            ["link", "set", inside, "up"],
            ["link", "set", "lo", "up"],
        ):
            _ip("-n", self.name, *command)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, check=True)
