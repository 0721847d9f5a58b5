"""A mapping that forgets: what was put in one to two windows ago, and nothing newer.

Two generations: the younger takes what comes in, and takes the older's place when its window is
full. So memory follows the window and not the log, and nothing is looked up more than twice.
"""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

EPOCH_SECONDS = 93 * 86_400
"""An epoch answers for 92 days at most, and so does whatever belongs to one."""


class Recent(Generic[K, V]):
    """Remembers every key for `window` seconds at least, and twice as long at most."""

    def __init__(self, window: int = EPOCH_SECONDS) -> None:
        self._window = window
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._since: int | None = None

    def get(self, key: K) -> V | None:
        """The value that was put first and is not forgotten."""
        value = self._young.get(key)
        return self._old.get(key) if value is None else value

    def put(self, key: K, value: V, time: int) -> None:
        """Remembers from `time` (unix seconds, of roughly rising order) on."""
        if self._since is None:
            self._since = time
        if time - self._since >= self._window:
            self._old, self._young, self._since = self._young, {}, time
        self._young[key] = value
