"""A site without accounts: whoever names duties in a cookie has them. Only tests have this."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import httpx
from starlette.requests import Request

from node.clock import Clock, SystemClock
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import Viewer
from scoring.documents import Text

CSRF = "csrf-of-a-test"
COOKIE = "test-duties"


class OpenGatekeeper:
    """The cookie `test-duties=officer.developer` is the whole sign-in."""

    login = "/login"

    async def viewer(self, request: Request) -> Viewer | None:
        names = request.cookies.get(COOKIE, "")
        if not names:
            return None
        return Viewer(b"a" * 16, "tester", frozenset(map(Duty, names.split("."))), CSRF)

    def add_pages(self, site: Site) -> None:
        """None: nobody signs in."""


def open_site(
    duties: Collection[Duty],
    *,
    clock: Clock | None = None,
    require: Callable[[], None] = lambda: None,
    title: Text | None = None,
) -> Site:
    """A site to add a role's pages to."""
    return Site(
        title=title or Text(zh="测试", en="Test"),
        own="test-node",
        chain="csj",
        duties=duties,
        clock=clock or SystemClock(),
        gatekeeper=OpenGatekeeper(),
        require=require,
        hosts={"pages.test", "127.0.0.1", "localhost"},
    )


@asynccontextmanager
async def browsing(
    site: Site, *duties: Duty, language: str = "en"
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with these duties, over ASGI; its `headers` have the form token."""
    cookies = {"lang": language}
    if duties:
        cookies[COOKIE] = ".".join(duties)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=site.app()),
        base_url="http://pages.test",
        cookies=cookies,
        headers={"X-CSRF-Token": CSRF},
    ) as client:
        yield client


async def assert_matrix(site: Site) -> None:
    """Every page of the site against every duty: 403 to those that it is not for, and the way to
    the sign-in for nobody. The site is one of `open_site`.

    Pages are asked by who may not see them only: nothing of them runs.
    """
    assert site.sections, "no section of the menu was added"
    for section in site.sections:
        assert ("GET", section.path) in site.pages, f"{section.path} leads nowhere"
        assert section.duties <= site.pages["GET", section.path], section.path
    async with browsing(site) as nobody:
        for method, path in site.pages:
            found = await nobody.request(method, _filled(path))
            assert found.status_code == 303, (method, path)
            assert found.headers["location"] == "/login", (method, path)
    for duty in sorted(site.duties):
        async with browsing(site, duty) as client:
            for (method, path), allowed in site.pages.items():
                if duty not in allowed:
                    found = await client.request(method, _filled(path))
                    assert found.status_code == 403, (duty, method, path)


def _filled(path: str) -> str:
    """A page's path with something for its parameters."""
    return re.sub(r"\{[^}]+\}", "0", path)
