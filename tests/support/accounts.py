"""Accounts of a site of one page, with a clock that stands, hashes that cost little, and a journal
that can be read.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from argon2.profiles import CHEAPEST
from sqlalchemy import Connection
from starlette.responses import Response

from node.clock import FixedClock
from node.keys import KeyEncryptionKey
from node.pages.accounts.administration import Accounts
from node.pages.accounts.gate_parts import Parts
from node.pages.accounts.gatekeeper import AccountGate
from node.pages.accounts.oidc.provider import Provider
from node.pages.accounts.passwords import Passwords
from node.pages.accounts.sessions import Lifetime
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import Visit
from node.storage import Store
from scoring.documents import Text

NOW = 1_800_000_000
PASSWORD = "seven quiet ducks walk"
OTHER = "lamps over the cold bay"
DUTIES = frozenset({Duty.OFFICER, Duty.DEVELOPER, Duty.ADMINISTRATOR})
BASE = "https://pages.test"
CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


@dataclass
class World:
    """The accounts, and the site they sign in to."""

    store: Store
    clock: FixedClock
    key: KeyEncryptionKey
    entries: list[tuple[str, str, Mapping[str, str | int]]] = field(default_factory=list)
    provider: Provider | None = None
    address: str = BASE

    def __post_init__(self) -> None:
        def write(_: Connection, action: str, by: str, more: Mapping[str, str | int]) -> None:
            self.entries.append((action, by, more))

        self.accounts = Accounts(
            self.store, self.clock, self.key, DUTIES, ("harbour",), Passwords(self.key, CHEAPEST),
            write,
        )  # fmt: skip
        self.gate = AccountGate(Parts(self.accounts, Lifetime(), self.address), self.provider)
        self.site = Site(
            title=Text(zh="银行端", en="Bank"),
            own="harbour",
            chain="csj",
            duties=DUTIES,
            clock=self.clock,
            gatekeeper=self.gate,
            require=lambda: None,
            hosts={"pages.test", "127.0.0.1"},
            tls=True,
        )

        async def page(visit: Visit) -> Response:
            return Response(f"{visit.by}:{','.join(sorted(visit.viewer.duties))}")

        self.site.add("/work", page, duties={Duty.OFFICER})
        self.site.add("/work", page, duties={Duty.OFFICER}, methods=("POST",))
        self.gate.add_sections(self.site)

    def actions(self) -> list[str]:
        """What the journal has, in order."""
        return [action for action, _, _ in self.entries]

    @asynccontextmanager
    async def browser(self, address: str = "192.0.2.1") -> AsyncIterator[Browser]:
        """One that has been nowhere yet."""
        transport = httpx.ASGITransport(app=self.site.app(), client=(address, 1234))
        async with Browser(
            transport=transport, base_url=BASE, headers={"accept-language": "en"}
        ) as client:
            yield client


class Browser(httpx.AsyncClient):
    """A client that fills in forms as they were sent to it."""

    async def post_form(
        self, page: str, action: str, headers: Mapping[str, str] | None = None, **fields: object
    ) -> httpx.Response:
        """Opens a page, and posts its form token with some fields."""
        found = CSRF.search((await self.get(page)).text)
        assert found is not None, page
        return await self.post(action, data={"csrf": found[1], **fields}, headers=headers)

    async def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        """The first step."""
        return await self.post_form("/login", "/login", name=name, password=password)

    async def may_work(self) -> bool:
        """Whether the site's page is answered."""
        return (await self.get("/work")).status_code == 200


def new_world(folder: Path, clock: FixedClock | None = None, **more: object) -> World:
    """A world in a folder; its store is to be closed."""
    store = Store.open(f"sqlite:///{folder}/accounts.sqlite", pool=3)
    return World(store, clock or FixedClock(NOW), KeyEncryptionKey(bytes(32)), **more)  # type: ignore[arg-type]
