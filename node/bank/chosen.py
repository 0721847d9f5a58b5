"""Which chains a question to several of them goes to, from what the bank knows by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from federation.consent import Consent
from federation.errors import FederationError
from node.bank.agent import LEAST_HASH_DIGITS, Agent
from node.bank.asking import Ask, check_consent, check_pseudonym, purpose_of, read_consent
from node.bank.chains import ChainView
from node.bank.errors import BankError
from node.bank.problems import Problem, problem_of
from node.bank.targets import Target, Targets
from node.bank.texts import Code
from node.errors import NodeError


@dataclass(frozen=True)
class Chosen:
    """The model in each chain that is asked, what is the matter with each that should be and cannot
    be, and the chains that were named and do not enrol the firm.
    """

    targets: Mapping[str, Target]
    missing: Mapping[str, Problem] = field(repr=False)
    not_enrolled: tuple[str, ...]


class Choice:
    """Chooses chains."""

    def __init__(self, agent: Agent, targets: Targets) -> None:
        self._agent = agent
        self._targets = targets

    async def of(self, ask: Ask) -> Chosen:
        """The chains of a question: those that it names, or else every one that enrols the firm,
        that the consent names and that has a valid model of the name.

        Raises BankError for a purpose, pseudonym or model that is wrong whatever the chain, for a
        chain that is none of the network's, and where no chain is left.
        """
        purpose = purpose_of(ask.purpose)
        check_pseudonym(ask.officer, "officer")
        check_pseudonym(ask.reference, "reference")
        named = await self._models(ask.model)
        views = [await self._agent.chains.view(name) for name in dict.fromkeys(ask.chains)]
        targets: dict[str, Target] = {}
        missing: dict[str, Problem] = {}
        elsewhere: list[str] = []
        for view in views or await self._agent.chains.views():
            target = named.get(view.scope)
            if not views and not await self._is_meant(view, target, ask):
                continue
            try:
                enrolled = await self._check(view, target, ask, purpose)
            except (NodeError, FederationError) as error:
                missing[view.name] = problem_of(error)
                continue
            if enrolled and target is not None:
                targets[view.name] = target
            elif views:
                elsewhere.append(view.name)
        if not targets and not missing:
            if elsewhere:
                chains = ", ".join(elsewhere)
                raise BankError(Code.ENTERPRISE_UNKNOWN, "consent.sub", chain=chains)
            self._consent_first(ask)
            raise BankError(Code.JOINT_NONE, "chains", model=ask.model or "–")
        return Chosen(targets, missing, tuple(elsewhere))

    async def _models(self, reference: str) -> dict[str, Target]:
        """The newest model of the name in each chain. Raises BankError for what is no name."""
        digits = all(c in "0123456789abcdef" for c in reference.lower())
        if ":" in reference or (len(reference) >= LEAST_HASH_DIGITS and digits):
            raise BankError(Code.JOINT_NAME, "model")
        listed = await self._agent.matching(reference)
        if len({one.name for models in listed.values() for one in models}) > 1:
            raise BankError(Code.MODEL_AMBIGUOUS, "model", model="–")
        found = {}
        for scope, models in listed.items():
            model = await self._agent.model_of(models[0].hash)
            found[scope] = Target(await self._agent.chains.view(scope), model)
        return found

    async def _is_meant(self, view: ChainView, target: Target | None, ask: Ask) -> bool:
        """Whether a chain is one of all: the consent names it, and there is a valid model."""
        if target is None or not await self._targets.is_valid(view, target.model):
            return False
        consent = self._consent(view, ask)
        return consent is not None and view.name in consent.chains

    async def _check(self, view: ChainView, target: Target | None, ask: Ask, purpose: str) -> bool:
        """Whether the chain enrols the firm. Raises what a query there would fail with, as far as
        the bank can tell: BankError, FederationError.
        """
        now = self._agent.now()
        consent = read_consent(ask.consent, view.root, now)
        if view.name not in consent.chains:
            raise BankError(Code.CONSENT_WRONG_CHAIN, "consent.chains", chain=view.name)
        if target is None:
            name = f"{view.name}:{ask.model}"
            raise BankError(Code.MODEL_UNKNOWN, "model", model=name, chain=view.name)
        if await self._targets.enrols(view, consent.uscc):
            certificate = await view.certificate(target.model.hash)
            check_consent(consent, purpose, certificate, self._agent.id, view.name)
            return True
        # Rosters only grow: that a firm is on none says only one that is fresh.
        await view.require()
        return await self._targets.enrols(view, consent.uscc)

    def _consent(self, view: ChainView, ask: Ask) -> Consent | None:
        try:
            return read_consent(ask.consent, view.root, self._agent.now())
        except BankError:
            return None

    def _consent_first(self, ask: Ask) -> None:
        """Raises BankError for a consent that cannot be read at all."""
        read_consent(ask.consent, self._agent.root, self._agent.now())
