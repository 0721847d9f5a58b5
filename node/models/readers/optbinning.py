"""Scorecards of optbinning: the fitted object, or its `table(style="detailed")` as CSV or JSON.

The object is exact. Where optbinning runs, two lines write it for the command line:

    from node.models.readers import optbinning
    optbinning.dump(scorecard, "card.json")

A table's labels round cut points to `show_digits` decimals (2 unless `fit` is told otherwise, 8
at most) and do not say what the special codes are: the first is noted, the second refused where
it matters. optbinning gives a category that the fit has not seen the points of missing values;
that is kept. Nothing here opens a pickle.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from node.models.readers.labels import ModelFileError, below, interval, number, parsed, reading
from scoring.cards.card import Attribute, Characteristic, ToolCard, ToolScale
from scoring.documents import Text

TOOL: Final = "optbinning"
_RECIPE: Final = "write the fitted object with node.models.readers.optbinning.dump"


def dump(scorecard: Any, path: str | Path) -> None:
    """Write a fitted scorecard for `yinxin model import`; raises ModelFileError as below."""
    Path(path).write_text(from_object(scorecard).to_json() + "\n", encoding="utf-8")


@reading(TOOL)
def from_object(scorecard: Any) -> ToolCard:
    """The card of a fitted `optbinning.Scorecard` of a binary target.

    The scale is what `pdo_odds` states, or else follows from the logistic estimator's constant.
    Raises ModelFileError for a scorecard that is not fitted, or whose target is continuous.
    """
    if not getattr(scorecard, "_is_fitted", False):
        raise ModelFileError("scorecard: not fitted; call fit first")
    if scorecard._target_dtype != "binary":
        raise ModelFileError("scorecard: its target is continuous; fit one for good and bad firms")
    table = scorecard.table(style="detailed")
    process = scorecard.binning_process_
    characteristics, fitted = [], []
    for variable in process.get_support(names=True):
        rows = table[table["Variable"] == variable]
        made, plain = _binned(
            str(variable), process.get_binned_variable(variable), rows["Points"].tolist()
        )
        characteristics.append(made)
        evidence = rows["WoE"].astype(float) * rows["Coefficient"].astype(float)
        fitted.append((evidence.tolist()[:plain], rows["Points"].tolist()[:plain]))
    return ToolCard(
        name=TOOL,
        tool=TOOL,
        initial=float(scorecard.intercept_),
        characteristics=tuple(characteristics),
        scale=_scale(scorecard, fitted),
    )


def _scale(
    scorecard: Any, fitted: Sequence[tuple[Sequence[float], Sequence[float]]]
) -> ToolScale | None:
    """What the scores mean: as the scaling states it, or by the estimator's constant.

    `fitted` has for each variable its bins' parts of the log odds of bad, and their points, which
    are linear in them (but for rounding): a score is `base + slope · (log odds - constant)`.
    """
    if scorecard.scaling_method == "pdo_odds" and not scorecard.reverse_scorecard:
        given = scorecard.scaling_method_params
        return ToolScale(
            score=float(given["scorecard_points"]),
            odds=float(given["odds"]),
            pdo=float(given["pdo"]),
        )
    constant = getattr(scorecard.estimator_, "intercept_", None)
    if constant is None:
        return None
    above = below = 0.0
    for parts, points in fitted:
        middle = math.fsum(parts) / len(parts)
        above += math.fsum((a - middle) * p for a, p in zip(parts, points, strict=True))
        below += math.fsum((a - middle) ** 2 for a in parts)
    if not above:
        return None
    slope = above / below
    base = float(scorecard.intercept_) + math.fsum(
        (math.fsum(points) - slope * math.fsum(parts)) / len(parts) for parts, points in fitted
    )
    return ToolScale(
        score=base,
        odds=math.exp(-float(constant[0])),
        pdo=math.log(2) * abs(slope),
        better="smaller" if slope > 0 else "larger",
    )


def _binned(name: str, variable: Any, points: Sequence[float]) -> tuple[Characteristic, int]:
    """A variable's characteristic, and how many of its bins are neither special nor missing."""
    codes = variable.special_codes
    specials = list(codes.values()) if isinstance(codes, Mapping) else [codes]
    labels = [str(key) for key in codes] if isinstance(codes, Mapping) else ["Special"]
    numeric = variable.dtype == "numerical"
    if numeric:
        plain = [
            Attribute(label=str(span), points=p, intervals=(span,))
            for span, p in zip(below([float(s) for s in variable.splits]), points, strict=False)
        ]
    else:
        plain = [
            Attribute(label=", ".join(map(str, group)), points=p, values=tuple(map(str, group)))
            for group, p in zip(variable.splits, points, strict=False)
        ]
    first = len(plain)
    if len(points) != first + len(specials) + 1:
        raise ModelFileError(f"{name}: {len(points)} points for its bins; fit the scorecard again")
    special = []
    for index, (label, values) in enumerate(zip(labels, specials, strict=True)):
        if values is None:
            continue
        listed = (
            list(values)
            if hasattr(values, "__iter__") and not isinstance(values, str)
            else [values]
        )
        kept = tuple(float(v) if numeric else str(v) for v in listed)
        special.append(Attribute(label=label, points=points[first + index], values=kept))
    last = [Attribute(label="Missing", points=points[-1], missing=True)]
    if not numeric:
        # A category unknown to the fit has index -1, the last, which is that of missing values.
        unknown = -1 if variable.cat_unknown is None else int(variable.cat_unknown)
        last.append(Attribute(label="(unknown)", points=points[unknown], default=True))
    made = Characteristic(
        name=name,
        type="number" if numeric else "category",
        attributes=(*special, *plain, *last),
    )
    return made, first


