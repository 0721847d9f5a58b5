"""Opens the demo's pages as a browser would: signs in, then every section of the menu."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from node.demo.errors import DemoError
from node.demo.people import Login

PAGE_SECONDS: Final = 30.0
_CSRF: Final = re.compile(r'name="csrf" value="([^"]+)"')
_MENU: Final = re.compile(r'<nav class="menu".*?</nav>', re.S)
_LINK: Final = re.compile(r'<a href="(/[^"]*)"')


async def open_all(
    logins: Sequence[Login], tell: Callable[[int, int], None]
) -> list[dict[str, Any]]:
    """One row a login: party, account, address, how many pages were opened, and which of them did
    not answer 200. Raises DemoError for an account that cannot sign in.
    """
    rows: list[dict[str, Any]] = []
    for login in logins:
        tell(len(rows), len(logins))
        async with Visitor(login) as visitor:
            opened = await visitor.sections()
        rows.append(
            {
                "party": login.party,
                "account": login.account,
                "address": login.address,
                "pages": len(opened),
                "failed": sorted(path for path, status in opened.items() if status != 200),
            }
        )
    return rows


class Visitor:
    """A signed-in visitor. Use as a context.

    Names below localhost are this machine's, whether or not its resolver knows; a client of HTTP
    keeps cookies of TLS for TLS, where browsers make an exception for this machine.
    """

    def __init__(self, login: Login) -> None:
        self._login = login
        url = urlsplit(login.address)
        self._cookies: dict[str, str] = {}
        self._http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{url.port}",
            headers={"Host": url.netloc},
            timeout=PAGE_SECONDS,
            trust_env=False,
        )

    async def __aenter__(self) -> Visitor:
        page = await self.get("/login")
        token = _CSRF.search(page.text)
        if token is None:
            raise DemoError(f"{self._login.party}: its page to sign in has no form")
        form = {
            "csrf": html.unescape(token.group(1)),
            "name": self._login.account,
            "password": self._login.password,
        }
        answer = await self._send("POST", "/login", form)
        if answer.status_code != 303:
            raise DemoError(
                f"{self._login.party}: {self._login.account} cannot sign in "
                f"({answer.status_code}, {self._login.address})"
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(self, path: str) -> httpx.Response:
        """A page, by way of where it leads to."""
        answer = await self._send("GET", path)
        for _ in range(4):
            if not answer.is_redirect:
                break
            answer = await self._send("GET", answer.headers["location"])
        return answer

    async def sections(self) -> dict[str, int]:
        """The first page and every section of the account's menu, and the status of each answer."""
        first = await self.get("/")
        menu = _MENU.search(first.text)
        paths = dict.fromkeys(_LINK.findall(menu.group() if menu else ""))
        return {"/": first.status_code} | {
            path: (await self.get(path)).status_code for path in paths
        }

    async def _send(
        self, method: str, path: str, form: dict[str, str] | None = None
    ) -> httpx.Response:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        try:
            answer = await self._http.request(method, path, data=form, headers={"Cookie": cookies})
        except httpx.HTTPError as error:
            raise DemoError(f"{self._login.address}{path}: {error!r}") from error
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value
        self._http.cookies.clear()
        return answer
