"""Bins of one feature in several versions of the catalogue, on a common refinement.

A version of the catalogue may cut a feature otherwise than the one before. Points of both are
functions of the feature's value, and can be compared on bins that are finer than either: the
*atoms*. Where versions agree, the atoms are the bins.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from scoring.catalogue import MISSING, Bins

__all__ = ["RARE", "Bins", "atoms", "rare", "shares_over", "spread_over"]

RARE: Final = 0.10
"""Bins of up to a tenth of all firms are no cover in rule c. Where five features vary in bins of a
tenth each, 0.9⁵ = 0.59 of the firms are in none of them: about as many as a record may be sure of
by rule d."""

Atom = tuple[str, float | str]
"""What stands for all values of an atom: `missing`, a special value, a category, or a point."""


def atoms(versions: Sequence[Bins]) -> tuple[Atom, ...]:
    """The atoms of a feature, `missing` first."""
    first: list[Atom] = [("missing", "")]
    if any(bins.categories for bins in versions):
        known = dict.fromkeys(c for bins in versions for c in bins.categories)
        return (*first, *(("category", c) for c in known), ("category", "other"))
    specials = sorted({value for bins in versions for value in bins.specials})
    edges = sorted({edge for bins in versions for edge in bins.edges})
    # An atom between two edges is left-closed: its lower edge stands for it.
    return (
        *first,
        *(("special", value) for value in specials),
        *(("number", value) for value in (-math.inf, *edges)),
    )


def spread_over(bins: Bins, points: Sequence[int], found: Sequence[Atom]) -> list[int]:
    """The points of every atom."""
    return [points[_bin(bins, atom)] for atom in found]


def shares_over(bins: Bins, shares: Sequence[float], found: Sequence[Atom]) -> list[float]:
    """The share of firms in every atom; atoms of one bin are taken as equally common."""
    places = [_bin(bins, atom) for atom in found]
    return [shares[place] / places.count(place) for place in places]


def rare(shares: Sequence[float]) -> frozenset[int]:
    """The rarest atoms or bins, `RARE` of all firms together at most."""
    total, found = 0.0, set[int]()
    for number in sorted(range(len(shares)), key=lambda n: shares[n]):
        total += shares[number]
        if total > RARE:
            break
        found.add(number)
    return frozenset(found)


def _bin(bins: Bins, atom: Atom) -> int:
    """The bin of a version that an atom lies in."""
    sort, value = atom
    if sort == "missing":
        return MISSING
    if bins.categories:
        known = bins.categories.index(str(value)) if value in bins.categories else -1
        return 1 + known if known >= 0 else len(bins.categories) + 1
    number = float(value)
    if sort == "special" and number in bins.specials:
        return 1 + bins.specials.index(number)
    return 1 + len(bins.specials) + bisect_right(bins.edges, number)
