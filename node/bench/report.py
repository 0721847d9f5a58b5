"""The report: the machine, and the rows as a table or as JSON."""

from __future__ import annotations

import os
import platform
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from node.bench.groups import Report
from node.bench.measure import Unit

_READABLE = 0.01


def machine() -> dict[str, str | int]:
    """What the figures depend on most, and nothing that names the machine."""
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "architecture": platform.machine(),
    }


def to_dict(report: Report) -> dict[str, Any]:
    """The report as JSON has it."""
    return {
        "machine": machine(),
        "rows": [result.to_dict() for result in report.results],
        "left_out": dict(report.left_out),
    }


def to_table(report: Report) -> Table:
    """The report for people."""
    own = machine()
    table = Table(
        title=f"{own['cpus']} CPUs, {own['architecture']}, Python {own['python']}; medians",
        caption="Ratio: Yinxin's figure over the baseline's.",
        box=SIMPLE,
        show_lines=True,
    )
    table.add_column("Row")
    for heading in ("Yinxin", "Baseline", "Ratio"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in report.results:
        row = result.row
        table.add_row(
            f"[bold]{row.name}[/bold]\n{row.about}\n[dim]beside: {row.baseline}[/dim]",
            _figure(result.median, row.unit),
            _figure(result.baseline_median, row.unit),
            ratio_text(result.ratio),
        )
    return table


def ratio_text(ratio: float) -> str:
    """A ratio with two or three digits; one below 0.01 as a fraction."""
    if ratio < _READABLE:
        return f"1/{_digits(1 / ratio)}"
    return f"{_digits(ratio)}×"


def _figure(value: float, unit: Unit) -> str:
    return f"{value:,.0f} B" if unit is Unit.BYTES else f"{_digits(value)} {unit.value}"


def _digits(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
