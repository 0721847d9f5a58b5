"""The pages on which somebody who is not signed in yet sets an account up: the first password, by
an invitation's link; and verification codes, where an administrator demands them.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from node.errors import Busy
from node.pages.accounts import cookies, second
from node.pages.accounts.administration import INVITATION
from node.pages.accounts.changing import Changing
from node.pages.accounts.errors import AccountError, SignInRefused
from node.pages.accounts.login import LOGIN, STEPS, LoginPages
from node.pages.accounts.outside import Outside, text_field
from node.pages.accounts.pending import Purpose
from node.pages.accounts.signing_in import SigningIn
from node.pages.accounts.texts import PROBLEMS
from node.pages.accounts.words import OUTSIDE
from node.pages.site import Site


class SettingUp:
    """Adds the pages to a site."""

    def __init__(
        self, site: Site, signing_in: SigningIn, changing: Changing, login: LoginPages
    ) -> None:
        self._outside = Outside(site)
        self._signing_in = signing_in
        self._changing = changing
        self._login = login
        for path, show, post in (
            (INVITATION, self._show_invitation, self._invitation),
            (STEPS[Purpose.ENROL], self._show_enrol, self._enrol),
        ):
            site.add_public(path, show)
            site.add_public(path, post, methods=("POST",))

    async def _show_invitation(self, request: Request) -> Response:
        if (switched := self._outside.switched(request)) is not None:
            return switched
        return await self._invitation_page(request, request.query_params.get("token", ""))

    async def _invitation(self, request: Request) -> Response:
        form = await self._outside.form(request)
        token, password = text_field(form, "token"), text_field(form, "password")
        try:
            if password != text_field(form, "again"):
                raise AccountError("again", PROBLEMS["repeated"])
            await self._changing.accept(token, password)
        except AccountError as error:
            return await self._invitation_page(request, token, error)
        except Busy:
            busy = AccountError("password", PROBLEMS["busy"])
            return await self._invitation_page(request, token, busy)
        return RedirectResponse(f"{LOGIN}?note=set", status_code=303)

    async def _invitation_page(
        self, request: Request, token: str, error: AccountError | None = None
    ) -> Response:
        account = await self._changing.invited(token)
        return self._outside.render(
            request,
            "login_invitation.html.j2",
            cookies.signin_for(request),
            status=404 if account is None else 200 if error is None else 422,
            kept={"token": token},
            name="" if account is None else account.name,
            token=token,
            error=error,
        )

    async def _show_enrol(self, request: Request) -> Response:
        if (switched := self._outside.switched(request)) is not None:
            return switched
        return await self._enrol_page(request)

    async def _enrol(self, request: Request) -> Response:
        form = await self._outside.form(request)
        token = cookies.signin_of(request)
        try:
            made = await self._signing_in.enrol(
                token, text_field(form, "code"), cookies.origin_of(request)
            )
        except SignInRefused as refused:
            if not refused.wait:
                return RedirectResponse(f"{LOGIN}?note=over", status_code=303)
            problem = self._outside.say(request, OUTSIDE["wait"], seconds=refused.wait)
            return await self._enrol_page(request, problem, 429)
        if made is None:
            problem = self._outside.say(request, OUTSIDE["refused_code"])
            return await self._enrol_page(request, problem, 422)
        step, codes = made
        response = self._outside.render(request, "login_recovery.html.j2", token, codes=codes)
        await self._login.start(request, response, step.session)
        return response

    async def _enrol_page(self, request: Request, problem: str = "", status: int = 200) -> Response:
        token = cookies.signin_of(request)
        try:
            account, secret = await self._signing_in.enrolment(token)
        except SignInRefused:
            return RedirectResponse(f"{LOGIN}?note=over", status_code=303)
        site = self._outside.site
        address = second.address(secret, account.name, f"{site.own} · Yinxin")
        return self._outside.render(
            request,
            "login_enrol.html.j2",
            token,
            status=status,
            problem=problem,
            picture=second.picture(address, self._outside.say(request, OUTSIDE["qr"])),
            spelled=second.spelled(secret),
        )
