"""Models of every bank in every chain: certified by the chain's regulator, prepared ahead."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from node.demo.agent import AgentClient
from node.demo.chains.network import Network
from node.demo.errors import DemoError
from node.demo.starting import Tell
from scoring.scorecard import Scorecard

TRUST_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Prepared:
    """The models (certificates' hashes) by home chain and chain, and what Prepare took."""

    models: dict[tuple[str, str], str]
    buckets: int
    seconds: float


async def certify(
    clients: Mapping[str, AgentClient],
    scorecards: Mapping[str, Scorecard],
    tell: Tell,
) -> dict[tuple[str, str], str]:
    """Has the scorecard of every chain that has one certified for each bank that has a client; at
    home first, and each bank's one after the other.
    """
    models: dict[tuple[str, str], str] = {}

    async def one(home: str) -> None:
        for chain in sorted(scorecards, key=lambda name: name != home):
            card = json.loads(scorecards[chain].to_json())
            made = await clients[home].certify(card, "" if chain == home else chain)
            models[home, chain] = made["certificate"]
            tell(len(models), len(clients) * len(scorecards))

    await asyncio.gather(*(one(home) for home in clients))
    return models


async def prepare(
    clients: Mapping[str, AgentClient], models: Mapping[tuple[str, str], str], tell: Tell
) -> Prepared:
    """Prepares every bucket of every model, one model after the other."""
    begin, buckets = time.monotonic(), 0
    for done, ((home, _), model) in enumerate(models.items()):
        tell(done, len(models))
        job = await clients[home].prepare(model, lambda _, __: None)
        buckets += job["total"]
    return Prepared(dict(models), buckets, time.monotonic() - begin)


async def trusting(network: Network, clients: Mapping[str, AgentClient]) -> None:
    """Waits until every bank can ask in every other chain. Raises DemoError when it cannot."""
    deadline = time.monotonic() + TRUST_SECONDS
    for home, client in clients.items():
        while missing := set(network.chains) - {home} - await client.open_chains():
            if time.monotonic() > deadline:
                raise DemoError(f"the bank of {home} cannot ask in {', '.join(sorted(missing))}")
            await asyncio.sleep(0.3)
