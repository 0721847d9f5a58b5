"""What a bank sees of a firm, as rule d reckons it: sums of variables, and coverage counts.

A *view* is one field of one scorecard, or of the same scorecard a month later: a sum that the bank
reads. A *variable* is a non-public feature, or its values in two successive months: it lies in one
of its *classes*, which are the combinations of points that it gives to the views it is in. The
points of public features are known to the bank, which subtracts them; what their bins tell of the
common factor it has, too. Views that share a variable depend on one another beyond the factor;
they form a *component*, whose joint distribution is a convolution.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federation.policy.population import WEIGHTS, Floats, Margins, margins, recognition
from federation.policy.report import PolicyError
from scoring.catalogue import MISSING, Catalogue, Feature
from scoring.scorecard import Scorecard

Integers = NDArray[np.int64]

LEFT_OUT: Final = 0.002
"""Patterns of holders that know a firm are left out up to this share, and counted as revealing."""
LEFT_OUT_OF_UNKNOWN: Final = 0.02
"""The same of the firms that a holder does not know, however few they are."""
MOST_PATTERNS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Variable:
    """One feature of one holder, with `classes` that differ in what they add to the views.

    `points` has shape (classes, views of the variable), least 0 in each column; `given` has shape
    (grid, classes), for firms that the holder knows; `missing` is the class of those it does not.
    `bins` has the bins of each class, in pairs (now, a month later) where two months are seen.
    """

    name: str
    feature: Feature
    holder: int
    views: tuple[int, ...]
    points: Integers
    given: Floats
    missing: int
    bins: tuple[tuple[tuple[int, int], ...], ...]


@dataclass(frozen=True, slots=True)
class Public:
    """A public feature: what its bin, which anyone can look up, tells of the factor."""

    holder: int
    given: Floats


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything that a bank sees of one firm.

    `participants` has a tuple of holders for each coverage count, `shares` how many firms each
    holder knows.
    """

    holders: tuple[str, ...]
    shares: Floats
    participants: tuple[tuple[int, ...], ...]
    variables: tuple[Variable, ...]
    public: tuple[Public, ...]
    views: int


def sight(scorecards: Sequence[Scorecard], catalogue: Catalogue, *, months: int = 1) -> Sight:
    """What records of these scorecards show together; or of one scorecard in two months.

    All are of catalogues with the bins of this one. Raises PolicyError where statistics that this
    takes are not published.
    """
    shown = [card for card in scorecards for _ in range(months)]
    holders = tuple(sorted({p.holder for card in scorecards for p in card.participants}))
    numbers = {holder: number for number, holder in enumerate(holders)}
    first_view = np.cumsum([0, *(len(card.fields) for card in shown)])
    kinds = {p.holder: p.kind for card in scorecards for p in card.participants}
    variables, public = [], []
    for holder in holders:
        for feature in catalogue.features_of(kinds[holder]):
            if feature.public:
                if feature.frequencies is not None and feature.loading is not None:
                    public.append(Public(numbers[holder], margins(catalogue, feature).given))
                continue
            views, points = [], []
            for number, card in enumerate(shown):
                for entry in card.points:
                    if (entry.holder, entry.feature) == (holder, feature.name):
                        fields = [field.name for field in card.fields]
                        views.append(int(first_view[number]) + fields.index(entry.field))
                        points.append(entry.points)
            if any(len(set(row)) > 1 for row in points):
                known = margins(catalogue, feature)
                variables.append(
                    _variable(feature, holder, numbers[holder], views, points, known, months)
                )
    return Sight(
        holders=holders,
        shares=np.array([recognition(catalogue, holder) for holder in holders]),
        participants=tuple(
            tuple(numbers[p.holder] for p in card.participants) for card in scorecards
        ),
        variables=tuple(variables),
        public=tuple(public),
        views=int(first_view[-1]),
    )


