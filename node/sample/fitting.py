"""Fits a scorecard to firms whose outcome is known: merges of fine bins, WOE, logistic fit.

For developing scorecards only, never imported by a node: it needs the extra `models`
(optbinning, and scikit-learn and scipy with it).

The catalogue's fine bins are all that a bank's model can see of a feature, so optbinning
merges those (monotonically for numbers), `missing` staying apart. Weights of evidence enter
a logistic regression whose coefficients are kept from turning a feature's sense round, and
which a ridge keeps from resting on one of several features that say the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from node.sample.evidence import Bad, Floats, weights_of_evidence
from scoring.cards.real import RealCard, RealField
from scoring.catalogue import Feature
from scoring.errors import ScorecardError
from scoring.rounding import RealPoints, RoundedPoints, round_points
from scoring.scorecard import BASE_ODDS, BASE_SCORE, FACTOR, Participant, Scorecard, ScoreField

_RELIEF: Final = 0.9
"""What is left of a dominating feature's slope at each step down."""


@dataclass(frozen=True)
class Candidate:
    """A feature that the model may use: whose, in which field, and each firm's fine bin."""

    holder: str
    feature: Feature
    field: str
    bins: NDArray[np.uint16]


@dataclass(frozen=True)
class Model:
    """A fitted model before rounding: score = `offset` + the sum of the features' points."""

    features: tuple[RealPoints, ...]
    offset: float


def fit(
    candidates: Sequence[Candidate],
    bad: Bad,
    *,
    ridge: float = 300.0,
    least_share: float = 0.03,
    greatest_share: float = 0.5,
    smallest_bin: float = 0.03,
) -> Model:
    """Fit a model to firms with outcome `bad`, shape (firms,).

    So that it can pass policy a after rounding, a feature whose points spread by less than
    `least_share` of its field's sum is dropped, and one that has more than `greatest_share`
    of the spread of its field's non-public features is held down; each time the rest is
    fitted again. Merged bins hold at least `smallest_bin` of the firms known. Raises
    ScorecardError where no feature tells anything, or too few do for `greatest_share`.
    """
    evidence = [weights_of_evidence(c.feature, c.bins, bad, smallest_bin) for c in candidates]
    kept = [i for i, woe in enumerate(evidence) if np.ptp(woe) > 0]
    caps: dict[int, float] = {}
    while kept:
        rows = np.stack([evidence[i][candidates[i].bins] for i in kept], axis=1)
        slopes, scale, intercept = _fitted(rows, bad, ridge, [caps.get(i) for i in kept])
        spreads = dict(zip(kept, (slopes * rows.std(axis=0)).tolist(), strict=True))
        in_step, independent = _field_spreads(candidates, spreads)
        weak = [i for i in kept if spreads[i] <= least_share * in_step[candidates[i].field]]
        if weak:
            # One at a time: what a weak feature knew goes to those that resemble it.
            kept.remove(min(weak, key=lambda i: spreads[i]))
            continue
        strong = [
            i
            for i in kept
            if not candidates[i].feature.public
            and spreads[i] > greatest_share * independent[candidates[i].field]
        ]
        if not strong:
            points = [FACTOR * scale * s * evidence[i] for i, s in zip(kept, slopes, strict=True)]
            features = tuple(_real(candidates[i], p) for i, p in zip(kept, points, strict=True))
            return Model(features, BASE_SCORE + FACTOR * (intercept - math.log(BASE_ODDS)))
        _check_feasible(candidates, kept, greatest_share)
        for i in strong:
            caps[i] = _RELIEF * float(slopes[kept.index(i)])
    raise ScorecardError("features: none tells good firms from bad ones; add features or firms")


def _check_feasible(
    candidates: Sequence[Candidate], kept: Sequence[int], greatest_share: float
) -> None:
    own: dict[str, int] = {candidates[i].field: 0 for i in kept}
    for i in kept:
        own[candidates[i].field] += not candidates[i].feature.public
    for field, number in own.items():
        # Even n equal features have 1/√n of the spread each.
        if number * greatest_share**2 <= 1:
            raise ScorecardError(
                f"field {field}: {number} features that tell anything are too few for none to "
                f"have over {greatest_share:.0%} of the spread; merge it with another field"
            )


def _field_spreads(
    candidates: Sequence[Candidate], spreads: dict[int, float]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return by field the sum of spreads, and the root of the non-public ones' squares."""
    in_step: dict[str, float] = {}
    squares: dict[str, float] = {}
    for i, spread in spreads.items():
        field, public = candidates[i].field, candidates[i].feature.public
        in_step[field] = in_step.get(field, 0.0) + spread
        squares[field] = squares.get(field, 0.0) + (0.0 if public else spread**2)
    return in_step, {field: math.sqrt(square) for field, square in squares.items()}


def _real(candidate: Candidate, points: Floats) -> RealPoints:
    counts = np.bincount(candidate.bins, minlength=candidate.feature.bin_count)
    return RealPoints(
        holder=candidate.holder,
        feature=candidate.feature.name,
        field=candidate.field,
        public=candidate.feature.public,
        points=points,
        frequencies=counts / counts.sum(),
    )


def _logistic(
    rows: Floats, bad: Bad, ridge: float, caps: Sequence[float | None]
) -> tuple[Floats, float]:
    """Return slopes within 0..cap and intercept of ln(odds of good) = intercept + rows·slopes."""
    good = ~bad

    def loss(parameters: Floats) -> tuple[float, Floats]:
        odds = rows @ parameters[:-1] + parameters[-1]
        likelihood = np.logaddexp(0, odds) - good * odds
        slopes = parameters[:-1]
        error = 1 / (1 + np.exp(-odds)) - good
        gradient = np.append(rows.T @ error + ridge * slopes, error.sum())
        return float(likelihood.sum() + ridge / 2 * slopes @ slopes), gradient

    start = np.append(np.zeros(rows.shape[1]), math.log(good.sum() / bad.sum()))
    bounds = [*((0.0, cap) for cap in caps), (None, None)]
    result = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(result.x[:-1]), float(result.x[-1])


def _fitted(
    rows: Floats, bad: Bad, ridge: float, caps: Sequence[float | None]
) -> tuple[Floats, float, float]:
    """Fit with the ridge, then a common scale without it: a ridge also flattens the odds."""
    slopes, _ = _logistic(rows, bad, ridge, caps)
    scale, intercept = _logistic((rows @ slopes)[:, None], bad, 0.0, [None])
    return slopes, float(scale[0]), intercept


def rounded_scorecard(
    model: Model,
    *,
    name: str,
    version: str,
    catalogue_version: str,
    participants: Sequence[Participant],
    fields: Sequence[ScoreField],
) -> tuple[Scorecard, RoundedPoints]:
    """Return the model as a scorecard of whole points (policy b), and the rounding.

    The steps of `fields` are replaced by those that the rounding finds.
    """
    rounded = round_points(model.features)
    card = RealCard.of(
        model.features,
        name=name,
        version=version,
        catalogue_version=catalogue_version,
        participants=participants,
        fields=[RealField(name=f.name, title=f.title, reason=f.reason) for f in fields],
        offset=model.offset,
    )
    return card.whole(rounded.points, rounded.steps, model.offset + rounded.offset), rounded
