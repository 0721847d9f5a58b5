"""One characteristic onto one feature's fine bins: the points of each bin, and what changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from scoring.cards.card import Characteristic
from scoring.cards.cells import NOBODY, Cells, cells_of
from scoring.cards.changes import Change, boundary, lost_categories, lost_value, merged, shifted
from scoring.cards.density import (
    Point,
    Spread,
    at_edges,
    cell_at,
    exact,
    on_whole_numbers,
    spread_of,
)
from scoring.cards.mapping import MappedCharacteristic, Method
from scoring.catalogue import Feature
from scoring.errors import ScorecardError


@dataclass(frozen=True, slots=True)
class Fine:
    """Tool points a fine bin, `missing` first; which attributes each bin is made of; changes."""

    points: tuple[float, ...]
    sources: tuple[tuple[str, ...], ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A share of a fine bin that one attribute takes."""

    owner: int
    mass: float


def fine(
    characteristic: Characteristic, feature: Feature, how: MappedCharacteristic, method: Method
) -> Fine:
    """The characteristic's points over a feature's fine bins, on the tool's scale.

    Raises ScorecardError where types differ, or where a value has no points and the mapping
    gives none.
    """
    if characteristic.type != feature.type:
        raise ScorecardError(
            f"{how.name}: a {characteristic.type}, and {feature.id} is a {feature.type}; map it to "
            "another feature, or drop it"
        )
    made = _Maker(cells_of(characteristic), feature, how, method)
    return made.numbers() if feature.type == "number" else made.categories()


