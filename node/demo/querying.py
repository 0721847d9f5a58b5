"""The demo's queries by consent, each compared with what the original files give."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from federation.uscc import Uscc
from node.demo.agent import OFFICER_QUERIES, AgentClient
from node.demo.errors import DemoError
from scoring.record import Record
from scoring.scorecard import Scorecard

QUERIES_AT_ONCE: Final = 2


@dataclass
class Outcome:
    """What the queries gave."""

    mismatches: int = 0
    milliseconds: list[float] = field(default_factory=list)
    shown: dict[str, Any] = field(default_factory=dict)
    """One result, of a firm that every holder knows if there is one."""

    def quantiles(self) -> dict[str, float]:
        """The median and the 95th percentile, in milliseconds."""
        return {
            "p50": round(statistics.median(self.milliseconds), 1),
            "p95": round(statistics.quantiles(self.milliseconds, n=20)[-1], 1),
        }


@dataclass(frozen=True)
class Querying:
    """A bank's queries under one model; `complain` is told of those that fail."""

    client: AgentClient
    model: str
    scorecard: Scorecard
    complain: Callable[[DemoError], None]

    async def ask(
        self,
        consents: Sequence[tuple[Uscc, str]],
        reference: Mapping[str, int],
        tell: Callable[[int, int], None],
    ) -> Outcome:
        """One query each; `reference` are the right records, as words, by the firm's code."""
        outcome = Outcome()
        gate = asyncio.Semaphore(QUERIES_AT_ONCE)
        layout = self.scorecard.layout()

        async def one(uscc: Uscc, consent: str, number: int) -> None:
            async with gate:
                begin = time.monotonic()
                try:
                    officer = f"officer-{100 + number // OFFICER_QUERIES}"
                    found = await self.client.query(self.model, consent, "02", officer=officer)
                except DemoError as error:
                    # A query that fails is a record that is not exact.
                    self.complain(error)
                    outcome.mismatches += 1
                    return
                outcome.milliseconds.append(1000 * (time.monotonic() - begin))
            record = Record(found["record"]["fields"], found["record"]["coverage"])
            outcome.mismatches += layout.pack(record) != reference[uscc]
            if not outcome.shown or record.coverage == len(self.scorecard.participants):
                outcome.shown = found
            tell(len(outcome.milliseconds), len(consents))

        await asyncio.gather(*(one(u, c, n) for n, (u, c) in enumerate(consents)))
        return outcome
