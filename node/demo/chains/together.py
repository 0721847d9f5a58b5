"""Firms that every chain enrols: one request, a record a chain, shown side by side."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from node.demo.chains.asking import Desk, Tally
from node.demo.chains.model import ACROSS
from node.demo.errors import AgentError, DemoError
from node.enterprise.enterprise import Enterprise


@dataclass(frozen=True)
class Together:
    """One question of the bank of `home` to all chains, under one consent and one key."""

    desk: Desk
    home: str
    firm: Enterprise
    partial: bool = False
    consent: str = field(init=False)
    key: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    def __post_init__(self) -> None:
        chains = list(self.desk.network.chains)
        object.__setattr__(self, "consent", self.desk.consent(self.firm, self.home, chains))

    async def ask(self) -> dict[str, Any]:
        """The result; raises AgentError. The same again asks only what was not answered yet."""
        client = self.desk.clients[self.home]
        return await client.joint(self.consent, "02", self.key, partial=self.partial)

    async def ask_parted(self, away: str) -> dict[str, Any]:
        """Asks while the chain `away` is: it has to be named; what the others give comes only if
        partial results are asked for, and marked; else the result is empty.

        Raises DemoError when it is otherwise.
        """
        try:
            found = await self.ask()
        except AgentError as error:
            if self.partial or away not in str(error.problem):
                raise DemoError(f"{away} is away and was not named: {error.problem}") from error
            return {}
        if not self.partial:
            raise DemoError(f"{away} is away, and a question to all succeeded without it")
        if not found["partial"] or [one["chain"] for one in found["missing"]] != [away]:
            raise DemoError(f"{away} is away, and the partial result does not say so")
        others = self.desk.network.chains.keys() - {away}
        if self._wrong(found, others):
            raise DemoError(f"{self.home}: a record of a partial result is not exact")
        return found

    async def count(self, tally: Tally) -> dict[str, Any]:
        """Asks, and adds what came of it to the tally; the result, empty where there is none."""
        chains = self.desk.network.chains.keys()
        tally.queries += len(chains) - 1
        try:
            found = await self.ask()
        except AgentError as error:
            self.desk.complain(f"{self.home} → {', '.join(chains)}: {error}")
            tally.failures += len(chains) - 1
            return {}
        if found["partial"]:
            raise DemoError(f"{self.home}: nobody is away, and a result is partial")
        tally.mismatches += len(self._wrong(found, chains))
        tally.answered.update((self.home, chain) for chain in chains if chain != self.home)
        return found

    def _wrong(self, found: Mapping[str, Any], chains: Collection[str]) -> set[str]:
        """The chains whose records are not exact. Raises DemoError for others than the chains'
        records, and for another combined score than the rule's.
        """
        records = {record["chain"]: record for record in found["records"]}
        if records.keys() != set(chains):
            raise DemoError(f"{self.home}: records of {', '.join(records)}, and not of all asked")
        score = min(record["profile"]["score"] for record in records.values())
        if (found["combined"]["rule"], found["combined"]["score"]) != (ACROSS, score):
            raise DemoError(f"{self.home}: the combined score is not the {ACROSS} one")
        return {
            chain
            for chain, record in records.items()
            if not self.desk.is_exact(chain, self.firm.uscc, record["record"])
        }
