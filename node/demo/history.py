"""Replays weeks of a chain's life before the present: real epochs, real consents, real queries.

Each week the chain enrols more firms, holders load what they knew then, the hub opens an epoch, and
on its office days the bank's officers ask: about firms that apply, more of them every week, and
about the borrowers that they watch, each once an epoch. Nothing is written but by the parties'
nodes, at the time that the sandbox's clock shows.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from federation.identity import SpiffeId
from federation.pki import SubjectAuthority
from federation.purpose import Purpose
from federation.uscc import Uscc
from node.demo import calendar, setup
from node.demo.agent import AgentClient
from node.demo.clock import SandboxClock
from node.demo.firm import Firm
from node.demo.layout import Layout
from node.demo.loading import load_epoch
from node.demo.people import WATCHERS
from node.demo.settling import Settling
from node.enterprise.enterprise import DAY, ConsentTerms, Enterprise, enrol_enterprises
from node.enterprise.giving import give_consent
from node.sample import generate
from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard

Tell = Callable[[int, int], None]

EPOCH_DAYS: Final = 6.5
"""From Monday morning to Sunday evening."""
WATCHED: Final = 30
"""Borrowers that are asked about in every epoch; in a small chain fewer."""
FIRMS_A_BORROWER: Final = 20
FIRST_DAILY: Final = 4
"""New firms on a day of the first week; one more each week."""
MOST_DAILY: Final = 16
MONTH: Final = 30.4
"""Days of a month, by which what holders knew drifts."""
MOST_MONTHS: Final = 4.0
FIRM_DAYS: Final = 60
"""How long firms' certificates outlast the history."""
QUERIES_AT_ONCE: Final = 2
CONSENT_DAYS: Final = 30
FIRST_FIRMS: Final = 1_200
"""Firms that are enrolled in the first week, and so many more each week."""
WEEKLY_FIRMS: Final = 300

OFFICERS: Final = ("officer-21", "officer-22", "officer-23", "officer-24", "officer-25")
_RHYTHM: Final = (1.2, 1.1, 1.0, 0.9, 0.7)
"""Monday to Friday."""
_PURPOSES: Final = {
    Purpose.LOAN_APPROVAL: 55,
    Purpose.LIMIT_APPROVAL: 20,
    Purpose.GUARANTOR_CHECK: 15,
    Purpose.FINANCING_APPROVAL: 10,
}
_NEED_APPLICATION: Final = frozenset({Purpose.LOAN_APPROVAL, Purpose.FINANCING_APPROVAL})


