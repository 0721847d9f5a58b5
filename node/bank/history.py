"""What policy judged, and what it judges a scorecard together with, as the bank knows them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection

from federation.errors import Refusal
from federation.exchange.regulator import CLOCK_SKEW, HISTORY_SECONDS, PolicyVerdict
from federation.policy import Earlier
from node.bank.agent import Agent
from node.bank.chains import ChainView
from node.bank.errors import BankError
from node.bank.texts import Code
from node.chain import ChainStore
from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard


@dataclass(frozen=True)
class Explained:
    """A verdict of the regulator, and the scorecard it is on; `certificate` is the certificate's
    hash, empty for a refused scorecard; `chain` the peer chain whose regulator decided, empty for
    the own one.
    """

    scorecard: Scorecard = field(repr=False)
    catalogue: Catalogue = field(repr=False)
    verdict: PolicyVerdict = field(repr=False)
    decided: int
    certificate: bytes = b""
    chain: str = ""


async def certified_before(agent: Agent, scope: str = "") -> tuple[Earlier, ...]:
    """The bank's own models of 24 months, expired and withdrawn ones included, of all chains, as
    the regulator of the chain `scope` counts them: empty for the own one.

    The regulator counts those of affiliates as well, which a bank does not know.
    """
    listed = await agent.read(agent.records.models)
    found = []
    for digest, *_ in listed:
        model = await agent.model_of(digest)
        certificate = await agent.certified(digest)
        certified = certificate.not_before + CLOCK_SKEW
        if agent.now() >= certified + HISTORY_SECONDS:
            continue
        withdrawn = await agent.withdrawn(digest)
        view = await agent.view_of(digest)
        catalogue = await _catalogue([view], certificate.catalogue)
        valid = not withdrawn and agent.now() < certificate.not_after
        away = "" if model.chain == scope else view.name
        found.append(Earlier(model.scorecard, catalogue, valid, away))
    return tuple(found)


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
            view = await agent.view_of(model.hash)
            catalogue = await _catalogue([view], certificate.catalogue)
            return Explained(
                model.scorecard,
                catalogue,
                model.verdict,
                model.received,
                certificate.hash,
                model.chain,
            )
    catalogue = await _catalogue(await agent.chains.views(), refused.catalogue)
    return Explained(refused.scorecard, catalogue, refused.verdict, refused.time)


async def _catalogue(views: Sequence[ChainView], digest: bytes) -> Catalogue:
    """The catalogue of that digest in one of the chains. Raises BankError."""
    for view in views:
        with contextlib.suppress(Refusal):
            return await view.read(partial(_look, view.chain, digest))
    names = ", ".join(view.name for view in views)
    raise BankError(
        Code.CATALOGUE_UNKNOWN, "catalogue", version=digest.hex()[:16], known="–", chain=names
    )


def _look(chain: ChainStore, digest: bytes, connection: Connection) -> Catalogue:
    return chain.catalogue(connection, digest)
