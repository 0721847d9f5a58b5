"""A scorecard of whole points as a tool's card, for writing it in other tools' formats.

A characteristic is one feature of one holder, named `<holder's name>.<feature>`; it reads the raw
value, or the index of its bin. Partial scores are step × points, the initial score is the
scale's offset, so that the sum is the score before it is rounded (half a point up) and clamped
to 300–850. Reasons are the fields'; a characteristic's baseline is the most it can give.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from scoring.cards.card import Attribute, Characteristic, Interval, ToolCard, ToolScale
from scoring.catalogue import MISSING, Catalogue, Feature
from scoring.errors import ScorecardError
from scoring.scorecard import BASE_ODDS, BASE_SCORE, POINTS_TO_DOUBLE_ODDS, Scorecard

Values = Literal["raw", "bins"]
CHAIN_SCALE: Final = ToolScale(
    score=float(BASE_SCORE), odds=float(BASE_ODDS), pdo=float(POINTS_TO_DOUBLE_ODDS)
)


def column(holder: str, feature: str) -> str:
    """The name of a feature's column: `tax.sales_12m` of `spiffe://…/holder/tax`."""
    return f"{holder.rpartition('/')[2]}.{feature}"


def tool_card(scorecard: Scorecard, catalogue: Catalogue, values: Values = "raw") -> ToolCard:
    """The scorecard as a `ToolCard` over raw values in the catalogue's units, or over bins.

    Raises ScorecardError for another catalogue, or two holders that would share column names.
    """
    scorecard.check(catalogue)
    fields = {field.name: field for field in scorecard.fields}
    made, names = [], set()
    for entry in scorecard.points:
        feature = catalogue.feature(scorecard.kind_of(entry.holder), entry.feature)
        name = column(entry.holder, entry.feature)
        if name in names:
            raise ScorecardError(f"points: two holders would both be {name!r}; rename one")
        names.add(name)
        step = fields[entry.field].step
        points = [step * value for value in entry.points]
        rows = _bins(feature, points) if values == "bins" else _raw(feature, points)
        made.append(
            Characteristic(
                name=name,
                type="number" if values == "bins" else feature.type,
                attributes=tuple(rows),
                reason=fields[entry.field].reason,
                baseline=max(points),
            )
        )
    return ToolCard(
        name=f"{scorecard.name} {scorecard.version}",
        tool="yinxin",
        initial=scorecard.scale.offset,
        characteristics=tuple(made),
        scale=CHAIN_SCALE,
        reason_algorithm="pointsBelow",
    )


def _bins(feature: Feature, points: Sequence[float]) -> Iterator[Attribute]:
    for value in dict.fromkeys(points):
        chosen = [index for index, other in enumerate(points) if other == value]
        yield Attribute(
            label=", ".join(feature.bin_labels[index] for index in chosen),
            points=value,
            values=tuple(float(index) for index in chosen),
            missing=MISSING in chosen,
        )


def _raw(feature: Feature, points: Sequence[float]) -> Iterator[Attribute]:
    """Missing, special values, then intervals or categories, neighbours of equal points joined."""
    bins = feature.bins
    yield Attribute(label="missing", points=points[MISSING], missing=True)
    if feature.type == "category":
        for index, name in enumerate(bins.categories, start=1):
            yield Attribute(label=name, points=points[index], values=(name,))
        yield Attribute(label="other", points=points[-1], default=True)
        return
    for index, special in enumerate(bins.specials, start=1):
        yield Attribute(label=f"= {special:g}", points=points[index], values=(special,))
    first = 1 + len(bins.specials)
    ends: list[float | None] = [None, *bins.edges, None]
    start = 0
    for index in range(1, len(ends)):
        last = index == len(ends) - 1
        if last or points[first + index] != points[first + start]:
            span = Interval(low=ends[start], high=ends[index])
            yield Attribute(label=str(span), points=points[first + start], intervals=(span,))
            start = index
