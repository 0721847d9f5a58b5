"""Weighs features together and picks those that certification lets stand.

Linear discriminant analysis: with Σ the covariance and δ the mean difference of the evidence, the
log odds are w·x + constant with w = Σ⁻¹δ (Fisher 1936; Hastie, Tibshirani, Friedman 2009, 4.3). A
ridge keeps w from resting on what Σ has wrong, and w ≥ 0 keeps a feature's sense from being turned
round. Both change the scale of w, which is then set as that of one variable: δᵀw / wᵀΣw, Σ being
the prudent one.

Policy a asks of a field that no feature dominates it; one that would is held down and the rest
weighed again. It also asks for five non-public features that carry a field: a feature that says
next to nothing is dropped, one at a time, but of the five that say most each is lifted to its part.
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
from scoring.scorecard import BASE_ODDS, BASE_SCORE, FACTOR

RIDGE: Final = 0.1
"""Added to the variance of every variable, in squared log odds."""
LEAST_SHARE: Final = 0.01
"""The share of its field's sum of spreads below which a feature is dropped."""
GREATEST_SHARE: Final = 0.5
"""The share of its field's spread above which a feature is held down: policy a's 60 %, with room
for rounding."""

FEWEST_FEATURES: Final = 5
"""Non-public features that a field keeps: policy a wants as many to carry it."""
CARRYING_SHARE: Final = 0.06
LIFTED_SHARE: Final = 0.07
"""The share of its field's sum of spreads that each of those has to have, policy a's 5 % with room
for rounding; and the one that it gets where it has less."""
MOST_LIFT: Final = 3.0
"""The largest weight that lifting gives: beyond, it would make a signal of noise."""

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
    fields = [field_of[entry.holder] for entry in entries]
    own = {i: field for i, field in enumerate(fields) if not entries[i].feature.public}
    _check_feasible(fields, own)
    kept = [i for i, entry in enumerate(entries) if np.ptp(entry.log_odds) > 0]
    bounds: dict[int, tuple[float, float]] = {}
    start: dict[int, float] = {}
    while kept:
        chosen = kept + (_absent(found, kept) if score_unknown else [])
        limits = [bounds.get(i, (0.0, math.inf)) for i in chosen]
        raw, scale = _weights(model, chosen, limits, [start.get(i, 0.0) for i in chosen])
        start = dict(zip(chosen, raw.tolist(), strict=True))
        points = _points(found, {i: scale * weight for i, weight in start.items()}, kept)
        spreads = {i: _spread(entries[i], points[i]) for i in kept}
        sums, independent = _field_spreads(spreads, fields, own)
        carriers = _carriers(entries, spreads, own)
        weak = [
            i for i in kept if i not in carriers and spreads[i] <= LEAST_SHARE * sums[fields[i]]
        ]
        if weak:
            # One at a time: what a weak feature knew goes to those that resemble it.
            kept.remove(min(weak, key=lambda i: (spreads[i], entries[i].iv)))
            continue
        low = [i for i in carriers if spreads[i] < CARRYING_SHARE * sums[fields[i]]]
        strong = [i for i in own if spreads.get(i, 0.0) > GREATEST_SHARE * independent[fields[i]]]
        if not low and not strong:
            middle = scale * float(raw @ model.mean[chosen])
            offset = BASE_SCORE + FACTOR * (found.base - middle - math.log(BASE_ODDS))
            return Weighed(tuple(_real(entries[i], points[i], fields[i]) for i in kept), offset)
        for i in low:
            bounds[i] = _lifted(entries[i], sums[fields[i]] / (FACTOR * scale), fields[i])
        for i in strong:
            bounds[i] = (0.0, _RELIEF * start[i])
    raise ScorecardError("counts: no feature tells good firms from bad ones; add firms or features")


def _check_feasible(fields: Sequence[str], own: Mapping[int, str]) -> None:
    for field in dict.fromkeys(fields):
        number = list(own.values()).count(field)
        if number < FEWEST_FEATURES:
            raise ScorecardError(
                f"field {field}: {number} non-public features, and {FEWEST_FEATURES} have to carry "
                "it; merge it with another field"
            )


def _absent(found: Findings, kept: Sequence[int]) -> list[int]:
    """The variables of the firms unknown to holders of which a feature is kept."""
    holders = {found.features[i].holder for i in kept}
    first = len(found.features)
    return [first + j for j, entry in enumerate(found.unknown) if entry.holder in holders]


def _carriers(
    entries: Sequence[Evidence], spreads: Mapping[int, float], own: Mapping[int, str]
) -> set[int]:
    """The five non-public features of each field that have most of its spread."""
    best: set[int] = set()
    for field in set(own.values()):
        members = [i for i in spreads if own.get(i) == field]
        members.sort(key=lambda i: (spreads[i], entries[i].iv), reverse=True)
        best.update(members[:FEWEST_FEATURES])
    return best


def _lifted(entry: Evidence, total: float, field: str) -> tuple[float, float]:
    """Bounds that lift a feature to its part of a field's spread; `total` is at weights of 1."""
    wanted = LIFTED_SHARE * total / max(_spread(entry, entry.log_odds), 1e-9)
    if wanted > MOST_LIFT:
        raise ScorecardError(
            f"field {field}: too few non-public features tell anything for {FEWEST_FEATURES} to "
            "carry it; merge it with another field"
        )
    return wanted, math.inf


def _weights(
    model: Modelled,
    chosen: Sequence[int],
    bounds: Sequence[tuple[float, float]],
    start: Sequence[float],
) -> tuple[Floats, float]:
    """Weights within bounds, and the scale that they lack.

    Coordinate descent on ½wᵀ(Σ + ridge)w − δᵀw, which is convex: order and start cost only time.
    """
    covariance, difference = model.covariance[np.ix_(chosen, chosen)], model.difference[chosen]
    penalised = covariance + RIDGE * np.eye(len(chosen))
    weights = np.array(start)
    for _ in range(_SWEEPS):
        before = weights.copy()
        for j, (least, most) in enumerate(bounds):
            rest = difference[j] - penalised[j] @ weights + penalised[j, j] * weights[j]
            weights[j] = min(max(rest / penalised[j, j], least), most)
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
    spreads: Mapping[int, float], fields: Sequence[str], own: Mapping[int, str]
) -> tuple[dict[str, float], dict[str, float]]:
    """By field: the sum of spreads, and the root of the squares of the non-public ones."""
    sums, independent = dict.fromkeys(fields, 0.0), dict.fromkeys(fields, 0.0)
    for i, spread in spreads.items():
        sums[fields[i]] += spread
        if i in own:
            independent[fields[i]] = math.hypot(independent[fields[i]], spread)
    return sums, independent


def _real(entry: Evidence, points: Floats, field: str) -> RealPoints:
    return RealPoints(
        holder=entry.holder,
        feature=entry.feature.name,
        field=field,
        public=entry.feature.public,
        points=points,
        frequencies=np.array(entry.feature.frequencies, dtype=np.float64),
    )
