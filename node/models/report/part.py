"""The report within a page of a node, whose frame and style sheets it has."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from node.html import template
from node.models.report.compose import Subject, compose
from node.models.report.drawing import Drawing, svg


def part(subject: Subject, language: str) -> dict[str, Any]:
    """What a template needs to `{% include report %}`; whatever the bank wrote is escaped."""
    return {
        "v": compose(subject, language),
        "svg": _svg,
        "report": template("node.models.report", "part.html.j2"),
    }


def _svg(drawing: Drawing) -> Markup:
    return Markup(svg(drawing))  # noqa: S704  # `svg` escapes every text
