"""The members of the firm's chains, kept at hand for the pages: names, and choices of a form."""

from __future__ import annotations

from typing import Final

import structlog

from federation.errors import FederationError
from node.enterprise.agent import Agent
from node.enterprise.members import ChainMembers
from node.errors import NodeError
from node.pages.parties import own_title

_log = structlog.get_logger(__name__)

FRESH_SECONDS: Final = 600


class MemberBook:
    """What hubs said of their members, verified by each chain's trust root."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._known: dict[str, tuple[int, ChainMembers]] = {}

    async def of(self, chain: str) -> ChainMembers | None:
        """The members of a chain, at most ten minutes old; older ones while its hub is away, None
        where it was never reached.
        """
        now = self._agent.clock.now()
        kept = self._known.get(chain)
        link = self._agent.links().get(chain)
        if link is None:
            return None
        if kept is not None and now - kept[0] < FRESH_SECONDS:
            return kept[1]
        try:
            async with link.connect(self._agent.enterprise()) as client:
                found = await client.members(link.root, now)
        except (NodeError, FederationError) as error:
            _log.warning("members not fetched", chain=chain, error=type(error).__name__)
            return None if kept is None else kept[1]
        self._known[chain] = (now, found)
        return found

    async def all(self) -> dict[str, ChainMembers]:
        """The members of every chain that was reached, by its name."""
        found = {chain: await self.of(chain) for chain in self._agent.links()}
        return {chain: members for chain, members in found.items() if members is not None}

    def titles(self, language: str) -> dict[str, str]:
        """Titles by SPIFFE id, of the members that are at hand: no hub is asked."""
        titles = {}
        for _, members in self._known.values():
            for one in (*members.banks, *members.holders):
                titles[str(one.id)] = own_title(one.title, language, one.id.name)
        return titles

    def features(self, language: str) -> dict[str, str]:
        """Titles of features by `kind.name`, of the catalogues at hand."""
        return {
            feature.id: feature.title.zh if language == "zh" else feature.title.en
            for _, members in self._known.values()
            if members.catalogue is not None
            for feature in members.catalogue.features
        }