class _Maker:
    """Works through the bins of one feature."""

    def __init__(
        self, cells: Cells, feature: Feature, how: MappedCharacteristic, method: Method
    ) -> None:
        self.cells, self.feature, self.how, self.method = cells, feature, how, method
        self.attributes = cells.characteristic.attributes
        self.shares = feature.frequencies or (0.0,) * feature.bin_count
        self.points: list[float] = []
        self.sources: list[tuple[str, ...]] = []
        self.changes: list[Change] = []

    def _done(self) -> Fine:
        return Fine(tuple(self.points), tuple(self.sources), tuple(self.changes))

    def _points(self, owner: int, what: str) -> float:
        if owner != NOBODY:
            return self.attributes[owner].points
        if self.how.unknown_points is None:
            raise ScorecardError(
                f"{self.how.name}: no attribute takes {what}; set unknown_points in the mapping"
            )
        return self.how.unknown_points

    def _label(self, owner: int) -> str:
        return "unknown_points" if owner == NOBODY else self.attributes[owner].label

    def _missing(self) -> None:
        how = self.how
        if how.missing_points is not None:
            self._put(how.missing_points, "missing_points")
            return
        owner = self.cells.missing
        if how.missing_as is not None:
            owner = int(self.cells.owners_of([how.missing_as])[0])
        if owner == NOBODY:
            raise ScorecardError(
                f"{how.name}: the card has no points for missing values, and a firm that the "
                "holder does not know is one; set missing_points or missing_as in the mapping"
            )
        self._put(self.attributes[owner].points, self._label(owner))

    def _put(self, points: float, *sources: str) -> None:
        self.points.append(points)
        self.sources.append(sources)

    # Numbers

    def numbers(self) -> Fine:
        """Missing, special values, intervals."""
        factor = exact(self.how.factor)
        exactly = [exact(cut) * factor for cut in self.cells.cuts.tolist()]
        cuts = at_edges(exactly, self.feature.bins.edges)
        owners = self.cells.owners.tolist()
        if factor < 0:
            cuts, owners = cuts[::-1], owners[::-1]
        if self.how.whole:
            cuts, owners = on_whole_numbers(cuts, owners)
        self._missing()
        bins = self.feature.bins
        for special in bins.specials:
            owner = owners[cell_at(cuts, exact(special))]
            self._put(self._points(owner, f"{special:g}"), self._label(owner))
        ends: list[Point] = [None, *map(exact, bins.edges), None]
        spread = spread_of(bins.edges)
        for index in range(len(ends) - 1):
            self._interval(cuts, owners, ends[index], ends[index + 1], spread)
        self._single_values(cuts, owners)
        return self._done()

    def _interval(
        self,
        cuts: Sequence[Fraction],
        owners: Sequence[int],
        low: Point,
        high: Point,
        spread: Spread,
    ) -> None:
        index = len(self.points)
        label = self.feature.bin_labels[index]
        parts, inside = [], []
        for place in range(len(cuts) + 1):
            start = cuts[place - 1] if place else None
            stop = cuts[place] if place < len(cuts) else None
            below = low if start is None or (low is not None and low > start) else start
            above = high if stop is None or (high is not None and high < stop) else stop
            if below is not None and above is not None and below >= above:
                continue
            parts.append(_Part(owners[2 * place], spread(below, above, low, high)))
            if start is not None and (low is None or start > low):
                inside.append(start)
        values = [(part, self._points(part.owner, label)) for part in parts]
        chosen = self._choose(values)
        self._put(chosen, *dict.fromkeys(self._label(part.owner) for part in parts))
        total = sum(part.mass for part in parts)
        moved = sum(part.mass for part, points in values if points != chosen) / total
        if moved:
            change = sum(part.mass * abs(points - chosen) for part, points in values) / total
            share = self.shares[index]
            places = [float(cut) for cut in inside]
            self.changes.append(
                shifted(label, places, self.method, chosen, share * moved, share * change)
            )

    def _choose(self, values: Sequence[tuple[_Part, float]]) -> float:
        masses: dict[float, float] = {}
        for part, points in values:
            masses[points] = masses.get(points, 0.0) + part.mass
        if self.method == "weighted" and len(masses) > 1:
            return math.fsum(p * m for p, m in masses.items()) / math.fsum(masses.values())
        return max(masses, key=lambda points: masses[points])

    def _single_values(self, cuts: Sequence[Fraction], owners: Sequence[int]) -> None:
        """Values with points of their own that no special bin keeps, and closed ends that moved."""
        kept = {exact(special) for special in self.feature.bins.specials}
        if isinstance(self.how.missing_as, float):
            kept.add(exact(self.how.missing_as) * exact(self.how.factor))
        edges = set(map(exact, self.feature.bins.edges))
        for place, cut in enumerate(cuts):
            if cut in kept:
                continue
            before, at, after = (owners[2 * place + offset] for offset in range(3))
            own = self.attributes[at].points if at != NOBODY else None
            sides = [self.attributes[o].points if o != NOBODY else None for o in (before, after)]
            if own not in sides:
                self.changes.append(lost_value(float(cut)))
            elif own != sides[1] and cut in edges:
                self.changes.append(boundary(float(cut)))

    # Categories

    def categories(self) -> Fine:
        """Missing, the catalogue's categories, and `other`."""
        self._missing()
        place = {name: self.how.categories.get(name, name) for name in self.cells.names}
        listed = self.feature.bins.categories
        for name, to in self.how.categories.items():
            if name not in place or to not in (*listed, "other"):
                raise ScorecardError(
                    f"{self.how.name}: categories: {name!r} = {to!r}: the first has to be in the "
                    f"card ({', '.join(place)}), the second in the catalogue ({', '.join(listed)})"
                )
        for category in listed:
            self._category(category, [name for name, to in place.items() if to == category])
        rest = [name for name, to in place.items() if to not in listed]
        other = int(self.cells.owners[-1])
        if other != NOBODY:
            usual = self.attributes[other].points
            differ = [name for name in rest if self._named(name, name) != usual]
            if differ:
                self.changes.append(lost_categories(differ))
        self._category("other", rest if other == NOBODY else [])
        return self._done()

    def _named(self, name: str, what: str) -> float:
        return self._points(int(self.cells.owners[self.cells.names[name]]), what)

    def _category(self, category: str, names: Sequence[str]) -> None:
        index = len(self.points)
        owners = [int(self.cells.owners[self.cells.names[name]]) for name in names]
        owners = owners or [int(self.cells.owners[-1])]
        points = [self._points(owner, category) for owner in owners]
        chosen = points[0] if len(set(points)) == 1 else math.fsum(points) / len(points)
        self._put(chosen, *dict.fromkeys(map(self._label, owners)))
        if len(set(points)) > 1:
            change = math.fsum(abs(value - chosen) for value in points) / len(points)
            share = self.shares[index]
            self.changes.append(merged(category, names, chosen, share, share * change))