def _variable(
    feature: Feature,
    holder: str,
    number: int,
    views: list[int],
    points: Sequence[tuple[int, ...]],
    known: Margins,
    months: int,
) -> Variable:
    count = feature.bin_count
    if months == 1:
        states = [(b, b) for b in range(count)]
        shares = known.given
    else:
        if known.moves is None:
            raise PolicyError(
                f"catalogue: {feature.id} has no published transitions; let its holders publish "
                "statistics of two months"
            )
        states = [(before, after) for before in range(count) for after in range(count)]
        shares = (known.given[:, :, None] * known.moves).reshape(len(known.given), -1)
    # With two months, views alternate: this month's field, next month's.
    vectors = [
        tuple(
            row[after if months == 2 and place % 2 else before] for place, row in enumerate(points)
        )
        for before, after in states
    ]
    classes = sorted(set(vectors))
    given = np.zeros((len(shares), len(classes)))
    bins: list[list[tuple[int, int]]] = [[] for _ in classes]
    for state, (vector, where) in enumerate(zip(vectors, states, strict=True)):
        given[:, classes.index(vector)] += shares[:, state]
        bins[classes.index(vector)].append(where)
    table = np.array(classes, dtype=np.int64)
    return Variable(
        name=f"{holder} {feature.name}",
        feature=feature,
        holder=number,
        views=tuple(views),
        points=table - table.min(axis=0),
        given=given,
        missing=classes.index(vectors[states.index((MISSING, MISSING))]),
        bins=tuple(tuple(found) for found in bins),
    )


@dataclass(frozen=True, slots=True)
class Patterns:
    """Which holders know the firm: the likeliest patterns, until few firms have another.

    `known` has shape (patterns, holders), `chances` (patterns,); `group` numbers patterns that give
    the same coverage counts.
    """

    known: NDArray[np.bool_]
    chances: Floats
    group: Integers


def patterns(seen: Sight) -> Patterns:
    """The patterns of a sight, fewest unknown holders first."""
    count = len(seen.holders)
    rows: list[NDArray[np.bool_]] = []
    chances: list[float] = []
    left, unknown = 1.0, 1 - seen.shares
    for away in _absences(count):
        known = np.ones(count, dtype=np.bool_)
        known[list(away)] = False
        chance = float(np.where(known, seen.shares, 1 - seen.shares).prod())
        rows.append(known)
        chances.append(chance)
        left -= chance
        unknown[~known] -= chance
        enough = left <= LEFT_OUT and (unknown <= LEFT_OUT_OF_UNKNOWN * (1 - seen.shares)).all()
        if enough or len(rows) >= MOST_PATTERNS:
            break
    table = np.array(rows)
    counts = [tuple(int(row[list(p)].sum()) for p in seen.participants) for row in table]
    numbers = {found: number for number, found in enumerate(dict.fromkeys(counts))}
    return Patterns(
        table,
        np.array(chances),
        np.array([numbers[found] for found in counts]),
    )


def _absences(count: int) -> Iterator[tuple[int, ...]]:
    for size in range(count + 1):
        yield from itertools.combinations(range(count), size)


@dataclass(frozen=True, slots=True)
class Component:
    """Views that are judged together, their ranges, and the variables in them."""

    views: tuple[int, ...]
    shape: tuple[int, ...]
    variables: tuple[int, ...]

    @property
    def cells(self) -> int:
        """How many values the joint sum can take."""
        return math.prod(self.shape)


def components(seen: Sight) -> tuple[Component, ...]:
    """The components of a sight; views without a variable are constant and in none."""
    group = list(range(seen.views))
    for variable in seen.variables:
        target = min(group[view] for view in variable.views)
        merged = {group[view] for view in variable.views}
        group = [target if number in merged else number for number in group]
    found = []
    for number in dict.fromkeys(group):
        views = tuple(view for view in range(seen.views) if group[view] == number)
        inside = tuple(i for i, v in enumerate(seen.variables) if group[v.views[0]] == number)
        if not inside:
            continue
        largest = dict.fromkeys(views, 0)
        for i in inside:
            variable = seen.variables[i]
            for view, most in zip(variable.views, variable.points.max(axis=0), strict=True):
                largest[view] += int(most)
        found.append(Component(views, tuple(largest[view] + 1 for view in views), inside))
    return tuple(found)


def prior(variable: Variable, share: float) -> Floats:
    """The probability of each class, shape (classes,), over all firms."""
    return _classes(variable, share, 1 - share)


def within(variable: Variable, found: Patterns) -> Floats:
    """The probability of each class, shape (classes,), together with one of the patterns."""
    known = found.known[:, variable.holder]
    return _classes(variable, found.chances[known].sum(), found.chances[~known].sum())


def _classes(variable: Variable, known: float, unknown: float) -> Floats:
    chances = known * (WEIGHTS @ variable.given)
    chances[variable.missing] += unknown
    return np.asarray(chances)
