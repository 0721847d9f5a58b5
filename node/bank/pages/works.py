"""Long work that a page began: an account's own, with how far it is and what came of it.

A work lives as long as the process. What it makes is kept where it belongs before it is done, so
that one that is lost is simply begun again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from federation.errors import FederationError
from node.bank.problems import Problem, problem_of
from node.errors import NodeError
from scoring.errors import ScoringError

KEPT: Final = 64

_log = structlog.get_logger(__name__)


@dataclass
class Work:
    """One work. `kind` says which page shows it, `about` what it is of; `result` is what it made,
    `error` why it made nothing.
    """

    id: str
    account: bytes
    kind: str
    about: Any = field(default=None, repr=False)
    done: int = 0
    total: int = 0
    note: tuple[int, int] | None = None
    """What else is to be told of it, as its page knows."""
    running: bool = True
    result: Any = field(default=None, repr=False)
    error: Exception | None = field(default=None, repr=False)
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def problem(self) -> Problem | None:
        """What came in its way, as a problem."""
        return None if self.error is None else problem_of(self.error)

    def tell(self, done: int, total: int) -> None:
        """So much is done, of so much."""
        self.done, self.total = done, total


class Works:
    """The works of one process, the newest of them once they are done."""

    def __init__(self) -> None:
        self._works: OrderedDict[str, Work] = OrderedDict()

    def begin(
        self, account: bytes, kind: str, about: Any, do: Callable[[Work], Awaitable[Any]]
    ) -> Work:
        """Begins a work."""
        work = Work(secrets.token_hex(16), account, kind, about)
        self._works[work.id] = work
        over = [one.id for one in self._works.values() if not one.running]
        for identifier in over[: max(0, len(self._works) - KEPT)]:
            del self._works[identifier]
        work.task = asyncio.create_task(self._run(work, do))
        return work

    def get(self, identifier: str, account: bytes, kind: str) -> Work | None:
        """A work of that account and kind."""
        work = self._works.get(identifier)
        if work is None or (work.account, work.kind) != (account, kind):
            return None
        return work

    def latest(self, kind: str) -> Work | None:
        """The latest work of a kind, whoever began it."""
        return next((work for work in reversed(self._works.values()) if work.kind == kind), None)

    def running(self, kind: str) -> Work | None:
        """A work of a kind that is under way, whoever began it."""
        return next((w for w in self._works.values() if w.kind == kind and w.running), None)

    async def keep(self) -> None:
        """Lasts as long as the node, and ends what runs when it is cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Ends what runs."""
        tasks = [work.task for work in self._works.values() if work.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, work: Work, do: Callable[[Work], Awaitable[Any]]) -> None:
        try:
            work.result = await do(work)
        except (NodeError, FederationError, ScoringError) as error:
            work.error = error
        except Exception as error:  # the work's own edge: nobody else would see it
            _log.exception("work failed", kind=work.kind)
            work.error = error
        finally:
            work.running = False
