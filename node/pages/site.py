"""The site of one node: which pages there are, who may see each, and what a request passes first.

A page cannot be added without saying which duties may see it. The order of the checks: session,
duty, origin, form token; then the page's own code runs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Protocol

import structlog
from fastapi import FastAPI
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from federation.errors import FederationError
from node.clock import Clock
from node.errors import Busy, NodeError
from node.html import template
from node.observability.logging import fault
from node.pages.duties import Duty
from node.pages.headers import STATIC, App, HostGuard, SecurityHeaders
from node.pages.texts import ERRORS
from node.pages.visit import Viewer, Visit
from scoring.documents import Text
from scoring.errors import ScoringError

MOST_BYTES: Final = 8 << 20
"""Of a form, files included; a page may allow more."""
LANGUAGE_COOKIE: Final = "lang"
THEME_COOKIE: Final = "theme"
YEAR: Final = 31_536_000
_NO_TEXT: Final = re.compile(r"[\0\ud800-\udfff]")

_FORESEEN: Final = (NodeError, FederationError, ScoringError)

_log = structlog.get_logger(__name__)

Handler = Callable[[Visit], Awaitable[Response]]
Page = Callable[[Request], Awaitable[Response]]


class Gatekeeper(Protocol):
    """Knows who a request is from: the accounts and sessions of the node."""

    login: str
    """The path of the page to sign in."""

    async def viewer(self, request: Request) -> Viewer | None:
        """Whose valid session the request carries; None for nobody's."""
        ...

    def add_pages(self, site: Site) -> None:
        """Adds the pages to sign in and out, and those on accounts."""
        ...


@dataclass(frozen=True)
class Section:
    """An entry of the menu. `icon` names a symbol of `static/icons.svg`."""

    path: str
    title: Text
    icon: str
    duties: frozenset[Duty]


