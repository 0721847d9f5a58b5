"""Who is judged when, and by which worker: certification policy beside a serving node.

One submission is judged at a time, for policy looks at everything certified before. The others
wait, a bounded number of them, and of one bank no more than two. The worker is started with the
first submission. It is ended when its time is over or when nobody waits for it any more: a bank
that hangs up, or the end of the node, leaves no process behind that works for minutes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from federation.identity import SpiffeId
from federation.policy import PolicyReport
from node.config import RegulatorConfig
from node.regulator.errors import DeskBusy, PolicyTimeout
from node.workers import policy
from node.workers.pool import WorkerPool
from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard

MOST_OF_A_BANK = 2
"""Submissions of one bank that are judged or wait."""

Ahead = Callable[[int], None]
"""Told how many submissions are judged first; 0 once it is this one's turn."""


@dataclass(frozen=True)
class Past:
    """What was certified before: a scorecard (JSON), its catalogue, whether it is valid now, and
    the peer chain that certified it, empty for the own one.
    """

    scorecard: str
    catalogue: Catalogue
    valid: bool
    chain: str = ""


@dataclass
class Queue:
    """Turns, first come first served."""

    most: int
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: list[tuple[SpiffeId, Ahead]] = field(default_factory=list)
    _of: Counter[SpiffeId] = field(default_factory=Counter)

    @property
    def length(self) -> int:
        """Whoever has the turn, and those that wait for it."""
        return len(self._waiting)

    @property
    def banks(self) -> tuple[SpiffeId, ...]:
        """Of whom the submissions are, with the one that is judged first; then as they wait."""
        return tuple(bank for bank, _ in self._waiting)

    @asynccontextmanager
    async def turn(self, bank: SpiffeId, ahead: Ahead) -> AsyncIterator[None]:
        """The bank's turn, once it has come. Raises DeskBusy at once when too many wait."""
        if len(self._waiting) > self.most or self._of[bank] >= MOST_OF_A_BANK:
            raise DeskBusy(f"{len(self._waiting)} submissions are at the desk; try later")
        self._of[bank] += 1
        self._waiting.append((bank, ahead))
        self._tell()
        try:
            async with self._turn:
                yield
        finally:
            self._waiting.remove((bank, ahead))
            self._of[bank] -= 1
            if not self._of[bank]:
                del self._of[bank]
            self._tell()

    def _tell(self) -> None:
        for place, (_, ahead) in enumerate(self._waiting):
            ahead(place)


class PolicyWorker:
    """Applies the regulator's policy in a process of its own."""

    def __init__(self, config: RegulatorConfig) -> None:
        self._thresholds = config.policy.model_dump(mode="json")
        self._seconds = config.certification.seconds
        self._pool = WorkerPool(1, module=policy.__name__)

    async def judge(
        self, scorecard: Scorecard, catalogue: Catalogue, past: Sequence[Past]
    ) -> PolicyReport:
        """The report. Raises PolicyError, ScoringError, PolicyTimeout, WorkerLost."""
        catalogues = {one.digest(): one for one in (catalogue, *(p.catalogue for p in past))}
        try:
            # Within: a bank may hang up while the worker comes up, and it ends all the same.
            await self._pool.start()
            async with asyncio.timeout(self._seconds):
                report = await self._pool.run(
                    policy.apply_policy,
                    scorecard.to_json(),
                    catalogue.digest(),
                    self._thresholds,
                    [(one.scorecard, one.catalogue.digest(), one.valid, one.chain) for one in past],
                    {digest: one.to_json() for digest, one in catalogues.items()},
                )
        except TimeoutError as error:
            self._pool.kill()
            raise PolicyTimeout(
                f"policy took more than {self._seconds:g} seconds; "
                "raise certification.seconds, or give the node a faster machine"
            ) from error
        except asyncio.CancelledError:
            self._pool.kill()
            raise
        return PolicyReport.from_json(report)

    async def close(self) -> None:
        """Ends the worker, whatever it does."""
        self._pool.kill()
        await self._pool.stop()
