"""Where in a fine bin the firms are taken to be, and exact places of a card's cut points.

The catalogue publishes how many firms are in a fine bin, not where in it. A bin that a cut of a
card divides therefore has to be shared out by an assumption: even spread within a bin between
two edges; in the outer bins, which have one edge, a density that falls off from it
exponentially, by the width of the bin next to it.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final

Point = Fraction | None
"""A place on the number line; None is infinitely far."""
Spread = Callable[[Point, Point, Point, Point], float]
"""The mass of a piece [below, above) of a bin [low, high), out of a total of 1."""


_LAST_DIGITS: Final = Fraction(1, 10**14)


def exact(value: float) -> Fraction:
    """A double as the decimal that it is written as: 0.1 is 1/10."""
    return Fraction(repr(float(value)))


def at_edges(cuts: Sequence[Fraction], edges: Sequence[float]) -> list[Fraction]:
    """The cuts, those that are an edge but for a double's last digits at it (10/3 × 3)."""
    places = [exact(edge) for edge in edges]
    moved = []
    for cut in cuts:
        near = min(places, key=lambda place: abs(place - cut))
        moved.append(near if abs(near - cut) <= abs(near) * _LAST_DIGITS else cut)
    return moved if len(set(moved)) == len(moved) else list(cuts)


def cell_at(cuts: Sequence[Fraction], value: Fraction) -> int:
    """The index of the cell that a value lies in: see `scoring.cards.cells`."""
    return bisect.bisect_left(cuts, value) + bisect.bisect_right(cuts, value)


def on_whole_numbers(
    cuts: Sequence[Fraction], owners: Sequence[int]
) -> tuple[list[Fraction], list[int]]:
    """The cells that say the same of whole numbers, every cut being one and open below.

    Between two of the new cuts, the lower included, all whole numbers have one owner.
    """
    places = {math.ceil(cut) for cut in cuts} | {math.floor(cut) + 1 for cut in cuts}
    moved = sorted(Fraction(place) for place in places)
    below = [moved[0] - 1, *moved] if moved else [Fraction(0)]
    gaps = [owners[cell_at(cuts, value)] for value in below]
    return moved, [gaps[(index + 1) // 2] for index in range(2 * len(moved) + 1)]


def spread_of(edges: Sequence[float]) -> Spread:
    """How the firms of each bin that the edges make are spread within it."""
    first = edges[1] - edges[0] if len(edges) > 1 else max(abs(edges[0]), 1.0)
    last = edges[-1] - edges[-2] if len(edges) > 1 else first

    def tail(distance: Point, width: float) -> float:
        return 0.0 if distance is None else math.exp(-float(distance) / width)

    def mass(below: Point, above: Point, low: Point, high: Point) -> float:
        if low is None and high is not None:
            near = None if above is None else high - above
            return tail(near, first) - tail(None if below is None else high - below, first)
        if high is None and low is not None:
            near = None if below is None else below - low
            return tail(near, last) - tail(None if above is None else above - low, last)
        if below is None or above is None or low is None or high is None:
            return 1.0
        return float((above - below) / (high - low))

    return mass
