"""Rounds a scorecard of real-valued points to what certification policy b allows.

Policy b: at most 8 equally spaced point values a field, and every jump between neighbouring
used values of a feature occurs in at least three non-public features of its field. Within a
field the rounded points are 0–7, a unit is worth `step` score points, and the constant that each
feature loses goes into the scale's offset.

The rounding minimises the mean squared change of the score, feature by feature, weighted with
the bins' frequencies. For a given step and set of allowed jumps the best points of a feature are
found exactly (dynamic programming over its bins in order of value, alternating with the best
constant); steps are searched on a grid, and jumps that too few features use are struck off
until all that remain are supported. The result depends on nothing but the input.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scoring.errors import ScorecardError
from scoring.scorecard import jumps

LEVELS: Final = 8
JUMP_SUPPORT: Final = 3
_STEPS: Final = 40
_ALTERNATIONS: Final = 4
_LEAST_WEIGHT: Final = 1e-6
"""Weight of a bin that never occurs, so that it still gets its nearest points."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RealPoints:
    """A feature as a modelling tool gives it: score points a fine bin, larger is better.

    `points` and `frequencies` have shape (bins,), `missing` first.
    """

    holder: str
    feature: str
    field: str
    public: bool
    points: Floats
    frequencies: Floats

    @property
    def key(self) -> tuple[str, str]:
        """(holder, feature)."""
        return self.holder, self.feature


@dataclass(frozen=True, slots=True)
class RoundedPoints:
    """A rounded scorecard: whole points by (holder, feature), steps by field, and the constant.

    A feature's real points are near `step · points + constant of the feature`; `offset` is the
    sum of those constants, to be added to the scale's offset.
    """

    points: Mapping[tuple[str, str], tuple[int, ...]]
    steps: Mapping[str, float]
    offset: float


@dataclass(frozen=True, slots=True)
class _Fit:
    """Points and constants of a field's features, in order, at one step; and the cost."""

    step: float
    points: tuple[NDArray[np.int64], ...]
    constants: tuple[float, ...]
    cost: float


def round_points(
    features: Sequence[RealPoints], levels: int = LEVELS, support: int = JUMP_SUPPORT
) -> RoundedPoints:
    """Round every field to at most `levels` values with jumps in `support` features each.

    Raises ScorecardError for points that are not finite, shapes that disagree, a repeated
    feature, or a field with too few varying non-public features to hide any jump.
    """
    _check(features)
    points: dict[tuple[str, str], tuple[int, ...]] = {}
    steps: dict[str, float] = {}
    offset = 0.0
    for field in dict.fromkeys(feature.field for feature in features):
        members = [feature for feature in features if feature.field == field]
        fit = _best(field, members, levels, support)
        steps[field] = fit.step
        offset += sum(fit.constants)
        for member, chosen in zip(members, fit.points, strict=True):
            points[member.key] = tuple(chosen.tolist())
    return RoundedPoints(points, steps, offset)


def _check(features: Sequence[RealPoints]) -> None:
    keys = [feature.key for feature in features]
    for feature in features:
        where = f"points of {feature.holder} {feature.feature}"
        if keys.count(feature.key) > 1:
            raise ScorecardError(f"{where}: stands twice; drop the repeat")
        if feature.points.ndim != 1 or feature.points.shape != feature.frequencies.shape:
            raise ScorecardError(f"{where}: give as many frequencies as points, one a bin")
        if not np.isfinite(feature.points).all() or not np.isfinite(feature.frequencies).all():
            raise ScorecardError(f"{where}: not finite; bound the points of rare bins")
        if (feature.frequencies < 0).any() or feature.frequencies.sum() <= 0:
            raise ScorecardError(f"frequencies of {feature.feature}: give shares that sum to 1")


def _best(field: str, members: Sequence[RealPoints], levels: int, support: int) -> _Fit:
    varying = [m for m in members if not m.public and np.ptp(m.points) > 0]
    if len(varying) < support:
        raise ScorecardError(
            f"field {field}: {len(varying)} non-public features vary, and a jump needs {support}; "
            "merge the field with another"
        )
    widest = max(float(np.ptp(member.points)) for member in members)
    fits = [
        _supported(members, float(step), levels, support)
        for step in np.geomspace(widest / (3 * levels), widest, _STEPS)
    ]
    usable = [fit for fit in fits if any(chosen.any() for chosen in fit.points)]
    if not usable:
        raise ScorecardError(f"field {field}: no jump is shared widely; merge it with another")
    return _with_best_step(members, min(usable, key=lambda fit: fit.cost))


