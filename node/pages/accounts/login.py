"""The pages to sign in and out: account and password, then the code."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from node.errors import Busy
from node.pages.accounts import cookies, sessions
from node.pages.accounts.errors import SignInRefused
from node.pages.accounts.outside import Outside, text_field
from node.pages.accounts.pending import Purpose
from node.pages.accounts.sessions import new_token
from node.pages.accounts.signing_in import SigningIn, Step
from node.pages.accounts.words import OUTSIDE
from node.pages.site import Site
from node.pages.visit import Visit
from node.storage import Store

LOGIN = "/login"
STEPS = {Purpose.SECOND: "/login/code", Purpose.ENROL: "/login/enrol"}
_NOTES = {
    "out": "signed_out",
    "over": "started_over",
    "set": "password_kept",
    "provider": "provider_refused",
    "wait": "wait_some",
}


class LoginPages:
    """Sign-in by password, and sign-out."""

    def __init__(self, site: Site, signing_in: SigningIn, store: Store, provider: bool) -> None:
        """`provider` is whether there is an OpenID provider to sign in at."""
        self._outside = Outside(site)
        self._signing_in = signing_in
        self._store = store
        self._provider = provider
        site.add_public(LOGIN, self._show)
        site.add_public(LOGIN, self._password, methods=("POST",))
        site.add_public(STEPS[Purpose.SECOND], self._show_code)
        site.add_public(STEPS[Purpose.SECOND], self._code, methods=("POST",))
        site.add("/logout", self._leave, duties=site.duties, methods=("POST",), always=True)

    async def _show(self, request: Request) -> Response:
        if (switched := self._outside.switched(request)) is not None:
            return switched
        note = _NOTES.get(request.query_params.get("note", ""), "")
        return self._page(request, cookies.signin_for(request), note=note)

    async def _password(self, request: Request) -> Response:
        form = await self._outside.form(request)
        name = text_field(form, "name")
        try:
            step = await self._signing_in.password(
                name, text_field(form, "password"), cookies.origin_of(request)
            )
        except Busy:
            return self._page(request, new_token(), problem="busy", status=503, name=name)
        except SignInRefused as refused:
            return self._page(request, new_token(), refused=refused, name=name)
        return await self.after(request, step)

    async def _show_code(self, request: Request) -> Response:
        if (switched := self._outside.switched(request)) is not None:
            return switched
        return self._outside.render(
            request, "login_code.html.j2", cookies.signin_for(request), problem="", wait=0
        )

    async def _code(self, request: Request) -> Response:
        form = await self._outside.form(request)
        token = cookies.signin_of(request)
        try:
            step = await self._signing_in.second(
                token, text_field(form, "code"), cookies.origin_of(request)
            )
        except SignInRefused as refused:
            if not await self._signing_in.waits(Purpose.SECOND, token):
                return _to(f"{LOGIN}?note=over")
            problem = "wait" if refused.wait else "refused_code"
            return _hurried(
                self._outside.render(
                    request,
                    "login_code.html.j2",
                    token,
                    status=429 if refused.wait else 403,
                    problem=self._outside.say(request, OUTSIDE[problem], seconds=refused.wait),
                    wait=refused.wait,
                ),
                refused.wait,
            )
        return await self.after(request, step)

    async def after(self, request: Request, step: Step) -> Response:
        """To the step that comes next. A session is a new one, and the one before it ends."""
        if step.purpose is not None:
            response = _to(STEPS[step.purpose])
            cookies.put(response, cookies.SIGNIN, step.token)
            return response
        response = _to("/")
        await self.start(request, response, step.session)
        return response

    async def start(self, request: Request, response: Response, token: str) -> None:
        """Gives the browser its session; one that it had before ends."""
        before = cookies.session_of(request)
        if before:
            await self._store.run(lambda c: sessions.end(c, sessions.tag_of(before)))
        cookies.put(response, cookies.SESSION, token)
        cookies.remove(response, cookies.SIGNIN)

    async def _leave(self, visit: Visit) -> Response:
        token = cookies.session_of(visit.request)
        await self._store.run(lambda c: sessions.end(c, sessions.tag_of(token)))
        response = visit.redirect(f"{LOGIN}?note=out")
        cookies.remove(response, cookies.SESSION)
        return response

    def _page(
        self,
        request: Request,
        token: str,
        *,
        note: str = "",
        problem: str = "",
        refused: SignInRefused | None = None,
        status: int = 200,
        name: str = "",
    ) -> Response:
        wait = 0
        if refused is not None:
            wait = refused.wait
            problem, status = ("wait", 429) if wait else ("refused", 403)
        page = self._outside.render(
            request,
            "login.html.j2",
            token,
            status=status,
            note=self._outside.say(request, OUTSIDE[note]) if note else "",
            problem=self._outside.say(request, OUTSIDE[problem], seconds=wait) if problem else "",
            name=name[:64],
            provider=self._provider,
        )
        return _hurried(page, wait)


def _to(path: str) -> Response:
    return RedirectResponse(path, status_code=303)


def _hurried(response: Response, wait: int) -> Response:
    if wait:
        response.headers["retry-after"] = str(wait)
    return response
