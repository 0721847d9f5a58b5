"""What noisy counts say of each bin: weights of evidence, with the noise reckoned with.

θ_k is the log odds of good to bad in bin k against all labelled firms'. With s_k the share of bad
firms that θ_k means, g_k and b_k the noisy counts and n_k the firms in the bin,

    e_k = b_k(1 − s_k) − g_k·s_k

has mean 0 and variance n_k·s_k(1 − s_k), from sampling, plus σ²(s_k² + (1 − s_k)²), from the noise.
e is linear in θ near the truth, so that under a Gaussian prior the posterior is Gaussian (found by
Newton steps). The prior of a number's bins is a line through their normal scores plus a smooth
curve about it; of a category's bins, independent deviations. How large line and curve are is chosen
a feature by the evidence (the marginal likelihood; Rasmussen and Williams 2006, section 5.4), so
that noise is not read as a pattern and a pattern is not lost. A bin whose counts are mostly noise
takes what its neighbours have.

That a holder does not know a firm is one fact, not one a feature: its log odds come from all the
holder's features together. Deviations are posterior ones, in units of log odds.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from scoring.catalogue import MISSING, Catalogue, Feature
from scoring.development.counts import Counts, FeatureCounts
from scoring.development.normal import Floats, in_order, scores
from scoring.errors import ScorecardError

_LINES: Final = (0.03, 0.1, 0.3, 0.6, 1.0)
_CURVES: Final = (0.03, 0.15, 0.4)
"""Prior deviations of the line and of the curve, in log odds, that the evidence chooses from."""
_LENGTH: Final = 0.7
"""How far the curve carries, in normal scores."""
_OWN: Final = 0.02
"""The prior deviation that is a bin's alone."""
_UNKNOWN: Final = 1.0
"""The prior deviation of firms that a holder does not know."""
_MIX: Final = 0.5
"""How far a bank's customers may differ from the roster in a bin, as a share of the bin."""
_STEPS: Final = 8
_LARGEST: Final = 4.0
"""Log odds beyond ±4 are taken as ±4."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A feature of a holder: shape (bins,) each, `missing` first.

    `log_odds` is centred on the firms whose value is known; `missing` has 0, as what an unknown
    firm means is in `Unknown`. `deviation` is that of `log_odds`; `shares`, `good` and `bad` are
    the shares of the labelled, good and bad firms in the bin. `iv` is the information value,
    Σ (good − bad)·woe over the bins.
    """

    holder: str
    feature: Feature
    shares: Floats
    log_odds: Floats
    deviation: Floats
    good: Floats
    bad: Floats
    iv: float
    iv_deviation: float

    @property
    def key(self) -> tuple[str, str]:
        """(holder, feature)."""
        return self.holder, self.feature.name

    @property
    def woe(self) -> Floats:
        """The weight of evidence of each bin: ln(share of good / share of bad)."""
        return _woe(self.good, self.bad)


@dataclass(frozen=True, slots=True)
class Unknown:
    """The firms that a holder does not know: their log odds against those that it knows."""

    holder: str
    log_odds: float
    deviation: float


@dataclass(frozen=True, slots=True)
class Findings:
    """What the counts say: features in the order of the counts, holders in that of participants."""

    features: tuple[Evidence, ...]
    unknown: tuple[Unknown, ...]
    base: float
    """ln(good firms / bad firms) of the labels."""


def findings(counts: Counts, catalogue: Catalogue) -> Findings:
    """The evidence of every feature and holder.

    Raises ScorecardError where the counts are of another catalogue, or it publishes no frequencies
    for one of the features.
    """
    counts.check(catalogue)
    total, base = counts.good + counts.bad, math.log(counts.good / counts.bad)
    posteriors, absences = [], []
    for entry in counts.features:
        feature = catalogue.feature(counts.kind_of(entry.holder), entry.feature)
        firms = _firms(entry, feature, total, counts.sigma)
        posteriors.append((entry, feature, firms, *_posterior(entry, feature, firms, base, counts)))
    unknown = []
    for participant in counts.participants:
        mine = [entry for entry in counts.features if entry.holder == participant.holder]
        if mine:
            log_odds, deviation = _unknown(mine, base, counts)
            absences.append((participant.holder, log_odds, deviation))
    against = {holder: log_odds for holder, log_odds, _ in absences}
    features = tuple(
        _evidence(entry, feature, firms / total, mean, spread, against[entry.holder], base)
        for entry, feature, firms, mean, spread in posteriors
    )
    for holder, log_odds, deviation in absences:
        known = np.mean([_centre(e[2], e[3]) for e in posteriors if e[0].holder == holder])
        unknown.append(Unknown(holder, log_odds - float(known), deviation))
    return Findings(features, tuple(unknown), base)


def _firms(entry: FeatureCounts, feature: Feature, total: int, sigma: float) -> Floats:
    """Labelled firms a bin but `missing`: the noisy sums, drawn to the roster's frequencies."""
    if feature.frequencies is None:
        raise ScorecardError(
            f"catalogue: {feature.id} has no published frequencies; let its holders publish "
            "statistics before a model is developed"
        )
    noisy = np.array(entry.good, dtype=np.float64) + np.array(entry.bad, dtype=np.float64)
    roster = np.array(feature.frequencies[MISSING + 1 :]) * total
    trust = (_MIX * roster) ** 2 / ((_MIX * roster) ** 2 + 2 * sigma**2 + 1)
    return np.asarray(np.maximum(trust * noisy + (1 - trust) * roster, 0.5))


