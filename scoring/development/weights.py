"""Weighs features together and picks those that certification lets stand.

Linear discriminant analysis: with Σ the covariance and δ the mean difference of the evidence, the
log odds are w·x + constant with w = Σ⁻¹δ (Fisher 1936; Hastie, Tibshirani, Friedman 2009, 4.3). A
ridge keeps w from resting on what Σ has wrong, and w ≥ 0 keeps a feature's sense from being turned
round. Both change the scale of w, which is then set as that of one variable: δᵀw / wᵀΣw, Σ being
the prudent one.

Policy a asks of a field that no feature dominates it; one that would is held down and the rest
weighed again. A feature that says next to nothing is dropped, one at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from scoring.catalogue import MISSING
from scoring.development.evidence import Evidence, Findings
from scoring.development.modelled import Modelled
from scoring.development.normal import Floats
from scoring.errors import ScorecardError
from scoring.rounding import RealPoints
from scoring.scorecard import BASE_ODDS, BASE_SCORE, POINTS_TO_DOUBLE_ODDS

FACTOR: Final = POINTS_TO_DOUBLE_ODDS / math.log(2)
"""Score points a unit of log odds."""
RIDGE: Final = 0.1
"""Added to the variance of every variable, in squared log odds."""
LEAST_SHARE: Final = 0.03
"""The share of its field's sum of spreads below which a feature is dropped."""
GREATEST_SHARE: Final = 0.5
"""The share of its field's spread above which a feature is held down: policy a's 60 %, with room
for rounding."""

_RELIEF: Final = 0.9
_SWEEPS: Final = 200
_CLOSE: Final = 1e-7


@dataclass(frozen=True, slots=True)
class Weighed:
    """A model before rounding: score = `offset` + the points of the firm's bins."""

    features: tuple[RealPoints, ...]
    offset: float


def weigh(
    found: Findings, model: Modelled, field_of: Mapping[str, str], *, score_unknown: bool = False
) -> Weighed:
    """The best model of the evidence; `field_of` gives each holder's field.

    `missing` has the mean points of the firms whose value is known; with `score_unknown`, a firm
    that a holder does not know gets the points that this says of it instead, spread over the
    holder's features. Points of `missing` that stand out are refused by policy d, so that such a
    model is for comparison, or for holders whose coverage is public.

    Raises ScorecardError where no feature tells anything, or too few do in a field.
    """
    entries = found.features
    kept = [i for i, entry in enumerate(entries) if np.ptp(entry.log_odds) > 0]
    caps: dict[int, float] = {}
    start: dict[int, float] = {}
    while kept:
        holders = {entries[i].holder for i in kept}
        absent = [
            len(entries) + j
            for j, entry in enumerate(found.unknown)
            if score_unknown and entry.holder in holders
        ]
        chosen = [*kept, *absent]
        first = np.array([start.get(i, 0.0) for i in chosen])
        raw, scale = _weights(model, chosen, [caps.get(i, math.inf) for i in chosen], first)
        start = dict(zip(chosen, raw.tolist(), strict=True))
        weights = raw * scale
        points = _points(found, dict(zip(chosen, weights.tolist(), strict=True)), kept)
        spreads = {i: _spread(entries[i], points[i]) for i in kept}
        totals = _field_spreads(entries, spreads, field_of)
        weak = [
            i for i in kept if spreads[i] <= LEAST_SHARE * totals[field_of[entries[i].holder]][0]
        ]
        if weak:
            kept.remove(min(weak, key=lambda i: spreads[i]))
            continue
        strong = [
            i
            for i in kept
            if not entries[i].feature.public
            and spreads[i] > GREATEST_SHARE * totals[field_of[entries[i].holder]][1]
        ]
        if not strong:
            offset = BASE_SCORE + FACTOR * (
                found.base - float(weights @ model.mean[chosen]) - math.log(BASE_ODDS)
            )
            real = tuple(_real(entries[i], points[i], field_of) for i in kept)
            return Weighed(real, offset)
        _check_feasible([entries[i] for i in kept], field_of)
        for i in strong:
            caps[i] = _RELIEF * float(raw[chosen.index(i)])
    raise ScorecardError("counts: no feature tells good firms from bad ones; add firms or features")