@dataclass
class History:
    """What was replayed. `codes` are all that can be enrolled; those in `used` were asked about."""

    layout: Layout
    clock: SandboxClock
    licence: SubjectAuthority
    codes: Sequence[Uscc]
    catalogue: Catalogue
    scorecard: Scorecard
    seed: int
    weeks: Sequence[Sequence[date]]
    """Its office days, by week."""
    model: str = ""
    epoch: int = 0
    queries: int = 0
    watched: list[Enterprise] = field(default_factory=list)
    firm: Firm | None = None
    """One of the watched, which has an agent of its own."""
    _new: Iterator[Enterprise] = field(default_factory=lambda: iter(()))

    def __post_init__(self) -> None:
        # What is chosen by it decides who is asked about, and nothing that is secret.
        self._chance = random.Random(self.seed)  # noqa: S311

    @property
    def used(self) -> frozenset[Uscc]:
        """Firms that it asked, or may ask, about."""
        return frozenset(self.codes[: self._enrolled(len(self.weeks))])

    async def begin(self) -> None:
        """Enrols the first firms and announces the first epoch."""
        await self._sample(0)
        codes = list(self.codes[: self._enrolled(0)])
        self.epoch = await setup.announce(self.layout, codes, self.catalogue, EPOCH_DAYS)
        now, days = self.clock.now(), 7 * len(self.weeks) + FIRM_DAYS
        watched = min(WATCHED, len(codes) // FIRMS_A_BORROWER)
        chosen = codes[: watched + self._most_new()]
        firms = await asyncio.to_thread(enrol_enterprises, self.licence, chosen, now, days)
        self.watched, self._new = firms[:watched], iter(firms[watched:])
        self.firm = await Firm.settle(self.layout, self.watched[0], self.licence)

    async def open(self) -> None:
        """Loads and opens the epoch that was announced last."""
        await load_epoch(self.layout, self._folder, self.epoch, lambda *_: None)
        await setup.open_epoch(self.layout, self.epoch)

    async def replay(self, client: AgentClient, tell: Tell) -> None:
        """The weeks, the first of which has begun, and then the way up to the present."""
        days, done = sum(map(len, self.weeks)), 0
        for number in range(len(self.watched)):
            await client.open("loan", _loan(number), _watcher(number))
        async with Settling(self.layout, self.clock) as settling:
            for number, week in enumerate(self.weeks):
                if number:
                    await settling.move(calendar.moment(week[0], calendar.OPENS))
                    await self._next_epoch(client, number)
                for place, day in enumerate(week):
                    hour = self._chance.uniform(calendar.FIRST_HOUR, calendar.LAST_HOUR)
                    await settling.move(calendar.moment(day, hour))
                    await self._ask(client, self._day(number, day, place))
                    done += 1
                    tell(done, days)
            while not self.clock.is_real:
                await settling.move(self.clock.now() + DAY)

    async def watch(self, client: AgentClient) -> None:
        """Asks about every watched borrower in the epoch that is open now."""
        await self._ask(client, [self._watch(n) for n in range(len(self.watched))])

    def _enrolled(self, week: int) -> int:
        """Firms that are enrolled in a week: a part of all, and at most one bucket of them."""
        return min(FIRST_FIRMS + WEEKLY_FIRMS * week, len(self.codes) // 2)

    def _most_new(self) -> int:
        return min(self._enrolled(0) - WATCHED, sum(map(len, self.weeks)) * MOST_DAILY)

    @property
    def _folder(self) -> Path:
        return self.layout.root / "earlier"

    async def _sample(self, week: int) -> None:
        """What the holders knew in a week."""
        months = min((len(self.weeks) - week) * 7 / MONTH, MOST_MONTHS)
        today, count = calendar.day_of(self.clock.now()), len(self.codes) + 1
        await asyncio.to_thread(
            generate, count, self.seed, self._folder, today=today, months_back=months
        )

    async def _next_epoch(self, client: AgentClient, week: int) -> None:
        await self._sample(week)
        codes = list(self.codes[: self._enrolled(week)])
        self.epoch = await setup.announce(self.layout, codes, None, EPOCH_DAYS)
        await self.open()
        await client.prepare(self.model, lambda *_: None, self.epoch)

    def _day(self, week: int, day: date, place: int) -> list[_Question]:
        """The questions of a week's day, the `place`th of its office days."""
        count = min(round((FIRST_DAILY + week) * _RHYTHM[day.weekday()]), MOST_DAILY)
        purposes = self._chance.choices(list(_PURPOSES), list(_PURPOSES.values()), k=count)
        asked = [
            _Question(firm, purpose, self._chance.choice(OFFICERS))
            for purpose, firm in zip(purposes, self._new, strict=False)
        ]
        if not calendar.same_week(day, calendar.day_of(int(time.time()))):
            # In the present week they are asked about at its end: `watch`.
            turn = range(place, len(self.watched), len(self.weeks[week]))
            asked += [self._watch(number) for number in turn]
        self._chance.shuffle(asked)
        return asked

    def _watch(self, number: int) -> _Question:
        return _Question(self.watched[number], Purpose.POST_LOAN, _watcher(number), _loan(number))

    async def _ask(self, client: AgentClient, questions: Sequence[_Question]) -> None:
        gate = asyncio.Semaphore(QUERIES_AT_ONCE)

        async def one(question: _Question, number: int) -> None:
            async with gate:
                await self._question(client, question, f"A{number:09d}")

        await asyncio.gather(*(one(q, self.queries + n) for n, q in enumerate(questions)))
        self.queries += len(questions)

    async def _question(self, client: AgentClient, question: _Question, reference: str) -> None:
        reference = question.reference or reference
        if question.purpose in _NEED_APPLICATION:
            await client.open("application", reference, question.officer)
        consent = await self._consent(question)
        await client.query(
            self.model, consent, question.purpose.value, officer=question.officer,
            reference=reference,
        )  # fmt: skip

    async def _consent(self, question: _Question) -> str:
        terms = self._terms(self.layout.bank.id, question.purpose)
        if self.firm is None or question.firm is not self.firm.enterprise:
            return question.firm.consent(terms, self.clock.now())
        async with self.firm.agent() as agent:
            given, _ = await give_consent(agent, terms)
        return given.consent.compact

    def _terms(self, bank: SpiffeId, purpose: Purpose) -> ConsentTerms:
        return ConsentTerms(
            bank=bank,
            purpose=purpose,
            fields=tuple(f.name for f in self.scorecard.fields),
            chains=(self.layout.chain,),
            days=CONSENT_DAYS,
            disclosed=self.scorecard.disclosed,
        )

    def value(self) -> dict[str, Any]:
        """What the result document says of it."""
        return {"days": sum(map(len, self.weeks)), "epochs": self.epoch, "queries": self.queries}


@dataclass(frozen=True)
class _Question:
    """Who asks about whom, and why; `reference` is of a loan."""

    firm: Enterprise
    purpose: Purpose
    officer: str
    reference: str = ""


def _watcher(number: int) -> str:
    return WATCHERS[number % len(WATCHERS)]


def _loan(number: int) -> str:
    return f"L{number + 1:09d}"
