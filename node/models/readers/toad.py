"""Scorecards of toad (`toad.ScoreCard`): the fitted object, or the JSON of its `export()`.

toad scores a value that is missing, in a numeric column without a bin `nan`, as if it were -1;
a category that no bin names gets the lowest points of its column. Both are kept, and noted.
`export()` rounds points to two decimals: for the exact ones give `export(decimal=12)`, or take
the object.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from node.models.readers.labels import ModelFileError, below, interval, number, parsed, reading
from scoring.cards.card import Attribute, Characteristic, Interval, ToolCard, ToolScale
from scoring.documents import Text

TOOL: Final = "toad"
MISSING_AS: Final = -1.0
"""What toad puts in place of a missing number (`toad.utils.fillna`)."""


@reading(TOOL)
def from_object(card: Any) -> ToolCard:
    """The card of a fitted `toad.ScoreCard`, with its scale.

    Raises ModelFileError for an object that has not been fitted or loaded.
    """
    import numpy as np

    if not getattr(card, "rules", None):
        raise ModelFileError("scorecard: not fitted; call fit or load first")
    characteristics, notes = [], []
    for name, rule in card.rules.items():
        bins, points = rule["bins"], [float(score) for score in rule["scores"]]
        if np.issubdtype(bins.dtype, np.number):
            cuts = [float(cut) for cut in bins]
            separate = bool(cuts) and math.isnan(cuts[-1])
            rows = zip(below(cuts[:-1] if separate else cuts), points, strict=False)
            made, note = _numbers(name, rows, points[-1] if separate else None)
        else:
            groups = [group if isinstance(group, str) else list(map(str, group)) for group in bins]
            made, note = _categories(name, list(zip(groups, points, strict=True)))
        characteristics.append(made)
        notes.extend(note)
    scale = ToolScale(
        score=float(card.base_score),
        odds=float(card.base_odds),
        pdo=float(card.pdo * math.log(2) / math.log(card.rate)),
    )
    return ToolCard(
        name=TOOL,
        tool=TOOL,
        characteristics=tuple(characteristics),
        scale=scale,
        notes=tuple(notes),
    )


@reading(TOOL)
def from_json(raw: str | bytes) -> ToolCard:
    """The card of an exported JSON: `{name: {bin label: points}}`.

    Raises ModelFileError for another form.
    """
    data = parsed(raw, TOOL, "give the file that export(to_json=…) wrote")
    if not isinstance(data, dict) or not all(isinstance(r, dict) and r for r in data.values()):
        raise ModelFileError("toad: not {name: {bin: points}}; give what export(to_json=…) wrote")
    characteristics, notes = [], []
    for name, rule in data.items():
        rows = [(label, number(score, f"{name} {label!r}")) for label, score in rule.items()]
        made, note = _labelled(str(name), rows)
        characteristics.append(made)
        notes.extend(note)
    return ToolCard(
        name=TOOL, tool=TOOL, characteristics=tuple(characteristics), notes=tuple(notes)
    )


def _labelled(name: str, rows: list[tuple[str, float]]) -> tuple[Characteristic, list[Text]]:
    spans = [(interval(label), points) for label, points in rows if label != "nan"]
    if spans and all(span is not None for span, _ in spans):
        absent = dict(rows).get("nan")
        return _numbers(name, [(span, points) for span, points in spans if span], absent)
    groups = [(label if label == "else" else label.split(","), points) for label, points in rows]
    return _categories(name, groups)


def _numbers(
    name: str, rows: Iterable[tuple[Interval, float]], absent: float | None
) -> tuple[Characteristic, list[Text]]:
    attributes, notes = [], []
    for span, points in rows:
        missing = absent is None and _holds(span, MISSING_AS)
        attributes.append(
            Attribute(label=str(span), points=points, intervals=(span,), missing=missing)
        )
    if absent is not None:
        attributes.append(Attribute(label="nan", points=absent, missing=True))
    else:
        notes.append(
            Text(
                zh=f"{name}：没有缺失分箱；toad 把缺失值当作 {MISSING_AS:g} 评分，此处照办",
                en=f"{name}: no bin for missing values; toad scores them as {MISSING_AS:g}: kept",
            )
        )
    return Characteristic(name=name, type="number", attributes=tuple(attributes)), notes


def _holds(span: Interval, value: float) -> bool:
    return (span.low is None or span.low <= value) and (span.high is None or value < span.high)


def _categories(
    name: str, groups: list[tuple[str | list[str], float]]
) -> tuple[Characteristic, list[Text]]:
    lowest = min(points for _, points in groups)
    attributes: list[Attribute] = []
    named: Mapping[str, float] = {v: p for g, p in groups if isinstance(g, list) for v in g}
    rest = any(isinstance(group, str) for group, _ in groups)
    # In toad the last group that names a category wins: here it has to come first.
    for group, points in reversed(groups):
        if isinstance(group, str):
            attributes.append(
                Attribute(label=group, points=points, default=True, missing="nan" not in named)
            )
        else:
            values = tuple(value for value in group if value != "nan")
            missing = "nan" in group
            label = ",".join(group)
            attributes.append(Attribute(label=label, points=points, values=values, missing=missing))
    if rest:
        return Characteristic(name=name, type="category", attributes=tuple(attributes)), []
    attributes.append(
        Attribute(label="(unknown)", points=lowest, default=True, missing="nan" not in named)
    )
    note = Text(
        zh=f"{name}：卡中没有的类别按最低分 {lowest:g} 计，与 toad 一致",
        en=f"{name}: a category that the card does not name gets the lowest points, {lowest:g}, "
        "as in toad",
    )
    return Characteristic(name=name, type="category", attributes=tuple(attributes)), [note]
