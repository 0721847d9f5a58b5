"""Who asked about the firm, fetched from the hubs and kept, so that it can be sorted and found."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection, func, insert, select

from federation.errors import FederationError
from node.enterprise.agent import Agent
from node.enterprise.client import Asked
from node.enterprise.giving import Unreached
from node.enterprise.tables import agent_uses
from node.errors import NodeError

_AT_ONCE: Final = 500


async def fetch_uses(agent: Agent) -> list[Unreached]:
    """Fetches what is new from every known hub; those that could not be reached."""
    unreached = []
    for chain, link in agent.links().items():
        start = await agent.store.read(partial(_next, chain=chain))
        try:
            async with link.connect(agent.enterprise()) as client:
                found = await client.asked(start)
        except (NodeError, FederationError) as error:
            unreached.append(Unreached(chain, str(error)))
            continue
        for first in range(0, len(found), _AT_ONCE):
            part = found[first : first + _AT_ONCE]
            await agent.store.run(partial(_keep, chain=chain, uses=part))
    return unreached


def _next(connection: Connection, chain: str) -> int:
    query = select(func.max(agent_uses.c.number)).where(agent_uses.c.chain == chain)
    newest = connection.execute(query).scalar_one()
    return 0 if newest is None else int(newest) + 1


def _keep(connection: Connection, chain: str, uses: Sequence[Asked]) -> None:
    start = _next(connection, chain)  # two looks at once find the same
    for use in uses:
        if use.number < start:
            continue
        connection.execute(
            insert(agent_uses).values(
                chain=chain,
                number=use.number,
                time=use.time,
                bank=str(use.bank),
                purpose=use.purpose,
                epoch=use.epoch,
                consent=use.consent,
                fields=",".join(use.fields),
                permits=",".join(permit.hex() for permit in use.permits),
                certificate=use.certificate,
            )
        )
