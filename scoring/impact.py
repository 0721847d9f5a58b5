"""What a new catalogue changes of an old one, feature by feature and bin by bin.

A scorecard and a holder's mapping are written for the features of one catalogue. `compare` says
which features are there no more or mean something else; `origins` says, for a feature whose bins
were cut anew, from which old bins the firms of a new bin may come. Statistics (frequencies,
loadings, transitions) and titles may change in every version without changing what a feature means.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from scoring.catalogue import MISSING, Bins, Catalogue, Feature

MEANING: Final = ("type", "unit", "bins")
"""What gives a feature's points their meaning."""
PARTS: Final = (*MEANING, "public", "sense", "title", "statistics")
"""What may differ between two versions of a feature."""


@dataclass(frozen=True)
class FeatureChange:
    """A feature that both catalogues have, not the same: the PARTS that differ, the labels of the
    bins that only one of them has, and the categories that a mapping can name no more.
    """

    feature: str
    parts: tuple[str, ...]
    bins_gone: tuple[str, ...] = ()
    bins_new: tuple[str, ...] = ()
    categories_gone: tuple[str, ...] = ()

    @property
    def means_another(self) -> bool:
        """Whether points for the old one say nothing of the new one as they are."""
        return not set(MEANING).isdisjoint(self.parts)


@dataclass(frozen=True)
class Difference:
    """What a new catalogue changes of an old one. Features are named `kind.name`."""

    old: str
    new: str
    kinds_gone: tuple[str, ...]
    kinds_new: tuple[str, ...]
    gone: tuple[str, ...]
    added: tuple[str, ...]
    changed: tuple[FeatureChange, ...]
    moved: tuple[str, ...]
    """Features that stay, with their columns at another place: a holder's data are loaded anew."""

    @property
    def meaning(self) -> tuple[str, ...]:
        """Features that are gone or mean something else: what a scorecard may not outlive."""
        other = [change.feature for change in self.changed if change.means_another]
        return tuple(sorted({*self.gone, *other}))


def compare(old: Catalogue, new: Catalogue) -> Difference:
    """What `new` changes of `old`."""
    before = {feature.id: feature for feature in old.features}
    after = {feature.id: feature for feature in new.features}
    places, now = _places(old), _places(new)
    both = [name for name in before if name in after]
    changes = (_change(before[name], after[name]) for name in both)
    return Difference(
        old=old.version,
        new=new.version,
        kinds_gone=tuple(kind for kind in old.kinds if kind not in new.kinds),
        kinds_new=tuple(kind for kind in new.kinds if kind not in old.kinds),
        gone=tuple(name for name in before if name not in after),
        added=tuple(name for name in after if name not in before),
        changed=tuple(change for change in changes if change.parts),
        moved=tuple(name for name in both if places[name] != now[name]),
    )


def origins(old: Feature, new: Feature) -> tuple[frozenset[int], ...] | None:
    """For every bin of `new`, the bins of `old` in which its firms may have been; together all.

    None where that cannot be said: another type or unit. An interval that shares a stretch with
    another may have its firms from there, whether or not any firm has such a value.
    """
    if (old.type, old.unit) != (new.type, new.unit):
        return None
    found = _category_origins if new.bins.categories else _number_origins
    return (frozenset({MISSING}), *found(old.bins, new.bins))


def _category_origins(old: Bins, new: Bins) -> tuple[frozenset[int], ...]:
    known = {category: index for index, category in enumerate(old.categories, 1)}
    other = len(old.categories) + 1
    inner = (frozenset({known.get(category, other)}) for category in new.categories)
    dropped = (index for category, index in known.items() if category not in new.categories)
    return (*inner, frozenset({other, *dropped}))


def _number_origins(old: Bins, new: Bins) -> tuple[frozenset[int], ...]:
    special = {value: index for index, value in enumerate(old.specials, 1)}
    first = 1 + len(old.specials)

    def of_value(value: float) -> frozenset[int]:
        return frozenset({special.get(value, first + bisect_right(old.edges, value))})

    def of_interval(low: float, high: float) -> frozenset[int]:
        last = bisect_left(old.edges, high)
        intervals = range(first + bisect_right(old.edges, low), first + last + 1)
        lapsed = (i for v, i in special.items() if low <= v < high and v not in new.specials)
        return frozenset({*intervals, *lapsed})

    bounds = (-math.inf, *new.edges, math.inf)
    intervals = (of_interval(low, high) for low, high in itertools.pairwise(bounds))
    return (*map(of_value, new.specials), *intervals)


def _change(old: Feature, new: Feature) -> FeatureChange:
    differs = {
        "type": old.type != new.type,
        "unit": old.unit != new.unit,
        "bins": old.bins != new.bins,
        "public": old.public != new.public,
        "sense": old.sense != new.sense,
        "title": old.title != new.title,
        "statistics": (old.frequencies, old.loading, old.transitions)
        != (new.frequencies, new.loading, new.transitions),
    }
    before, after = old.bin_labels, new.bin_labels
    return FeatureChange(
        feature=old.id,
        parts=tuple(part for part in PARTS if differs[part]),
        bins_gone=tuple(label for label in before if label not in after),
        bins_new=tuple(label for label in after if label not in before),
        categories_gone=tuple(c for c in old.bins.categories if c not in new.bins.categories),
    )


def _places(catalogue: Catalogue) -> Mapping[str, tuple[int, int]]:
    """The first column of every feature among its kind's, and how many it has."""
    places = {}
    for kind in catalogue.kinds:
        column = 0
        for feature in catalogue.features_of(kind):
            places[feature.id] = (column, feature.bin_count)
            column += feature.bin_count
    return places
