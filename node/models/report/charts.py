"""The plots of the policy report: rows with a label to the left and figures to the right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from node.lettering import cut
from node.models.report.drawing import TEXT, Bar, Dot, Drawing, Label, Rule, Shape, Tone

T = TypeVar("T")

WIDE: Final = 493.0
"""Width of the text of an A4 page."""
HALF: Final = 240.0
_ROW: Final = 13.0
_HEAD: Final = 14.0
_SMALL: Final = 7.0


@dataclass(frozen=True)
class Share:
    """A feature's share in a field: `carries` of the plain sum, `dominates` of the root of the
    sum of squares (None for a public feature, which the second limit does not count).
    """

    label: str
    carries: float
    dominates: float | None


@dataclass(frozen=True)
class Gain:
    """What a record tells of a set of bins: expected posterior, prior and limit, all 0–1."""

    label: str
    prior: float | None
    figure: float
    limit: float
    passed: bool


def spread_chart(
    shares: Sequence[Share], least: float, greatest: float, heads: tuple[str, str], title: str
) -> Drawing:
    """Two panels a feature: what carries the field, and what dominates it."""
    left, panel, gap = 165.0, 150.0, 14.0
    top = max([least * 1.6, *(share.carries for share in shares)])
    starts = (left, left + panel + gap)
    shapes: list[Shape] = []
    for start, head, limit, most in zip(starts, heads, (least, greatest), (top, 1.0), strict=True):
        shapes.append(Label(start, 8, head, "soft", size=_SMALL))
        at = start + (panel - 32) * limit / most
        bottom = _HEAD + _ROW * len(shares)
        shapes.append(Rule(at, _HEAD - 2, at, bottom, "ink", 0.7, dashed=True))
        shapes.append(Label(at + 2, bottom + 7, f"{limit:.0%}", "soft", size=_SMALL))
    for y, share in _rows(shares):
        shapes.append(_name(share.label, left - 8, y))
        short: Tone = "brand" if share.carries >= least else "line"
        shapes += _amount(starts[0], y, share.carries, top, panel, short)
        if share.dominates is not None:
            tone: Tone = "bad" if share.dominates > greatest else "brand"
            shapes += _amount(starts[1], y, share.dominates, 1.0, panel, tone)
        else:
            shapes.append(Label(starts[1] + 2, y + 9, "–", "soft"))
    return Drawing(WIDE, _HEAD + _ROW * len(shares) + 10, title, tuple(shapes))


def levels_chart(rows: Sequence[tuple[str, Sequence[int]]], most: int, title: str) -> Drawing:
    """The point values that each feature uses: dots on the field's grid of `most` + 1 values."""
    left = 165.0
    step = (WIDE - left - 20) / max(most, 1)
    marks = max(1, round(most / 12))
    shapes: list[Shape] = [
        Label(left + 6 + step * value, 8, str(value), "soft", "middle", _SMALL)
        for value in range(0, most + 1, marks)
    ]
    for y, (label, points) in _rows(rows):
        used = sorted(set(points))
        shapes.append(_name(label, left - 8, y))
        ends = left + 6 + step * used[0], left + 6 + step * used[-1]
        shapes.append(Rule(ends[0], y + 6, ends[1], y + 6, "line", 1.0))
        shapes += [Dot(left + 6 + step * value, y + 6, 2.6, "brand") for value in used]
    return Drawing(WIDE, _HEAD + _ROW * len(rows) + 2, title, tuple(shapes))


def bins_chart(
    labels: Sequence[str],
    frequencies: Sequence[float] | None,
    points: Sequence[int],
    heads: tuple[str, str],
    title: str,
) -> Drawing:
    """A feature's bins: the share of firms in each, and its points."""
    left, shares, worth = 88.0, 92.0, 176.0
    most, highest = max(frequencies or (1.0,)), max(1, *points)
    shapes: list[Shape] = [
        Label(left, 8, heads[0], "soft", size=_SMALL),
        Label(worth, 8, heads[1], "soft", size=_SMALL),
    ]
    for number, (y, label) in enumerate(_rows(labels)):
        shapes.append(_name(label, left - 6, y))
        if frequencies is None:
            shapes.append(Label(left, y + 9, "–", "soft"))
        else:
            share = frequencies[number]
            shapes += _amount(left, y, share, most, shares - 12, "soft", f"{share:.2%}")
        value = points[number]
        shapes += _amount(worth, y, value, highest, HALF - worth, "brand", str(value))
    return Drawing(HALF, _HEAD + _ROW * len(labels), title, tuple(shapes))


def gains_chart(gains: Sequence[Gain], heads: tuple[str, str], title: str) -> Drawing:
    """A feature's sets of bins: prior, limit and figure of each on a scale of 0 to 1."""
    left, scale = 104.0, 70.0
    shapes: list[Shape] = [
        Label(left, 8, heads[0], "soft", size=_SMALL),
        Label(HALF, 8, heads[1], "soft", "end", _SMALL),
    ]
    for y, gain in _rows(gains):
        shapes.append(_name(gain.label, left - 6, y))
        shapes.append(Rule(left, y + 6, left + scale, y + 6, "line"))
        if gain.prior is not None:
            at = left + scale * gain.prior
            shapes.append(Rule(at, y + 3, at, y + 9, "soft", 1.0))
        at = left + scale * gain.limit
        shapes.append(Rule(at, y + 2, at, y + 10, "ink", 1.4))
        tone: Tone = "brand" if gain.passed else "bad"
        shapes.append(Dot(left + scale * min(gain.figure, 1.0), y + 6, 2.8, tone))
        sign = "≤" if gain.passed else ">"
        text = f"{gain.figure:.3f} {sign} {gain.limit:.3f}"
        shapes.append(Label(HALF, y + 9, text, "ink" if gain.passed else "bad", "end", 7.5))
    return Drawing(HALF, _HEAD + _ROW * len(gains), title, tuple(shapes))


def _rows(rows: Sequence[T]) -> Iterator[tuple[float, T]]:
    for number, row in enumerate(rows):
        yield _HEAD + _ROW * number, row


def _name(text: str, width: float, y: float) -> Label:
    return Label(width, y + 9, cut(text, width, TEXT), "ink", "end", whole=text)


def _amount(
    x: float, y: float, value: float, most: float, width: float, tone: Tone, text: str = ""
) -> list[Shape]:
    """A bar of `value` out of `most`, and the number at the right end."""
    long = max(0.0, (width - 32) * value / most)
    return [
        Bar(x, y + 2, max(long, 0.6), _ROW - 5, tone),
        Label(x + width, y + 9, text or f"{value:.1%}", "soft", "end", 7.5),
    ]
