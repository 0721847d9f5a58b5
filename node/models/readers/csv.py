"""Scorecards in a plain CSV of our own: one row an attribute, for cards that no tool made.

    characteristic,attribute,points,reason,baseline
    (initial),,430,,
    sales,"[-inf, 100000)",12.5,R04,40
    sales,"[100000, inf) | = -1",40,R04,40
    sales,missing,0,R04,40
    trade,retail | food,3,R04,9
    trade,else | missing,9,R04,9

`attribute` holds one or more of these, between bars: an interval, each end `[`, `]` closed or
`(`, `)` open; `= number`; `"category"` in quotes (JSON's; plain words need none); `missing`;
`else`, which is any other value. `reason` and `baseline` may be left out. Encoded in UTF-8.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any, Final

from node.models.readers.labels import ModelFileError, interval, number, parsed, reading
from scoring.cards.card import Attribute, Characteristic, Interval, ToolCard

TOOL: Final = "csv"
INITIAL: Final = "(initial)"
_COLUMNS: Final = ("characteristic", "attribute", "points", "reason", "baseline")
_PARTS: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^|"]+)\s*(?:\||$)')


@reading(TOOL)
def from_csv(text: str) -> ToolCard:
    """The card of a CSV as above; raises ModelFileError naming the row and the remedy."""
    rows = csv.DictReader(io.StringIO(text))
    lacking = [c for c in _COLUMNS[:3] if c not in (rows.fieldnames or ())]
    if lacking:
        raise ModelFileError(f"csv: no column {', '.join(lacking)}; the first row names them")
    initial = 0.0
    attributes: dict[str, list[Attribute]] = {}
    baselines: dict[str, float] = {}
    for line, row in enumerate(rows, start=2):
        name, where = (row["characteristic"] or "").strip(), f"csv: row {line}"
        points = number(row["points"], f"{where}: points")
        if name == INITIAL:
            initial = points
            continue
        if not name:
            raise ModelFileError(f"{where}: no characteristic; name it in every row")
        attributes.setdefault(name, []).append(_attribute(row, points, where))
        if row.get("baseline"):
            baselines[name] = number(row["baseline"], f"{where}: baseline")
    made = []
    for name, listed in attributes.items():
        numeric = any(a.intervals or any(isinstance(v, float) for v in a.values) for a in listed)
        made.append(
            Characteristic(
                name=name,
                type="number" if numeric else "category",
                attributes=tuple(listed),
                baseline=baselines.get(name),
            )
        )
    complete = bool(baselines) and all(m.baseline is not None for m in made)
    return ToolCard(
        name=TOOL,
        tool=TOOL,
        initial=initial,
        characteristics=tuple(made),
        reason_algorithm="pointsBelow" if complete else None,
    )


def _attribute(row: dict[str, str], points: float, where: str) -> Attribute:
    label = (row["attribute"] or "").strip()
    intervals: list[Interval] = []
    values: list[float | str] = []
    words = set()
    for part in _parts(label, where):
        span = interval(part)
        if span is not None:
            intervals.append(span)
        elif part.startswith("="):
            values.append(number(part[1:].strip(), f"{where}: attribute"))
        elif part in ("missing", "else"):
            words.add(part)
        else:
            quoted = part.startswith('"')
            values.append(parsed(part, where, "quote text as JSON does") if quoted else part)
    return Attribute(
        label=label,
        points=points,
        intervals=tuple(intervals),
        values=tuple(values),
        missing="missing" in words,
        default="else" in words,
        reason=row.get("reason") or None,
    )


def _parts(label: str, where: str) -> list[str]:
    parts, at = [], 0
    while at < len(label):
        match = _PARTS.match(label, at)
        if match is None:
            raise ModelFileError(f"{where}: attribute {label!r}: quote text with a bar in it")
        parts.append(match[1].strip())
        at = match.end()
    if not parts:
        raise ModelFileError(f"{where}: no attribute; say which values it takes")
    return parts


def to_csv(card: ToolCard) -> str:
    """The card in this form: reading it gives the same scores."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    writer.writerow((INITIAL, "", repr(card.initial), "", ""))
    for made in card.characteristics:
        for attribute in made.attributes:
            writer.writerow((made.name, *_row(made, attribute)))
    return text.getvalue()


def _row(made: Characteristic, attribute: Attribute) -> tuple[Any, ...]:
    parts = [str(span) for span in attribute.intervals]
    parts += [
        json.dumps(v, ensure_ascii=False) if isinstance(v, str) else f"= {v!r}"
        for v in attribute.values
    ]
    parts += ["missing"] * attribute.missing + ["else"] * attribute.default
    baseline = "" if made.baseline is None else repr(made.baseline)
    reason = attribute.reason or made.reason or ""
    return " | ".join(parts), repr(attribute.points), reason, baseline
