"""Queries of banks in their own chain and in others, each compared with the reference."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from federation.pki import SubjectAuthority
from federation.purpose import Purpose
from federation.uscc import Uscc
from node.demo.agent import OFFICER_QUERIES, AgentClient
from node.demo.chains.network import Network
from node.demo.errors import DemoError
from node.demo.starting import Tell
from node.enterprise.enterprise import ConsentTerms, Enterprise, enrol_enterprises
from scoring.record import Record
from scoring.scorecard import Scorecard

FIRM_DAYS: Final = 30
AT_ONCE: Final = 2


@dataclass
class Tally:
    """What queries came to: how many were asked, how many gave no record, how many a wrong one."""

    queries: int = 0
    failures: int = 0
    mismatches: int = 0
    milliseconds: list[float] = field(default_factory=list)
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Records by the bank's home chain and the chain that made them."""


class Firms:
    """The enrolled firms of every chain; each is asked about by one part of the demo only."""

    def __init__(self, codes: Mapping[str, Sequence[Uscc]], licence: SubjectAuthority) -> None:
        self._licence = licence
        everywhere = set.intersection(*(set(found) for found in codes.values()))
        several = {code for code, count in Counter(_all(codes)).items() if count > 1}
        random = secrets.SystemRandom()
        self._common = random.sample(sorted(everywhere), len(everywhere))
        self._alone = {
            chain: random.sample(own, len(own))
            for chain, found in codes.items()
            for own in [[code for code in found if code not in several]]
        }

    def alone(self, chain: str, count: int) -> list[Enterprise]:
        """Firms that only this chain enrols."""
        return self._enrol(self._alone[chain], count)

    def common(self, count: int) -> list[Enterprise]:
        """Firms that every chain enrols."""
        return self._enrol(self._common, count)

    def _enrol(self, codes: list[Uscc], count: int) -> list[Enterprise]:
        if len(codes) < count:
            raise DemoError("enterprises: too few for these queries; ask for more")
        taken = [codes.pop() for _ in range(count)]
        return enrol_enterprises(self._licence, taken, int(time.time()), FIRM_DAYS)


@dataclass(frozen=True)
class Desk:
    """The banks' own systems: a client and the models (certificates' hashes) of each bank.

    `models` is by home chain and chain, `scorecards` and `references` are by chain.
    """

    network: Network
    clients: Mapping[str, AgentClient]
    models: Mapping[tuple[str, str], str]
    scorecards: Mapping[str, Scorecard]
    references: Mapping[str, Mapping[str, int]]
    complain: Callable[[str], None]

    def terms(self, home: str, chains: Sequence[str]) -> ConsentTerms:
        """What a firm consents to when a bank of `home` asks about it in `chains`."""
        card = self.scorecards[chains[0]]
        return ConsentTerms(
            bank=self.network.chains[home].bank.id,
            purpose=Purpose.LOAN_APPROVAL,
            fields=tuple(f.name for f in card.fields),
            chains=tuple(chains),
            days=FIRM_DAYS,
            disclosed=card.disclosed,
        )

    def consent(self, firm: Enterprise, home: str, chains: Sequence[str]) -> str:
        """A firm's consent, for one use a chain."""
        return firm.consent(self.terms(home, chains), int(time.time()))

    def is_exact(self, chain: str, uscc: str, record: Mapping[str, Any]) -> bool:
        """Whether a record is what the chain's original files give."""
        found = Record(record["fields"], record["coverage"])
        return self.scorecards[chain].layout().pack(found) == self.references[chain][uscc]

    async def ask(
        self, asked: Iterable[tuple[str, str, Enterprise]], tell: Tell, tally: Tally | None = None
    ) -> Tally:
        """Asks about firms: each with the bank's home chain and the chain that enrols the firm."""
        total, questions = tally or Tally(), list(asked)
        gate = asyncio.Semaphore(AT_ONCE)
        done = 0

        async def one(number: int, home: str, chain: str, firm: Enterprise) -> None:
            nonlocal done
            consent = self.consent(firm, home, [chain])
            officer = f"officer-{chain}-{number // OFFICER_QUERIES}"
            async with gate:
                total.queries += 1
                begin = time.monotonic()
                try:
                    found = await self.clients[home].query(
                        self.models[home, chain], consent, "02", officer=officer
                    )
                except DemoError as error:
                    self.complain(f"{home} → {chain}: {error}")
                    total.failures += 1
                else:
                    total.milliseconds.append(1000 * (time.monotonic() - begin))
                    total.answered[home, chain] += 1
                    total.mismatches += not self.is_exact(chain, firm.uscc, found["record"])
            done += 1
            tell(done, len(questions))

        await asyncio.gather(*(one(n, *question) for n, question in enumerate(questions)))
        return total


def _all(codes: Mapping[str, Sequence[Uscc]]) -> Iterable[Uscc]:
    return (code for found in codes.values() for code in found)
