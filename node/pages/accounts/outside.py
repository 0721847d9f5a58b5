"""What the pages for who is not signed in share: their frame, words and form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from node.html import template
from node.pages import visit as visits
from node.pages.accounts import cookies
from node.pages.accounts.sessions import csrf_of
from node.pages.accounts.words import OUTSIDE
from node.pages.site import LANGUAGE_COOKIE, YEAR, Site, read_form
from node.pages.texts import COMMON
from scoring.documents import Text

MOST_BYTES: Final = 16 << 10


class Outside:
    """Makes pages for who is not signed in."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def say(self, request: Request, text: Text, **details: object) -> str:
        """A text in the browser's language."""
        return visits.say(text, self.site.language(request), **details)

    def render(
        self,
        request: Request,
        page: str,
        token: str,
        /,
        *,
        status: int = 200,
        kept: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """The template `page`; the form's token is of `token`, which the browser is given.
        `kept` is what the page's address has that was posted to it.
        """
        language = self.site.language(request)
        words: Mapping[str, Text] = COMMON | OUTSIDE
        other = "en" if language == "zh" else "zh"
        query = dict(request.query_params) | dict(kept or {})
        made = template("node.pages", page).render(
            {
                "site": self.site,
                "language": language,
                "theme": self.site.theme(request),
                "w": {key: visits.say(text, language) for key, text in words.items()},
                "t": lambda text, **details: visits.say(text, language, **details),
                "frame": template("node.pages", "login_frame.html.j2"),
                "switch": f"{request.url.path}?{urlencode(query | {'lang': other})}",
                "csrf": csrf_of(token),
                **context,
            }
        )
        response = HTMLResponse(made, status_code=status)
        if cookies.signin_of(request) != token:
            cookies.put(response, cookies.SIGNIN, token)
        return response

    async def form(self, request: Request) -> FormData:
        """What was posted. Raises HTTPException unless this browser was given the form."""
        form = await read_form(request, MOST_BYTES)
        if not cookies.is_of_signin(request, form):
            raise HTTPException(403)
        return form

    def switched(self, request: Request) -> Response | None:
        """The same page in the language that `?lang=` names, or None where it names none."""
        chosen = request.query_params.get("lang")
        if chosen not in ("zh", "en"):
            return None
        rest = urlencode([one for one in request.query_params.multi_items() if one[0] != "lang"])
        address = f"{request.url.path}?{rest}" if rest else request.url.path
        response = RedirectResponse(address, status_code=303)
        response.set_cookie(
            LANGUAGE_COOKIE, chosen, max_age=YEAR, secure=True, httponly=True, samesite="lax"
        )
        return response


def text_field(form: FormData, name: str) -> str:
    """A field as it was typed; empty where it is missing or is a file."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""