def _posterior(
    entry: FeatureCounts, feature: Feature, firms: Floats, base: float, counts: Counts
) -> tuple[Floats, Floats]:
    """Posterior mean, shape (bins − 1,), and covariance of the log odds, in the bins' order."""
    order = np.array(in_order(feature)) - 1
    good, bad = np.array(entry.good, dtype=np.float64), np.array(entry.bad, dtype=np.float64)
    priors = _priors(scores(firms[order]), feature.type == "category")
    ordered = firms[order]
    theta = np.zeros(len(order))
    covariance = priors[0]
    for _ in range(_STEPS):
        seen, variance = _linear(good[order], bad[order], ordered, theta, base, counts.sigma)
        prior = max(priors, key=lambda p: _fit(p, seen, variance))
        gain = np.linalg.solve(prior + np.diag(variance), prior).T
        theta = np.clip(gain @ seen, -_LARGEST, _LARGEST)
        covariance = prior - gain @ prior
    back = np.argsort(order)
    return theta[back], covariance[np.ix_(back, back)]


def _linear(
    good: Floats, bad: Floats, firms: Floats, theta: Floats, base: float, sigma: float
) -> tuple[Floats, Floats]:
    """The counts as observations of θ near `theta`: values and variances."""
    share = 1 / (1 + np.exp(base + theta))
    off = bad * (1 - share) - good * share
    slope = firms * share * (1 - share)
    variance = slope + sigma**2 * (share**2 + (1 - share) ** 2)
    return theta - off / slope, variance / slope**2


def _priors(positions: Floats, category: bool) -> list[Floats]:
    own = _OWN**2 * np.eye(len(positions))
    if category:
        return [own + line**2 * np.eye(len(positions)) for line in _LINES]
    apart = positions[:, None] - positions[None, :]
    curve, line = np.exp(-((apart / _LENGTH) ** 2) / 2), np.outer(positions, positions)
    return [own + a**2 * line + b**2 * curve for a, b in itertools.product(_LINES, _CURVES)]


def _fit(prior: Floats, seen: Floats, variance: Floats) -> float:
    """The log marginal likelihood of the observations, but for a constant."""
    whole = prior + np.diag(variance)
    return -float(seen @ np.linalg.solve(whole, seen) + np.linalg.slogdet(whole)[1]) / 2


def _unknown(mine: list[FeatureCounts], base: float, counts: Counts) -> tuple[float, float]:
    """Log odds of the firms that have no value, from all features of a holder; and deviation."""
    # A feature's rest has the noise of all its bins: few bins, much weight.
    weights = np.array([1 / len(entry.good) for entry in mine])
    good = float(np.average([counts.good - sum(e.good) for e in mine], weights=weights))
    bad = float(np.average([counts.bad - sum(e.bad) for e in mine], weights=weights))
    sigma = counts.sigma / math.sqrt(weights.sum())
    one, theta, variance = np.ones(1), np.zeros(1), np.ones(1)
    for _ in range(_STEPS):
        firms = max(good + bad, 1.0) * one
        seen, variance = _linear(good * one, bad * one, firms, theta, base, sigma)
        theta = np.clip(seen * _UNKNOWN**2 / (_UNKNOWN**2 + variance), -_LARGEST, _LARGEST)
    return float(theta[0]), math.sqrt(1 / (1 / _UNKNOWN**2 + 1 / float(variance[0])))


def _centre(firms: Floats, log_odds: Floats) -> float:
    return float(np.average(log_odds, weights=firms))


def _evidence(
    entry: FeatureCounts,
    feature: Feature,
    shares: Floats,
    mean: Floats,
    covariance: Floats,
    unknown: float,
    base: float,
) -> Evidence:
    all_shares = np.concatenate([[max(1 - shares.sum(), 0.0)], shares])
    all_shares /= all_shares.sum()
    bad_share = 1 / (1 + np.exp(base + np.concatenate([[unknown], mean])))
    good, bad = all_shares * (1 - bad_share), all_shares * bad_share
    moves = good * bad_share
    slopes = _iv_slopes(good, bad, moves)[1:]
    good, bad = good / good.sum(), bad / bad.sum()
    centred = np.concatenate([[0.0], mean - _centre(shares, mean)])
    return Evidence(
        holder=entry.holder,
        feature=feature,
        shares=all_shares,
        log_odds=centred,
        deviation=np.concatenate([[0.0], np.sqrt(np.maximum(np.diag(covariance), 0.0))]),
        good=good,
        bad=bad,
        iv=float((good - bad) @ _woe(good, bad)),
        iv_deviation=math.sqrt(max(float(slopes @ covariance @ slopes), 0.0)),
    )


def _woe(good: Floats, bad: Floats) -> Floats:
    # A bin where nobody is has nothing to say.
    return np.asarray(np.log(np.maximum(good, 1e-12) / np.maximum(bad, 1e-12)))


def _iv_slopes(good: Floats, bad: Floats, moves: Floats) -> Floats:
    """The derivative of the IV by the log odds of each bin: good gain `moves`, bad lose them."""
    goods, bads = good.sum(), bad.sum()
    good, bad = good / goods, bad / bads
    woe, gap = _woe(good, bad), good - bad
    by_good = woe + gap / np.maximum(good, 1e-12)
    by_bad = woe + gap / np.maximum(bad, 1e-12)
    return np.asarray(
        moves / goods * (by_good - good @ by_good) + moves / bads * (by_bad - bad @ by_bad)
    )
