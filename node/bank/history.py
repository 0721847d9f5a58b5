"""What policy judged, and what it judges a scorecard together with, as the bank knows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection

from federation.errors import Refusal
from federation.exchange.regulator import CLOCK_SKEW, HISTORY_SECONDS, PolicyVerdict
from federation.policy import Earlier
from node.bank.agent import Agent
from node.bank.errors import BankError
from node.bank.texts import Code
from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard


@dataclass(frozen=True)
class Explained:
    """A verdict of the regulator, and the scorecard it is on; `certificate` is the certificate's
    hash, empty for a refused scorecard.
    """

    scorecard: Scorecard = field(repr=False)
    catalogue: Catalogue = field(repr=False)
    verdict: PolicyVerdict = field(repr=False)
    decided: int
    certificate: bytes = b""


async def certified_before(agent: Agent) -> tuple[Earlier, ...]:
    """The bank's own models of 24 months, expired and withdrawn ones included.

    The regulator counts those of affiliates as well, which a bank does not know.
    """
    listed = await agent.read(agent.records.models)
    found = []
    for digest, _, _ in listed:
        model = await agent.model_of(digest)
        certificate = await agent.certified(digest)
        certified = certificate.not_before + CLOCK_SKEW
        if agent.now() >= certified + HISTORY_SECONDS:
            continue
        withdrawn = await agent.read(partial(_withdrawn, agent, digest))
        catalogue = await _catalogue(agent, certificate.catalogue)
        valid = not withdrawn and agent.now() < certificate.not_after
        found.append(Earlier(model.scorecard, catalogue, valid))
    return tuple(found)


def _withdrawn(agent: Agent, digest: bytes, connection: Connection) -> bool:
    return agent.chain.withdrawal(connection, digest) is not None


async def explained(agent: Agent, reference: str) -> Explained:
    """The newest verdict on a scorecard: a model as `Agent.model` names it, or a refused
    submission by its id, `name` or `name@version`. Raises BankError.
    """
    refused = await agent.read(lambda c: agent.refusals.find(c, reference))
    try:
        model = await agent.model(reference)
    except BankError:
        if refused is None:
            raise
    else:
        if refused is None or refused.time <= model.received:
            certificate = await agent.certified(model.hash)
            catalogue = await _catalogue(agent, certificate.catalogue)
            return Explained(
                model.scorecard, catalogue, model.verdict, model.received, certificate.hash
            )
    catalogue = await _catalogue(agent, refused.catalogue)
    return Explained(refused.scorecard, catalogue, refused.verdict, refused.time)


async def _catalogue(agent: Agent, digest: bytes) -> Catalogue:
    def look(connection: Connection) -> Catalogue:
        return agent.chain.catalogue(connection, digest)

    try:
        return await agent.read(look)
    except Refusal as error:
        raise BankError(
            Code.CATALOGUE_UNKNOWN, "catalogue", version=digest.hex()[:16], known="–"
        ) from error