def _weights(
    model: Modelled, chosen: Sequence[int], caps: Sequence[float], start: Floats
) -> tuple[Floats, float]:
    """Weights within 0 and the caps, and the scale that they lack.

    Coordinate descent on ½wᵀ(Σ + ridge)w − δᵀw, which is convex: order and start cost only time.
    """
    covariance, difference = model.covariance[np.ix_(chosen, chosen)], model.difference[chosen]
    penalised = covariance + RIDGE * np.eye(len(chosen))
    weights = start.copy()
    for _ in range(_SWEEPS):
        before = weights.copy()
        for j, cap in enumerate(caps):
            rest = difference[j] - penalised[j] @ weights + penalised[j, j] * weights[j]
            weights[j] = min(max(rest / penalised[j, j], 0.0), cap)
        if np.abs(weights - before).max() < _CLOSE:
            break
    power = float(weights @ model.prudent[np.ix_(chosen, chosen)] @ weights)
    return weights, float(difference @ weights) / power if power > 0 else 1.0


def _points(
    found: Findings, weights: Mapping[int, float], kept: Sequence[int]
) -> dict[int, Floats]:
    """Score points a bin. What an unknown firm gets is spread over the holder's features."""
    points = {i: FACTOR * weights[i] * found.features[i].log_odds for i in kept}
    for j, unknown in enumerate(found.unknown):
        if len(found.features) + j not in weights:
            continue
        mine = [i for i in kept if found.features[i].holder == unknown.holder]
        spreads = np.array([_spread(found.features[i], points[i]) for i in mine])
        if not spreads.any():
            continue
        whole = FACTOR * weights[len(found.features) + j] * unknown.log_odds
        for i, share in zip(mine, (spreads / spreads.sum()).tolist(), strict=True):
            points[i][MISSING] = whole * share
    return points


def _spread(entry: Evidence, points: Floats) -> float:
    """The standard deviation of points under the published frequencies, as policy a takes it."""
    shares = np.array(entry.feature.frequencies)
    mean = np.average(points, weights=shares)
    return math.sqrt(float(np.average((points - mean) ** 2, weights=shares)))


def _field_spreads(
    entries: Sequence[Evidence], spreads: Mapping[int, float], field_of: Mapping[str, str]
) -> dict[str, tuple[float, float]]:
    """By field: the sum of spreads, and the root of the squares of the non-public ones."""
    totals: dict[str, tuple[float, float]] = {}
    for i, spread in spreads.items():
        field = field_of[entries[i].holder]
        plain, independent = totals.get(field, (0.0, 0.0))
        own = 0.0 if entries[i].feature.public else spread
        totals[field] = plain + spread, math.hypot(independent, own)
    return totals


def _check_feasible(entries: Sequence[Evidence], field_of: Mapping[str, str]) -> None:
    own = dict.fromkeys((field_of[entry.holder] for entry in entries), 0)
    for entry in entries:
        own[field_of[entry.holder]] += not entry.feature.public
    for field, number in own.items():
        # Even n equal features have 1/√n of the spread each.
        if number * GREATEST_SHARE**2 <= 1:
            raise ScorecardError(
                f"field {field}: {number} non-public features that tell anything are too few for "
                f"none to have over {GREATEST_SHARE:.0%} of the spread; merge it with another field"
            )


def _real(entry: Evidence, points: Floats, field_of: Mapping[str, str]) -> RealPoints:
    return RealPoints(
        holder=entry.holder,
        feature=entry.feature.name,
        field=field_of[entry.holder],
        public=entry.feature.public,
        points=points,
        frequencies=np.array(entry.feature.frequencies, dtype=np.float64),
    )
