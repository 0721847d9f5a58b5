"""The report as one HTML page: no script, no font, no image from elsewhere."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from node.regulator.evidence.report import Report


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("node.regulator.evidence", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def page(report: Report) -> bytes:
    """The page, UTF-8. Whatever members wrote is escaped."""
    return _template().render(r=report).encode()