def _supported(members: Sequence[RealPoints], step: float, levels: int, support: int) -> _Fit:
    allowed = set(range(1, levels))
    while True:
        fit = _fit(members, step, levels, allowed)
        users = dict.fromkeys(allowed, 0)
        used: set[int] = set()
        for member, points in zip(members, fit.points, strict=True):
            used |= jumps(points.tolist())
            for jump in jumps(points.tolist()):
                users[jump] += not member.public
        lonely = [jump for jump in used if users[jump] < support]
        if not lonely:
            return fit
        # The least supported jump first; of equals the widest, which the others best replace.
        allowed.remove(min(lonely, key=lambda jump: (users[jump], -jump)))


def _fit(members: Sequence[RealPoints], step: float, levels: int, allowed: set[int]) -> _Fit:
    transition = np.full((levels, levels), np.inf)
    for low, high in itertools.combinations_with_replacement(range(levels), 2):
        if high == low or high - low in allowed:
            transition[low, high] = 0.0
    points, constants, cost = [], [], 0.0
    for member in members:
        chosen, constant, change = _feature(member, step, transition)
        points.append(chosen)
        constants.append(constant)
        cost += change
    return _Fit(step, tuple(points), tuple(constants), cost)


def _weights(member: RealPoints) -> Floats:
    return np.asarray(member.frequencies / member.frequencies.sum() + _LEAST_WEIGHT)


def _feature(
    member: RealPoints, step: float, transition: Floats
) -> tuple[NDArray[np.int64], float, float]:
    """The best points of one feature, starting at 0; their constant and their cost."""
    # Bins of equal points have equal levels, or a rare one would be a stepping stone to a jump
    # that is not allowed, and stand out in every record.
    values, of_bin = np.unique(member.points, return_inverse=True)
    shares = np.asarray(np.bincount(of_bin, weights=_weights(member)), dtype=np.float64)
    best: tuple[NDArray[np.int64], float, float] | None = None
    for phase in (0.0, 0.25, 0.5, 0.75):
        constant = float(values[0]) - phase * step
        for _ in range(_ALTERNATIONS):
            chosen = _path(values - constant, shares, step, transition)
            constant = float(np.average(values - step * chosen, weights=shares))
            cost = float(np.sum(shares * (values - constant - step * chosen) ** 2))
            if best is None or cost < best[2]:
                points = (chosen - chosen[0])[of_bin]
                best = points, constant + step * float(chosen[0]), cost
    if best is None:
        raise ScorecardError(f"points of {member.feature}: nothing to round; give it bins")
    return best


def _path(values: Floats, shares: Floats, step: float, transition: Floats) -> NDArray[np.int64]:
    """The cheapest rising sequence of levels for values in rising order, by allowed jumps."""
    levels = np.arange(len(transition))
    costs = shares[:, None] * (values[:, None] - step * levels) ** 2
    total = costs[0]
    came_from = []
    for cost in costs[1:]:
        through = total[:, None] + transition
        came_from.append(through.argmin(axis=0))
        total = through.min(axis=0) + cost
    path = [int(total.argmin())]
    for origin in reversed(came_from):
        path.append(int(origin[path[-1]]))
    return np.array(path[::-1], dtype=np.int64)


def _with_best_step(members: Sequence[RealPoints], fit: _Fit) -> _Fit:
    """The same points, in lowest terms, with the step and constants that fit them best.

    Best is least squares; lowest terms keep the record's field as narrow as it can be.
    """
    factor = math.gcd(*(value for points in fit.points for value in points.tolist()))
    reduced = tuple(points // factor for points in fit.points)
    above = below = 0.0
    for member, points in zip(members, reduced, strict=True):
        weights = _weights(member)
        centred = points - np.average(points, weights=weights)
        above += float(np.sum(weights * centred * member.points))
        below += float(np.sum(weights * centred**2))
    step = above / below
    constants = tuple(
        float(np.average(member.points - step * points, weights=_weights(member)))
        for member, points in zip(members, reduced, strict=True)
    )
    return _Fit(step, reduced, constants, fit.cost)