class Site:
    """The pages of one node."""

    def __init__(
        self,
        *,
        title: Text,
        own: str,
        chain: str,
        duties: Collection[Duty],
        clock: Clock,
        gatekeeper: Gatekeeper,
        require: Callable[[], None],
        hosts: Collection[str],
        synthetic: bool = False,
        tls: bool = False,
    ) -> None:
        """`title` is what the site is (监管端, Regulator), `own` the member's name, `duties` those
        that accounts may have. `require` raises while the node may answer nothing. `hosts` are
        the names that a request may be for, without port. `synthetic` marks a sandbox. The `/` of
        the site leads to the viewer's first section.
        """
        self.title, self.own, self.chain = title, own, chain
        self.duties = frozenset(duties)
        self.clock = clock
        self.synthetic = synthetic
        self.tls = tls
        self.gatekeeper = gatekeeper
        self.sections: list[Section] = []
        self.pages: dict[tuple[str, str], frozenset[Duty]] = {}
        """Every page: method and path to the duties that may see it."""
        self._require = require
        self._hosts = frozenset(hosts)
        self._app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        self._app.mount(STATIC, StaticFiles(directory=str(files("node.pages") / "static")))
        for code in (HTTPException, *_FORESEEN, Exception):
            self._app.add_exception_handler(code, self._failed)
        self.add("/", self._home, duties=self.duties, always=True)
        self.add("/preferences", self._prefer, duties=self.duties, methods=("POST",), always=True)
        gatekeeper.add_pages(self)

    def app(self) -> App:
        """The ASGI application."""
        return SecurityHeaders(HostGuard(self._app, self._hosts), tls=self.tls)

    def add_section(self, path: str, title: Text, icon: str, duties: Collection[Duty]) -> None:
        """Adds an entry to the menu, shown to accounts with one of the duties."""
        self.sections.append(Section(path, title, icon, self._known(duties)))

    def asset(self, name: str) -> str:
        """The address of a file in `static`, which changes with its content."""
        return asset(name)

    def is_current(self, section: Section, path: str) -> bool:
        """Whether a path belongs to a section of the menu."""
        return path == section.path or path.startswith(f"{section.path}/")

    def menu(self, viewer: Viewer) -> list[Section]:
        """The menu of an account."""
        return [one for one in self.sections if one.duties & viewer.duties]

    def add(
        self,
        path: str,
        handler: Handler,
        *,
        duties: Collection[Duty],
        methods: Collection[str] = ("GET",),
        most_bytes: int = MOST_BYTES,
        always: bool = False,
    ) -> None:
        """Adds a page for accounts with one of the duties. What is posted carries the session's
        token, as the field `csrf` or the header X-CSRF-Token, or is refused. `always` is for what
        answers nothing about anybody, and so also while the node may answer nothing: signing out.
        """
        allowed = self._known(duties)

        async def page(request: Request) -> Response:
            viewer = await self.gatekeeper.viewer(request)
            if viewer is None:
                return self._to_login(request)
            if not viewer.duties & allowed:
                raise HTTPException(403)
            form = FormData()
            if request.method != "GET":
                form = await read_form(request, most_bytes)
                sent = request.headers.get("x-csrf-token") or form.get("csrf")
                if not isinstance(sent, str) or not hmac.compare_digest(
                    sent.encode(), viewer.csrf.encode()
                ):
                    raise HTTPException(403)
            for value in (*request.query_params.values(), *request.path_params.values()):
                require_text(str(value))
            if not always:
                self._require()
            return await handler(self._visit(request, viewer, form))

        for method in methods:
            if (method, path) in self.pages:
                raise ValueError(f"{method} {path} is there already")
            self.pages[method, path] = allowed
        self._route(path, page, methods)

    def add_public(
        self,
        path: str,
        handler: Page,
        *,
        methods: Collection[str] = ("GET",),
    ) -> None:
        """Adds a page for who is not signed in. Only the gatekeeper has such."""

        async def page(request: Request) -> Response:
            if request.method != "GET":
                require_same_origin(request)
            for value in request.query_params.values():
                require_text(value)
            return await handler(request)

        self._route(path, page, methods)

    def language(self, request: Request) -> str:
        """`zh` or `en`: as chosen by the switch, else as the browser asks, else `zh`."""
        chosen = request.cookies.get(LANGUAGE_COOKIE)
        if chosen in ("zh", "en"):
            return chosen
        accepted = request.headers.get("accept-language", "").lower()
        return "en" if accepted.startswith("en") else "zh"

    def theme(self, request: Request) -> str:
        """`dark` or `light` as chosen by the switch, else empty: as the system has it."""
        chosen = request.cookies.get(THEME_COOKIE, "")
        return chosen if chosen in ("dark", "light") else ""

    def _known(self, duties: Collection[Duty]) -> frozenset[Duty]:
        if not duties or not self.duties.issuperset(duties):
            raise ValueError(f"duties {sorted(duties)} are none of {sorted(self.duties)}")
        return frozenset(duties)

    def _visit(self, request: Request, viewer: Viewer, form: FormData) -> Visit:
        return Visit(self, request, viewer, self.language(request), self.theme(request), form)

    async def _home(self, visit: Visit) -> Response:
        menu = self.menu(visit.viewer)
        return visit.redirect(menu[0].path if menu else "/account")

    async def _prefer(self, visit: Visit) -> Response:
        """Language and theme, kept by the browser; back to where the viewer was."""
        response = visit.redirect(visit.field("back"))
        for name, values in ((LANGUAGE_COOKIE, ("zh", "en")), (THEME_COOKIE, ("dark", "light"))):
            if visit.field(name) in values:
                response.set_cookie(
                    name,
                    visit.field(name),
                    max_age=YEAR,
                    secure=True,
                    httponly=True,
                    samesite="lax",
                )
        return response

    def _to_login(self, request: Request) -> Response:
        if request.headers.get("hx-request") == "true":
            return Response(status_code=401, headers={"HX-Redirect": self.gatekeeper.login})
        return RedirectResponse(self.gatekeeper.login, status_code=303)

    def _route(self, path: str, page: Page, methods: Collection[str]) -> None:
        self._app.add_api_route(
            path,
            self._guarded(page),
            methods=list(methods),
            include_in_schema=False,
            response_model=None,
        )

    def _guarded(self, page: Page) -> Page:
        """The page, where what nobody foresaw ends: further out its text would be logged."""

        async def endpoint(request: Request) -> Response:
            try:
                return await page(request)
            except (HTTPException, *_FORESEEN):
                raise
            except Exception as error:
                return await self._failed(request, error)

        return endpoint

    async def _failed(self, request: Request, error: Exception) -> Response:
        """A page that says in general what is wrong; the reason is in the node's own log."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        if isinstance(error, Busy):
            status = 503
        if status >= 500:
            told = str(error) if isinstance(error, _FORESEEN) else fault(error)
            _log.error("page failed", route=request.url.path.split("/")[1], error=told)
        title, remedy = ERRORS.get(status, ERRORS[400])
        language = self.language(request)
        page = template("node.pages", "error.html.j2").render(
            site=self, language=language, theme=self.theme(request), status=status,
            title=title.zh if language == "zh" else title.en,
            remedy=remedy.zh if language == "zh" else remedy.en,
        )  # fmt: skip
        return HTMLResponse(page, status_code=status)


@cache
def asset(name: str) -> str:
    """The address of a file in `static`: browsers keep it until its content, and so its address,
    is another.
    """
    raw = (files("node.pages") / "static" / name).read_bytes()
    return f"{STATIC}{name}?v={hashlib.sha256(raw).hexdigest()[:12]}"


async def read_form(request: Request, most: int) -> FormData:
    """The posted form. Raises HTTPException for one from another site's page, too large, or with a
    text that no database keeps.
    """
    require_same_origin(request)
    length = request.headers.get("content-length", "")
    # Beside a transfer coding the length says nothing (RFC 9112, 6.3), and nothing would end it.
    if not length.isdecimal() or int(length) > most or "transfer-encoding" in request.headers:
        raise HTTPException(413)
    form = await request.form()
    for name, value in form.multi_items():
        require_text(name)
        require_text((value.filename or "") if isinstance(value, UploadFile) else value)
    return form


def require_text(text: str) -> None:
    """Raises HTTPException for a text with a NUL or half of a surrogate pair: a form may name the
    coding of its bytes, and databases refuse both with an error that quotes what was sent.
    """
    if _NO_TEXT.search(text):
        raise HTTPException(400)


def require_same_origin(request: Request) -> None:
    """Raises HTTPException for a request that another site's page made (Fetch Metadata, and Origin
    for a browser that has none of it).
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise HTTPException(403)
        return
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise HTTPException(403)
