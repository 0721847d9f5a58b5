"""How well a score separates: AUC and KS, and what rounding costs of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.errors import ScorecardError
from scoring.rounding import RealPoints, RoundedPoints

Floats = NDArray[np.float64]


def _curves(scores: Floats, bad: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Shares of bad and of good firms at or below each distinct score, both starting at 0."""
    if scores.shape != bad.shape or scores.ndim != 1 or bad.dtype != np.bool_:
        raise ScorecardError("scores: give one score and one default flag (bool) a firm")
    if np.isnan(scores).any():
        raise ScorecardError("scores: a score is not a number; leave that firm out")
    if bad.all() or not bad.any():
        raise ScorecardError("defaults: need firms that defaulted and firms that did not")
    distinct, index = np.unique(scores, return_inverse=True)
    bads = np.bincount(index, weights=bad, minlength=len(distinct))
    goods = np.bincount(index, weights=~bad, minlength=len(distinct))
    start = np.zeros(1)
    return (
        np.concatenate([start, np.cumsum(bads) / bads.sum()]),
        np.concatenate([start, np.cumsum(goods) / goods.sum()]),
    )


def auc(scores: Floats, bad: NDArray[np.bool_]) -> float:
    """The chance that a good firm scores above a bad one, ties counting half: 0.5 is no use.

    `scores` and `bad` have shape (firms,); larger scores are better. Raises ScorecardError
    unless there are firms of both sorts.
    """
    bads, goods = _curves(scores, bad)
    return float(np.sum(np.diff(goods) * (bads[1:] + bads[:-1]) / 2))


def ks(scores: Floats, bad: NDArray[np.bool_]) -> float:
    """The greatest distance between the score distributions of bad and good firms, 0–1."""
    bads, goods = _curves(scores, bad)
    return float(np.max(np.abs(bads - goods)))


@dataclass(frozen=True, slots=True)
class Cost:
    """AUC and KS of a scorecard before and after rounding."""

    auc_before: float
    auc_after: float
    ks_before: float
    ks_after: float


def rounding_cost(
    features: Sequence[RealPoints],
    rounded: RoundedPoints,
    bins: Mapping[tuple[str, str], NDArray[np.uint16]],
    bad: NDArray[np.bool_],
) -> Cost:
    """What rounding costs on firms whose outcome is known.

    `bins` gives each feature's bins, shape (firms,), by (holder, feature); `bad` who defaulted.
    Raises ScorecardError for a feature without bins or rounded points.
    """
    before, after = np.zeros(len(bad)), np.zeros(len(bad))
    for feature in features:
        if feature.key not in bins or feature.key not in rounded.points:
            raise ScorecardError(
                f"bins of {feature.holder} {feature.feature}: give both or drop it"
            )
        chosen = bins[feature.key]
        before += feature.points[chosen]
        points = np.array(rounded.points[feature.key], dtype=np.float64)
        after += rounded.steps[feature.field] * points[chosen]
    return Cost(auc(before, bad), auc(after, bad), ks(before, bad), ks(after, bad))
