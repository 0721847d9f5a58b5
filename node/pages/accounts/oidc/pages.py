"""The two addresses of the sign-in at the provider: the way there, and the way back."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from node.pages.accounts import cookies
from node.pages.accounts.errors import SignInRefused
from node.pages.accounts.login import LOGIN, LoginPages
from node.pages.accounts.oidc.flow import CALLBACK, Flow
from node.pages.site import Site, require_same_origin

PROVIDER = "/login/provider"


class ProviderPages:
    """Adds them to a site."""

    def __init__(self, site: Site, flow: Flow, login: LoginPages) -> None:
        self._flow, self._login = flow, login
        site.add_public(PROVIDER, self._begin)
        site.add_public(CALLBACK, self._back)

    async def _begin(self, request: Request) -> Response:
        # It counts as an attempt: another site's page could have its visitors wait.
        require_same_origin(request)
        try:
            address, token = await self._flow.begin(cookies.origin_of(request))
        except SignInRefused as refused:
            return self._refused(request, refused)
        response = RedirectResponse(address, status_code=303)
        cookies.put(response, cookies.SIGNIN, token)
        return response

    async def _back(self, request: Request) -> Response:
        token = cookies.signin_of(request)
        try:
            step = await self._flow.finish(
                token, dict(request.query_params), cookies.origin_of(request)
            )
        except SignInRefused as refused:
            response = self._refused(request, refused)
            cookies.remove(response, cookies.SIGNIN)
            return response
        return await self._login.after(request, step)

    def _refused(self, request: Request, refused: SignInRefused) -> Response:
        note = "wait" if refused.wait else "provider"
        return RedirectResponse(f"{LOGIN}?note={note}", status_code=303)
