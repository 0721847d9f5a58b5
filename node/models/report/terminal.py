"""The report on a terminal, failures first, and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from node.models.report.compose import RULES, Subject, View

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

MOST_ROWS: Final = 20
"""Failures that a terminal lists; the page has all."""


def as_data(subject: Subject) -> dict[str, Any]:
    """The verdict, every figure that failed, and the remedies."""
    report, remedies = subject.report, subject.remedies
    return {
        "scorecard": subject.name,
        "certificate": subject.certificate.hex() or None,
        "passed": report.passed,
        "earlier": subject.earlier,
        "figures": len(report.items),
        "rules": {
            rule: {
                "figures": sum(item.rule == rule for item in report.items),
                "failed": sum(item.rule == rule for item in report.failures),
            }
            for rule in RULES
        },
        "failures": [item.model_dump(mode="json") for item in report.failures],
        "remedies": [
            {
                "rules": list(one.rules),
                "changes": [change.model_dump() for change in one.changes],
                "score_shift": round(one.shift, 4),
                "passes": one.passes,
            }
            for one in (remedies.found if remedies else ())
        ],
        "unmended": list(remedies.unmended) if remedies else [],
        "judgements": remedies.judgements if remedies else 0,
    }


def text(view: View, files: Sequence[str]) -> RenderableType:
    """The report for people."""
    from rich.console import Group
    from rich.text import Text

    title = view.say("passed_title" if view.passed else "refused_title")
    colour = "bold green" if view.passed else "bold red"
    head = Text.assemble((_plain(view.subject.name), "bold"), "  ", (title, colour))
    parts: list[RenderableType] = [head, Text(view.why, style="dim"), _rules(view)]
    if view.failures:
        parts.append(_failures(view))
        more = len(view.failures) - MOST_ROWS
        if more > 0:
            parts.append(Text(view.say("more", count=more), style="dim"))
    if view.remedies or view.remarks:
        parts.append(Text(view.say("remedies"), style="bold"))
    for remedy in view.remedies:
        parts.append(Text(remedy.title))
        parts += [Text(_plain(f"  · {change}")) for change in remedy.changes]
        parts.append(Text(f"  {remedy.shift}", style="dim"))
    parts += [Text(remark) for remark in view.remarks]
    parts += [Text(f"→ {file}", no_wrap=True, overflow="ignore") for file in files]
    return Group(*parts)


def _rules(view: View) -> Table:
    table = _table(view, ("rule", "demands", "figures", "failed"))
    for row in view.rules:
        style = "red" if row.failed else ""
        table.add_row(row.rule, row.demands, str(row.figures), str(row.failed), style=style)
    return table


def _failures(view: View) -> Table:
    from rich.text import Text

    table = _table(view, ("rule", "feature", "bins", "figure", "limit"))
    for item in view.failures[:MOST_ROWS]:
        name = item.feature if item.feature != "–" else item.field
        bins = f"{item.bins} (+{item.others})" if item.others else item.bins
        cells = (item.rule, name, bins, item.figure, item.limit)
        table.add_row(*(Text(_plain(cell)) for cell in cells))
    return table


def _plain(value: str) -> str:
    """What others wrote, such as a scorecard's name, commands no terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value)


def _table(view: View, columns: Sequence[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        right = column in ("figures", "failed", "figure", "limit")
        table.add_column(view.say(column), justify="right" if right else "left", overflow="fold")
    return table
