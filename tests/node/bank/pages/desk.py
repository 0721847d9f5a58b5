"""The bank's pages over a real agent, whose accounts a test names in a cookie."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from starlette.requests import Request

from federation.identity import Role
from node.bank.api.runs import BatchRuns
from node.bank.bank import Bank
from node.bank.jobs import Jobs
from node.bank.pages import add_pages
from node.bank.pages.desk import Desk
from node.pages.duties import DUTIES, Duty
from node.pages.site import Site
from node.pages.visit import Viewer
from support.pages import COOKIE, CSRF, OpenGatekeeper, browsing, open_site
from tests.node.bank.world import World

NAME = "test-name"


class NamedGatekeeper(OpenGatekeeper):
    """As in the kit, with the account's name in another cookie."""

    async def viewer(self, request: Request) -> Viewer | None:
        duties = request.cookies.get(COOKIE, "")
        if not duties:
            return None
        name = request.cookies.get(NAME, "o-7")
        account = name.encode().ljust(16, b".")
        return Viewer(account, name, frozenset(map(Duty, duties.split("."))), CSRF)


@dataclass
class BankSite:
    """A bank's site, and what is behind it."""

    world: World
    bank: Bank
    site: Site
    desk: Desk

    @asynccontextmanager
    async def as_(
        self, duty: Duty, name: str = "o-7", language: str = "en"
    ) -> AsyncIterator[httpx.AsyncClient]:
        """A browser of an account with a duty."""
        async with browsing(self.site, duty, language=language) as client:
            client.cookies.set(NAME, name)
            yield client


@asynccontextmanager
async def bank_site(world: World) -> AsyncIterator[BankSite]:
    """The site of a running agent."""
    async with world.bank() as bank:
        site = open_site(DUTIES[Role.BANK], clock=world.clock)
        site.gatekeeper = NamedGatekeeper()
        desk = Desk(bank, Jobs(bank), BatchRuns(bank))
        add_pages(site, desk)
        try:
            yield BankSite(world, bank, site, desk)
        finally:
            await desk.works.stop()
            await desk.jobs.stop()
            await desk.runs.stop()


def key_of(page: str) -> str:
    """The key of the form on a page."""
    found = re.search(r'name="key" value="([0-9a-f]{32})"', page)
    assert found is not None
    return found.group(1)
