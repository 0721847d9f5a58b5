"""A scorecard before it is submitted: whether it fits the chain, and what policy will say of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from federation.policy import PolicyThresholds
from federation.policy.submission import Submission
from node.bank.agent import Agent
from node.bank.history import certified_before
from node.bank.scorecards import check_scorecard
from node.models.checking import Checked, check
from node.rpc.errors import PartyUnavailable

JUDGEMENTS = 12
"""Changed scorecards that are judged to find remedies for one that is refused."""


async def examine_scorecard(
    agent: Agent, raw: str, chain: str = "", tell: Callable[[int, int], None] | None = None
) -> Checked:
    """What policy says of a scorecard (its JSON document) together with the bank's own models, by
    the protocol's thresholds: a regulator may have stricter ones. Nothing of it leaves the node.

    `tell` hears how many judgements of how many were made in the search for remedies. Raises
    BankError for a scorecard that does not fit the chain.
    """
    view = await agent.chains.view(chain)
    # A hub that is away is no hindrance: what is known of the chain does for a check.
    with contextlib.suppress(PartyUnavailable):
        await view.sync()
    scorecard, catalogue = await check_scorecard(view, raw, ())
    before = await certified_before(agent, view.scope)
    submission = Submission(scorecard, catalogue, PolicyThresholds(), before)
    return await asyncio.to_thread(check, submission, JUDGEMENTS, tell or (lambda made, most: None))
