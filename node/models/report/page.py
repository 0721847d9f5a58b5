"""The report as one HTML page with both languages: nothing in it is loaded from elsewhere.

Its one script sorts the table of figures; the page's policy lets a browser run that script alone.
The language is switched without a script.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from node.html import template
from node.models.report.compose import Subject, compose
from node.models.report.drawing import Drawing, svg
from node.models.report.texts import LANGUAGES


@cache
def _script() -> str:
    return (files("node.models.report") / "templates" / "sort.js").read_text(encoding="utf-8")


def page(subject: Subject, language: str) -> bytes:
    """The page, UTF-8, shown in `zh` or `en` at first. Whatever the bank wrote is escaped."""
    order = sorted(LANGUAGES, key=lambda one: one != language)
    script = _script()
    digest = hashlib.sha256(script.encode()).digest()
    return (
        template("node.models.report", "policy.html.j2")
        .render(
            views=[compose(subject, one) for one in order],
            svg=_svg,
            script=Markup(script),  # noqa: S704  # the package's own file
            script_hash=base64.b64encode(digest).decode(),
        )
        .encode()
    )


def _svg(drawing: Drawing) -> Markup:
    return Markup(svg(drawing))  # noqa: S704  # `svg` escapes every text
