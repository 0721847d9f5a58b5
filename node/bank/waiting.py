"""Waiting for what is away: which chain a batch waits for, and when it tries again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from node.bank.problems import Problem

FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
"""Seconds between two tries: twice as long each time, until something is answered."""


@dataclass(frozen=True)
class Waiting:
    """Questions that wait: for which chain, since when (unix seconds), and what was the matter."""

    chain: str
    items: int
    since: int
    problem: Problem

    def to_dict(self, language: str) -> dict[str, Any]:
        """As callers see it."""
        return {
            "chain": self.chain,
            "items": self.items,
            "since": self.since,
            "error": self.problem.to_dict(language),
        }


class Backoff:
    """How long to wait next."""

    def __init__(self) -> None:
        self._next = FIRST_WAIT

    def after(self, *, progress: bool) -> float:
        """Seconds to wait after a round, in which something was answered or nothing."""
        if progress:
            self._next = FIRST_WAIT
        found = self._next
        self._next = min(2 * self._next, LONGEST_WAIT)
        return found
