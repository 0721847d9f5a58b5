"""The pages of an enterprise's own agent, on the firm's own machine."""

from __future__ import annotations

from typing import Final

from node.enterprise.agent import Agent
from node.enterprise.pages.asked import AskedPages
from node.enterprise.pages.consents import ConsentPages
from node.enterprise.pages.disputes import DisputePages
from node.enterprise.pages.giving import GivingPages
from node.enterprise.pages.keys import KeysPage
from node.enterprise.pages.members import MemberBook
from node.pages.site import Site
from scoring.documents import Text

TITLE: Final = Text(zh="企业端", en="Enterprise")


def add_pages(site: Site, agent: Agent, book: MemberBook) -> None:
    """Adds them to the agent's site."""
    ConsentPages(site, agent, book)
    GivingPages(site, agent, book)
    AskedPages(site, agent, book)
    DisputePages(site, agent, book)
    KeysPage(site, agent)
