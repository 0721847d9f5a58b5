"""Firms that every chain enrols: one request, a record a chain, shown side by side."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from node.demo.chains.asking import Desk, Tally
from node.demo.chains.model import ACROSS
from node.demo.errors import AgentError, DemoError
from node.enterprise.enterprise import Enterprise


async def ask(desk: Desk, home: str, firm: Enterprise, tally: Tally) -> dict[str, Any]:
    """A joint query of the bank of `home` about a firm in all chains; the result, checked."""
    chains = list(desk.network.chains)
    consent = desk.consent(firm, home, chains)
    others = len(chains) - 1
    tally.queries += others
    try:
        found = await desk.clients[home].joint(consent, "02", secrets.token_urlsafe(16))
    except AgentError as error:
        desk.complain(f"{home} → {', '.join(chains)}: {error}")
        tally.failures += others
        return {}
    _check(desk, home, firm, chains, found, tally)
    return found


async def ask_parted(
    desk: Desk, home: str, firm: Enterprise, away: str, tally: Tally
) -> dict[str, Any]:
    """The same while the chain `away` is: it has to be named, and what the others give comes on
    request only, and marked. Raises DemoError when it is otherwise.
    """
    client = desk.clients[home]
    consent = desk.consent(firm, home, list(desk.network.chains))
    chains = [chain for chain in desk.network.chains if chain != away]
    try:
        await client.joint(consent, "02", secrets.token_urlsafe(16))
    except AgentError as error:
        if away not in str(error.problem):
            raise DemoError(f"{away} is away and was not named: {error.problem}") from error
    else:
        raise DemoError(f"{away} is away, and a joint query succeeded without it")
    found = await client.joint(consent, "02", secrets.token_urlsafe(16), partial=True)
    if not found["partial"] or [one["chain"] for one in found["missing"]] != [away]:
        raise DemoError(f"{away} is away, and the partial result does not say so")
    tally.queries += len(chains) - 1
    _check(desk, home, firm, chains, found, tally)
    return found


def _check(
    desk: Desk,
    home: str,
    firm: Enterprise,
    chains: Sequence[str],
    found: dict[str, Any],
    tally: Tally,
) -> None:
    scores = []
    for chain in chains:
        result = found["chains"][chain]
        wrong = not desk.is_exact(chain, firm.uscc, result["record"])
        if chain != home:
            tally.mismatches += wrong
            tally.answered[home, chain] += 1
        elif wrong:
            raise DemoError(f"{home}: the record at home of a joint query is not exact")
        scores.append(result["profile"]["score"])
    if found["combined"] != {"rule": ACROSS, "score": min(scores)}:
        raise DemoError(f"joint query: {found['combined']} is not the {ACROSS} of {scores}")
