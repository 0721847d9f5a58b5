"""Who a request is from: the accounts of a node at the door of its site."""

from __future__ import annotations

from starlette.requests import Request

from node.pages.accounts import cookies, sessions
from node.pages.accounts.changing import Changing
from node.pages.accounts.gate_parts import Parts
from node.pages.accounts.login import LOGIN, LoginPages
from node.pages.accounts.oidc.flow import Flow
from node.pages.accounts.oidc.pages import ProviderPages
from node.pages.accounts.oidc.provider import Provider
from node.pages.accounts.own import OwnAccount
from node.pages.accounts.people import ACCOUNTS, People
from node.pages.accounts.setting_up import SettingUp
from node.pages.accounts.signing_in import SigningIn
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.texts import COMMON
from node.pages.visit import Viewer


class AccountGate:
    """The site's gatekeeper (`node.pages.site.Gatekeeper`)."""

    login = LOGIN

    def __init__(self, parts: Parts, provider: Provider | None = None) -> None:
        """`provider` is where people sign in besides, if anywhere."""
        self.parts = parts
        self._provider = provider

    async def viewer(self, request: Request) -> Viewer | None:
        """Whose valid session the request carries."""
        token = cookies.session_of(request)
        if not token:
            return None
        now, store = self.parts.accounts.clock.now(), self.parts.accounts.store
        found = await store.read(lambda c: sessions.find(c, token, self.parts.lifetime, now))
        if found is None:
            return None
        if found.stale:
            await store.run(lambda c: sessions.touch(c, found.tag, now))
        account = found.account
        duties = account.duties & self.parts.accounts.duties
        return Viewer(account.id, account.name, duties, sessions.csrf_of(token))

    def add_pages(self, site: Site) -> None:
        """Adds the pages to sign in and out, and those on accounts."""
        parts = self.parts
        signing_in = SigningIn(parts.accounts, parts.lifetime)
        changing = Changing(parts.accounts, parts.lifetime)
        login = LoginPages(site, signing_in, parts.accounts.store, self._provider is not None)
        if self._provider is not None:
            ProviderPages(site, Flow(parts, self._provider, signing_in), login)
        SettingUp(site, signing_in, changing, login)
        OwnAccount(site, parts, changing)
        if Duty.ADMINISTRATOR in site.duties:
            People(site, parts)

    def add_sections(self, site: Site) -> None:
        """Adds the entries of the menu, after those of the role."""
        if Duty.ADMINISTRATOR in site.duties:
            site.add_section(ACCOUNTS, COMMON["accounts"], "accounts", {Duty.ADMINISTRATOR})
