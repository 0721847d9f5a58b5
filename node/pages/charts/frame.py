"""The frame of a plot: gridlines, ticks, labels below, and what a pointer finds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from markupsafe import Markup

from node.lettering import cut, width_of
from node.pages.charts.scale import WIDTHS, per_cent, places, short
from node.pages.charts.svg import element, picture

TOP: Final = 10.0
TALL: Final = 190.0
"""Height of the plot itself, in pixels."""
BELOW: Final = 26.0
LABEL: Final = 120.0
"""Where labels below the plot are cut, in pixels."""


def height_of(value: float, steps: Sequence[float]) -> float:
    """How far below the drawing's upper edge a value is, in pixels."""
    return TOP + TALL * (1 - (value - steps[0]) / (steps[-1] - steps[0]))


def plot(
    content: Sequence[object],
    *,
    steps: Sequence[float],
    labels: Sequence[str],
    at: Sequence[float],
    hints: Sequence[str],
    label: str,
    language: str,
) -> Markup:
    """The drawing: `at` are the labels' places as shares of the width, `hints` what each says when
    it is pointed at.
    """
    ticks = [short(step, language) for step in steps]
    grid = [
        element(
            "line", class_="base" if n == 0 else "grid", x1=0, x2="100%",
            y1=height_of(step, steps), y2=height_of(step, steps),
        )
        for n, step in enumerate(steps)
    ]  # fmt: skip
    scale = [
        element("text", tick, class_="y", x=-8, y=height_of(step, steps) + 4, text_anchor="end")
        for tick, step in zip(ticks, steps, strict=True)
    ]
    gutter = min(8, max(2, round(max(map(width_of, ticks)) / 7)))
    drawing = picture(
        *grid, *content, *scale, *_below(labels, at), *_hits(at, hints),
        label=label, height=TOP + TALL + BELOW,
    )  # fmt: skip
    return element("div", drawing, class_=f"plot gutter-{gutter}")


def _below(labels: Sequence[str], at: Sequence[float]) -> list[Markup]:
    return [
        element(
            "text",
            cut(text, LABEL),
            class_=" ".join(["x", *(f"at-{size}" for size in sizes)]),
            x=per_cent(where),
            y=TOP + TALL + 18,
            text_anchor=anchor,
        )
        for text, place, sizes in zip(labels, at, places(labels, LABEL), strict=True)
        if sizes
        for where, anchor in [_anchored(cut(text, LABEL), place)]
    ]


def _anchored(text: str, place: float) -> tuple[float, str]:
    """Where a label is held, and by what: under its value, and within a small plot."""
    half = width_of(text) / 2 / WIDTHS["s"]
    if place < half - 0.08:
        return 0.0, "start"
    return (1.0, "end") if 1 - place < half - 0.04 else (place, "middle")


def _hits(at: Sequence[float], hints: Sequence[str]) -> list[Markup]:
    """Upright strips, one a label, that meet half-way."""
    edges = [(a + b) / 2 for a, b in pairwise(at)]
    return [
        element(
            "rect", element("title", hint), class_="hit", x=per_cent(left), y=TOP,
            width=per_cent(right - left), height=TALL,
        )
        for hint, left, right in zip(hints, [0.0, *edges], [*edges, 1.0], strict=True)
    ]  # fmt: skip
