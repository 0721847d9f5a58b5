"""The chains as command line and REST interface show them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from node.bank.agent import Agent
from node.bank.chains.peer import PeerView
from node.bank.chains.view import ChainView


async def chain_views(agent: Agent) -> list[dict[str, Any]]:
    """The own chain first. `state` is own, pinned, withdrawn or expired; `directory_age` is in
    seconds, None for the own chain and before the first directory; `usable` says whether the bank
    may ask there.
    """
    listed = await agent.read(agent.records.models)
    models = Counter(one.chain for one in listed)
    return [await _view(agent, view, models[view.scope]) for view in await agent.chains.views()]


async def _view(agent: Agent, view: ChainView, models: int) -> dict[str, Any]:
    now = agent.now()
    roster = await view.read(lambda c: view.chain.roster(c, now))
    found: dict[str, Any] = {
        "chain": view.name,
        "state": "own",
        "usable": True,
        "directory_age": None,
        "until": None,
        "enterprises": roster.size,
        "models": models,
    }
    if isinstance(view, PeerView):
        directory, pin = await view.directory(), view.pin
        age = None if directory is None else max(0, now - directory.issued)
        found |= {
            "state": pin.state_at(now),
            "usable": pin.holds(now) and age is not None and age <= view.most_age,
            "directory_age": age,
            "until": pin.not_after,
        }
    return found
