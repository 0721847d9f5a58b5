"""One request by one person: who it is, in which language, and how the answer is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from node.html import template
from node.pages.duties import Duty
from scoring.documents import Text

if TYPE_CHECKING:
    from node.pages.site import Site

_KEPT: Final = ":/%#?=@[]!$&'()*+,;"
CHINA: Final = timezone(timedelta(hours=8))
"""Times are shown in China's, and say so."""


@dataclass(frozen=True)
class Viewer:
    """The account that a session belongs to. `csrf` is the session's token for forms."""

    account: bytes
    name: str
    duties: frozenset[Duty]
    csrf: str = field(repr=False)


@dataclass(frozen=True)
class Visit:
    """A request that passed the site's checks. `form` is what was posted, checked for its token."""

    site: Site
    request: Request
    viewer: Viewer
    language: str
    theme: str
    form: FormData = field(default_factory=FormData, repr=False)

    @property
    def by(self) -> str:
        """The account, as the log's entries on administrators' actions name it."""
        return self.viewer.name

    @property
    def is_part(self) -> bool:
        """Whether htmx asks for a part of the page; not so where it only follows a link."""
        headers = self.request.headers
        return headers.get("hx-request") == "true" and "hx-boosted" not in headers

    def may(self, duty: Duty) -> bool:
        """Whether the account has that duty."""
        return duty in self.viewer.duties

    def say(self, text: Text, **details: object) -> str:
        """A text in the viewer's language, completed with `str.format`."""
        return say(text, self.language, **details)

    def query(self, name: str) -> str:
        """A parameter of the address, empty where it is missing."""
        return self.request.query_params.get(name, "")

    def field(self, name: str) -> str:
        """A field of the form, stripped; empty where it is missing or is a file."""
        value = self.form.get(name, "")
        return value.strip() if isinstance(value, str) else ""

    def render(
        self,
        package: str,
        name: str,
        *,
        status: int = 200,
        words: Mapping[str, Text] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """The template `name` of a package, which extends `layout`, as a page.

        In it are: `visit`, `w` (the texts of `words` and the common ones in the viewer's language,
        by key), `t` (a Text in the viewer's language), `when` and `day` (unix seconds in China
        time), `number` (with separators), `layout` (the page's frame), and the context.
        """
        return HTMLResponse(
            self.fragment(package, name, words=words, **context), status_code=status
        )

    def fragment(
        self, package: str, name: str, *, words: Mapping[str, Text] | None = None, **context: Any
    ) -> Markup:
        """The same as markup, for a part that htmx puts in place or another template includes."""
        from node.pages.frame import surroundings

        values = surroundings(self, words or {}) | context
        return Markup(template(package, name).render(values))  # noqa: S704  # it escapes

    def redirect(self, path: str, notice: str = "") -> Response:
        """To another page of the site (303), which shows `notice` once: a key of `NOTICES`."""
        if not _local(path):
            path = "/"
        target = f"{path}{'&' if '?' in path else '?'}done={notice}" if notice else path
        if self.is_part:
            # A header is Latin-1 and one line; RedirectResponse quotes by itself.
            return Response(status_code=204, headers={"HX-Redirect": quote(target, safe=_KEPT)})
        return RedirectResponse(target, status_code=303)


def say(text: Text, language: str, **details: object) -> str:
    """A text in `zh` or `en`, completed with `str.format` where there are details."""
    chosen = text.zh if language == "zh" else text.en
    return chosen.format(**details) if details else chosen


def when(seconds: int | None) -> str:
    """Unix seconds as `2026-11-24 18:30:05` in China time; a dash for None."""
    return "–" if seconds is None else _at(seconds).strftime("%Y-%m-%d %H:%M:%S")


def day(seconds: int | None) -> str:
    """Unix seconds as `2026-11-24` in China time; a dash for None."""
    return "–" if seconds is None else _at(seconds).strftime("%Y-%m-%d")


def iso(seconds: int) -> str:
    """Unix seconds for a `datetime` attribute, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def number(value: float | None) -> str:
    """A number with thousands separators: `12,345`, `0.25`; a dash for None."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def change(value: float) -> str:
    """A difference with its sign and one decimal: `+0.4`, `−1.2`; `0.0` has none."""
    said = f"{value:+.1f}"
    return "0.0" if said in ("+0.0", "-0.0") else said.replace("-", "−")


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, CHINA)


def _local(path: str) -> bool:
    """Whether an address is within the site: browsers read `//host` and `/\\host` as another one,
    and leave control characters out before they read.
    """
    return path.isprintable() and path.startswith("/") and path[1:2] not in ("/", "\\")
