"""“My account”: password, verification codes, sessions, recent sign-ins."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from node.errors import Busy
from node.pages.accounts import cookies, records, second, sessions, sign_ins
from node.pages.accounts.changing import Changing
from node.pages.accounts.errors import AccountError, SignInRefused
from node.pages.accounts.gate_parts import Parts
from node.pages.accounts.outside import text_field
from node.pages.accounts.records import problem
from node.pages.accounts.texts import PROBLEMS
from node.pages.accounts.words import OUTSIDE, OWN
from node.pages.duties import TITLES
from node.pages.site import Site
from node.pages.visit import Visit
from scoring.documents import Text

ACCOUNT: Final = "/account"
SHOWN: Final = 10
"""Recent sign-ins."""
_TAG: Final = re.compile(r"[0-9a-f]{64}")
_BROWSERS: Final = (
    ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS: Final = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
    ("Mac OS", "macOS"), ("Linux", "Linux"),
)  # fmt: skip


class OwnAccount:
    """Adds the pages to a site."""

    def __init__(self, site: Site, parts: Parts, changing: Changing) -> None:
        self._accounts, self._lifetime = parts.accounts, parts.lifetime
        self._changing = changing
        self._site = site
        everybody = site.duties
        site.add(ACCOUNT, self._show, duties=everybody, always=True)
        for path, handler in (
            ("password", self._password),
            ("codes", self._begin_codes),
            ("codes/confirm", self._confirm_codes),
            ("codes/remove", self._remove_codes),
            ("codes/recovery", self._recovery),
            ("sessions/end", self._end_session),
            ("sessions/end-others", self._end_others),
        ):
            site.add(
                f"{ACCOUNT}/{path}",
                self._told(handler),
                duties=everybody,
                methods=("POST",),
                always=True,
            )

    async def _show(self, visit: Visit) -> Response:
        return await self._page(visit)

    async def _password(self, visit: Visit) -> Response:
        password = text_field(visit.form, "password")
        if password != text_field(visit.form, "again"):
            raise AccountError("again", PROBLEMS["repeated"])
        token = await self._changing.set_password(
            visit.viewer.account, self._current(visit), password, cookies.origin_of(visit.request)
        )
        response = visit.redirect(ACCOUNT, "saved")
        cookies.put(response, cookies.SESSION, token)
        return response

    async def _begin_codes(self, visit: Visit) -> Response:
        token = await self._changing.begin_totp(visit.viewer.account, self._current(visit))
        return await self._codes_page(visit, token)

    async def _confirm_codes(self, visit: Visit) -> Response:
        token = visit.field("token")
        try:
            codes = await self._changing.finish_totp(
                visit.viewer.account, token, visit.field("code")
            )
        except AccountError as error:
            if error.field != "code":
                raise
            return await self._codes_page(visit, token, error)
        return self._codes_shown(visit, codes)

    async def _remove_codes(self, visit: Visit) -> Response:
        await self._changing.remove_totp(visit.viewer.account, self._current(visit))
        return visit.redirect(ACCOUNT, "saved")

    async def _recovery(self, visit: Visit) -> Response:
        codes = await self._changing.new_recovery(visit.viewer.account, self._current(visit))
        return self._codes_shown(visit, codes)

    async def _end_session(self, visit: Visit) -> Response:
        tag = visit.field("session")
        if not _TAG.fullmatch(tag):
            raise HTTPException(400)
        account = visit.viewer.account
        await self._accounts.store.run(lambda c: sessions.end(c, bytes.fromhex(tag), account))
        return visit.redirect(ACCOUNT, "done")

    async def _end_others(self, visit: Visit) -> Response:
        token = cookies.session_of(visit.request)
        await self._changing.end_others(visit.viewer.account, token)
        return visit.redirect(ACCOUNT, "done")

    def _told(
        self, handler: Callable[[Visit], Awaitable[Response]]
    ) -> Callable[[Visit], Awaitable[Response]]:
        """The handler with its refusals told on the page."""

        async def told(visit: Visit) -> Response:
            try:
                return await handler(visit)
            except AccountError as error:
                return await self._page(visit, error, 422)
            except SignInRefused as refused:
                said = OUTSIDE["wait"]
                wait = {"seconds": refused.wait}
                text = Text(zh=said.zh.format(**wait), en=said.en.format(**wait))
                return await self._page(visit, AccountError("current", text), 429)
            except Busy:
                return await self._page(visit, problem("current", "busy"), 503)

        return told

    async def _page(
        self, visit: Visit, error: AccountError | None = None, status: int = 200
    ) -> Response:
        mine, now = visit.viewer.account, self._accounts.clock.now()

        def look(connection: Connection) -> dict[str, Any]:
            return {
                "account": records.by_id(connection, mine),
                "recovery": second.recovery_left(connection, mine),
                "sessions": sessions.of_account(connection, mine, self._lifetime, now),
                "sign_ins": sign_ins.recent(connection, mine, SHOWN),
            }

        found = await self._accounts.store.read(look)
        if found["account"] is None:
            raise HTTPException(403)
        return visit.render(
            "node.pages",
            "account.html.j2",
            words=OUTSIDE | OWN,
            status=status,
            error=error,
            form=visit.request.url.path.removeprefix(f"{ACCOUNT}/"),
            this=sessions.tag_of(cookies.session_of(visit.request)),
            titles=TITLES,
            device=device,
            outcome=sign_ins.outcome,
            **found,
        )

    async def _codes_page(
        self, visit: Visit, token: str, error: AccountError | None = None
    ) -> Response:
        secret = await self._changing.totp_secret(visit.viewer.account, token)
        address = second.address(secret, visit.viewer.name, f"{self._site.own} · Yinxin")
        return visit.render(
            "node.pages",
            "account_codes.html.j2",
            words=OUTSIDE | OWN,
            status=200 if error is None else 422,
            error=error,
            token=token,
            picture=second.picture(address, visit.say(OUTSIDE["qr"])),
            spelled=second.spelled(secret),
        )

    def _codes_shown(self, visit: Visit, codes: list[str]) -> Response:
        return visit.render(
            "node.pages", "account_recovery.html.j2", words=OUTSIDE | OWN, codes=codes
        )

    def _current(self, visit: Visit) -> str:
        return text_field(visit.form, "current")


def device(browser: str) -> str:
    """What a browser calls itself, in two words: `Chrome · Windows`."""
    name = next((title for mark, title in _BROWSERS if mark in browser), "?")
    system = next((title for mark, title in _SYSTEMS if mark in browser), "?")
    return f"{name} · {system}"
