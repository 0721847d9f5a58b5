"""Where a question goes: to the chain that its model is certified for.

A name may stand for models of several chains. The roster decides then, in the bank's own copies: to
ask hubs which of them enrols the firm would name the firm to those that do not.
"""

from __future__ import annotations

from dataclasses import dataclass

from federation.uscc import Uscc
from node.bank.agent import Agent
from node.bank.asking import Ask, read_consent
from node.bank.chains import ChainView
from node.bank.errors import BankError
from node.bank.records import ListedModel, Model
from node.bank.texts import Code


@dataclass(frozen=True)
class Target:
    """A model, and the chain that it is certified for."""

    view: ChainView
    model: Model


class Targets:
    """Finds the model and the chain of a question."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def of(self, ask: Ask) -> Target:
        """The model that a question is asked under. Where its name stands for models of several
        chains, it is that of the chain that the consent names and the firm is enrolled in; of the
        own chain, if that is among several. Raises BankError.
        """
        agent = self._agent
        named = await agent.matching(ask.model)
        listed = [one for models in named.values() for one in models]
        if len(named) < 2 or len({one.name for one in listed}) > 1:
            return await self._target(await agent.model(ask.model))
        fitting, known = await self._fitting(ask, await self._usable(listed))
        if not fitting:
            raise BankError(Code.ENTERPRISE_UNKNOWN, "consent.sub", chain=", ".join(sorted(known)))
        own = [target for target in fitting if not target.view.scope]
        if len(own or fitting) > 1:
            chains = ", ".join(target.view.name for target in fitting)
            raise BankError(Code.CHAIN_AMBIGUOUS, "model", chains=chains)
        return (own or fitting)[0]

    async def is_valid(self, view: ChainView, model: Model) -> bool:
        """Whether the model is neither withdrawn nor over."""
        certificate = await view.certified(model.hash)
        valid = certificate.not_before <= self._agent.now() < certificate.not_after
        return valid and not await view.withdrawn(model.hash)

    async def enrols(self, view: ChainView, uscc: str) -> bool:
        """Whether the bank's copy of the chain's roster has the firm."""
        now = self._agent.now()
        roster = await view.read(lambda c: view.chain.roster(c, now))
        return Uscc.parse(uscc) in roster

    async def _target(self, model: Model) -> Target:
        return Target(await self._agent.chains.view(model.chain), model)

    async def _usable(self, listed: list[ListedModel]) -> list[Target]:
        """Those that are valid, or else all of them: what is wrong with one is said later."""
        found = [await self._target(await self._agent.model_of(one.hash)) for one in listed]
        valid = [target for target in found if await self.is_valid(target.view, target.model)]
        return valid or found

    async def _fitting(self, ask: Ask, usable: list[Target]) -> tuple[list[Target], list[str]]:
        """Those whose chain the consent names and enrols the firm; the chains that it names."""
        found: list[Target] = []
        known: list[str] = []
        failed: BankError | None = None
        for target in usable:
            try:
                consent = read_consent(ask.consent, target.view.root, self._agent.now())
            except BankError as error:
                failed = failed or error
                continue
            if target.view.name in consent.chains:
                known.append(target.view.name)
                if await self.enrols(target.view, consent.uscc):
                    found.append(target)
        if not known:
            names = ", ".join(target.view.name for target in usable)
            raise failed or BankError(Code.CONSENT_WRONG_CHAIN, "consent.chains", chain=names)
        return found, known
