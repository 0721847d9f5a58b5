"""The report as one HTML page: no script, no font, no image from elsewhere."""

from __future__ import annotations

from node.html import template
from node.regulator.evidence.report import Report


def page(report: Report) -> bytes:
    """The page, UTF-8. Whatever members wrote is escaped."""
    return template("node.regulator.evidence", "report.html.j2").render(r=report).encode()
