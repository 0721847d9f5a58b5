"""Who a request is from: the accounts of a node at the door of its site."""

from __future__ import annotations

from starlette.requests import Request

from node.pages.accounts import cookies, sessions
from node.pages.accounts.administration import Accounts
from node.pages.accounts.login import LOGIN, LoginPages
from node.pages.accounts.sessions import Lifetime
from node.pages.accounts.signing_in import SigningIn
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.texts import COMMON
from node.pages.visit import Viewer

ACCOUNTS = "/accounts"


class AccountGate:
    """The site's gatekeeper (`node.pages.site.Gatekeeper`)."""

    login = LOGIN

    def __init__(self, accounts: Accounts, lifetime: Lifetime) -> None:
        self.accounts = accounts
        self.lifetime = lifetime
        self.address = ""
        """Where browsers find the site, once it listens."""

    def reached_at(self, address: str) -> None:
        """Says where browsers find the site: for links, and for what a provider leads back to."""
        self.address = address

    async def viewer(self, request: Request) -> Viewer | None:
        """Whose valid session the request carries."""
        token = cookies.session_of(request)
        if not token:
            return None
        now, store = self.accounts.clock.now(), self.accounts.store
        found = await store.read(lambda c: sessions.find(c, token, self.lifetime, now))
        if found is None:
            return None
        if found.stale:
            await store.run(lambda c: sessions.touch(c, found.tag, now))
        account = found.account
        duties = account.duties & self.accounts.duties
        return Viewer(account.id, account.name, duties, sessions.csrf_of(token))

    def add_pages(self, site: Site) -> None:
        """Adds the pages to sign in and out, and those on accounts."""
        signing_in = SigningIn(self.accounts, self.lifetime)
        LoginPages(site, signing_in, self.accounts.store, provider=False)

    def add_sections(self, site: Site) -> None:
        """Adds the entries of the menu, after those of the role."""
        if Duty.ADMINISTRATOR in site.duties:
            site.add_section(ACCOUNTS, COMMON["accounts"], "accounts", {Duty.ADMINISTRATOR})