@reading(TOOL)
def from_csv(text: str) -> ToolCard:
    """The card of `table(style="detailed").to_csv(…)`; raises ModelFileError."""
    return _from_rows(list(csv.DictReader(io.StringIO(text))))


@reading(TOOL)
def from_json(raw: str | bytes) -> ToolCard:
    """The card of `table(style="detailed").to_json(orient="records")`; raises ModelFileError."""
    rows = parsed(raw, TOOL, "give the table as JSON records")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ModelFileError("optbinning: no list of rows; write the table with orient='records'")
    return _from_rows(rows)


def _from_rows(rows: list[dict[str, Any]]) -> ToolCard:
    columns = ("Variable", "Bin", "Points")
    if not rows or any(column not in row for row in rows for column in columns):
        raise ModelFileError(
            'optbinning: no columns Variable, Bin, Points; write table("detailed")'
        )
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(str(row["Variable"]), []).append(row)
    characteristics = tuple(_tabled(name, group) for name, group in grouped.items())
    notes = []
    decimals = {
        len(end.partition(".")[2])
        for row in rows
        if interval(str(row["Bin"]))
        for end in re.findall(r"\d+\.\d+", str(row["Bin"]))
    }
    if decimals:
        digits = max(decimals)
        notes.append(
            Text(
                zh=f"表中分割点只有 {digits} 位小数；要精确，请导出拟合对象",
                en=f"the table rounds cut points to {digits} decimals; for exact ones {_RECIPE}",
            )
        )
    return ToolCard(name=TOOL, tool=TOOL, characteristics=characteristics, notes=tuple(notes))


def _tabled(name: str, rows: list[dict[str, Any]]) -> Characteristic:
    attributes = []
    numeric = any(interval(str(row["Bin"])) for row in rows)
    for row in rows:
        label = str(row["Bin"])
        points = number(row["Points"], f"{name} {label!r}: Points")
        if label == "Missing":
            attributes.append(Attribute(label=label, points=points, missing=True))
        elif span := interval(label):
            attributes.append(Attribute(label=label, points=points, intervals=(span,)))
        elif not numeric and re.search(r"\[.*['\"]", label, re.DOTALL):
            values = _listed(name, label)
            attributes.append(Attribute(label=label, points=points, values=values))
        elif number(row.get("Count", 1), f"{name} {label!r}: Count") > 0:
            raise ModelFileError(
                f"{name} {label!r}: the table does not say which values are special; {_RECIPE}"
            )
    if not numeric and (missing := [a for a in attributes if a.missing]):
        unknown = {"label": "(unknown)", "missing": False, "default": True}
        attributes.append(missing[0].model_copy(update=unknown))
    return Characteristic(
        name=name, type="number" if numeric else "category", attributes=tuple(attributes)
    )


def _listed(name: str, label: str) -> tuple[str, ...]:
    values = re.findall(r"'((?:[^'\\]|\\.)*)'|\"([^\"]*)\"", label)
    if "..." in label or not values:
        raise ModelFileError(f"{name} {label!r}: the categories are cut short; {_RECIPE}")
    return tuple(single or double for single, double in values)
