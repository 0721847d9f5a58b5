"""How well a score separates: AUC and KS with their intervals, and what rounding costs of them.

The interval of AUC is DeLong's (DeLong, DeLong and Clarke-Pearson 1988; midranks as in Sun and Xu
2014), on the logit scale so that it stays within 0 and 1. KS has no such formula: its interval is
a bootstrap's percentiles, good and bad firms drawn apart. KS found on few firms is too high, and
so are all of its draws; the interval says how far it varies, not how much it flatters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scoring.errors import ScorecardError
from scoring.rounding import RealPoints, RoundedPoints

Floats = NDArray[np.float64]

NORMAL_95: Final = 1.959964
"""Standard deviations within which 95 % of a normal variable lie."""
_DRAWS: Final = 400


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
class Interval:
    """A figure with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def auc_interval(scores: Floats, bad: NDArray[np.bool_]) -> Interval:
    """AUC with DeLong's interval; from 0 to 1 where one side has a single firm.

    Raises ScorecardError as `auc` does.
    """
    value = auc(scores, bad)
    if min(bad.sum(), (~bad).sum()) < 2:
        return Interval(value, 0.0, 1.0)
    deviation = math.sqrt(_covariance([scores], bad)[0, 0])
    if not 0 < value < 1:
        # Firms parted without exception: DeLong's variance is 0, the truth is not.
        # The exact bound for n pairs that share no firm stands in.
        least = 0.025 ** (1 / min(int(bad.sum()), int((~bad).sum())))
        return Interval(value, least, 1.0) if value == 1 else Interval(value, 0.0, 1 - least)
    logit, width = math.log(value / (1 - value)), deviation / (value * (1 - value))
    low, high = (1 / (1 + math.exp(-logit - s * width)) for s in (-NORMAL_95, NORMAL_95))
    return Interval(value, low, high)


def auc_difference(a: Floats, b: Floats, bad: NDArray[np.bool_]) -> Interval:
    """AUC of `a` less AUC of `b` on the same firms, with DeLong's interval for paired scores.

    Raises ScorecardError as `auc` does, and with fewer than two firms of an outcome.
    """
    value = auc(a, bad) - auc(b, bad)
    if min(bad.sum(), (~bad).sum()) < 2:
        raise ScorecardError("defaults: a comparison takes two firms of each outcome at least")
    matrix = _covariance([a, b], bad)
    # Rounding can leave a variance of identical scores just below 0.
    variance = max(matrix[0, 0] + matrix[1, 1] - 2 * matrix[0, 1], 0.0)
    width = NORMAL_95 * math.sqrt(variance)
    return Interval(value, value - width, value + width)


def ks_interval(scores: Floats, bad: NDArray[np.bool_]) -> Interval:
    """KS with a bootstrap's interval (the draws are seeded: the same firms give the same)."""
    value = ks(scores, bad)
    distinct, index = np.unique(scores, return_inverse=True)
    random = np.random.default_rng(0)
    curves = []
    for side in (bad, ~bad):
        counts = np.bincount(index[side], minlength=len(distinct))
        drawn = random.multinomial(counts.sum(), counts / counts.sum(), size=_DRAWS)
        curves.append(np.cumsum(drawn, axis=1) / counts.sum())
    low, high = np.quantile(np.abs(curves[0] - curves[1]).max(axis=1), [0.025, 0.975])
    return Interval(value, min(float(low), value), max(float(high), value))


def _covariance(scores: Sequence[Floats], bad: NDArray[np.bool_]) -> Floats:
    """The covariance matrix of the AUCs of several scores of the same firms, by DeLong."""
    goods, bads = int((~bad).sum()), int(bad.sum())
    by_good, by_bad = [], []
    for row in scores:
        ranks = _midranks(row)
        # A good firm's part: the share of bad firms below it; a bad one's: of good ones above it.
        by_good.append((ranks[~bad] - _midranks(row[~bad])) / bads)
        by_bad.append(1 - (ranks[bad] - _midranks(row[bad])) / goods)
    return np.asarray(np.atleast_2d(np.cov(by_good)) / goods + np.atleast_2d(np.cov(by_bad)) / bads)


def _midranks(values: Floats) -> Floats:
    """Ranks from 1, ties sharing the mean of theirs."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[index], dtype=np.float64)


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
