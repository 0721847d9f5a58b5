"""How features go together, by what the catalogue publishes: no firm's data is needed.

Weighing features jointly takes their covariances, and those are in no count. Within a holder they
follow from the published loadings and frequencies (a Gaussian copula with one factor, the same
that certification assumes). Across holders nothing is published, as nobody sees two holders' data;
so figures are assumed, moderate ones, and the same for every bank:

* the factors of two holders correlate by 0.2, pointing the way that their evidence does (a loading
  that one holder publishes also holds what only its features share);
* amounts (yuan, persons, kWh, …) of which more is better all measure how large a firm is: across
  holders they correlate by 0.5 in their normal scores;
* firms unknown to one holder are more likely unknown to another, as a copula of correlation 0.5.

How widely scores spread is another matter: there the factors are taken to correlate by 0.8, so that
agreement among holders is not taken for proof, and scores err towards the middle.

Without the last two figures, small new firms are punished once a holder for the same thing.
`docs/model-development.md` says what each is worth on generated firms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from scoring.catalogue import MISSING, Catalogue
from scoring.development.evidence import Evidence, Findings, Unknown
from scoring.development.normal import GRID, MASS, Floats, below, given, in_order, quantile, scores
from scoring.errors import CatalogueError, ScorecardError

FACTORS: Final = 0.2
AMOUNTS: Final = 0.5
UNKNOWNS: Final = 0.5
"""The assumed correlations across holders."""
PRUDENT_FACTORS: Final = 0.8
"""The same of factors, where it is the spread of scores that is at stake."""
_AMOUNT_UNITS: Final = frozenset({"yuan", "persons", "count", "kWh", "m³", "m²"})
_LEAST_EIGENVALUE: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Modelled:
    """Features first, then holders' unknown firms, in the log odds that the evidence has of them.

    `difference`, shape (n,), is the mean over good firms less that over bad ones, `mean` the middle
    of the two, `covariance` has shape (n, n), `prudent` too: with PRUDENT_FACTORS.
    """

    difference: Floats
    covariance: Floats
    prudent: Floats
    mean: Floats


def modelled(found: Findings, catalogue: Catalogue) -> Modelled:
    """Means and covariances of the evidence over the labelled firms.

    Raises ScorecardError where loadings or recognition are not published.
    """
    known = {unknown.holder: _recognition(catalogue, unknown.holder) for unknown in found.unknown}
    means = [
        (float(entry.good @ entry.log_odds), float(entry.bad @ entry.log_odds))
        for entry in found.features
    ]
    means += [_unknown_means(entry, known[entry.holder], found.base) for entry in found.unknown]
    good, bad = np.array(means).T
    absent = _absences(found.unknown, known)
    return Modelled(
        difference=good - bad,
        covariance=_blocks(_features(found.features, known, FACTORS), absent),
        prudent=_blocks(_features(found.features, known, PRUDENT_FACTORS), absent),
        mean=(good + bad) / 2,
    )


def _blocks(first: Floats, second: Floats) -> Floats:
    split = len(first)
    whole = np.zeros((split + len(second),) * 2)
    whole[:split, :split], whole[split:, split:] = first, second
    return whole


def _recognition(catalogue: Catalogue, holder: str) -> float:
    try:
        return catalogue.recognition_of(holder)
    except CatalogueError as failure:
        raise ScorecardError(f"catalogue: {failure}") from None


def _unknown_means(entry: Unknown, known: float, base: float) -> tuple[float, float]:
    """What unknown firms add to the mean over the good and over the bad firms."""
    shares, log_odds = np.array([known, 1 - known]), np.array([0.0, entry.log_odds])
    bad = shares / (1 + np.exp(base + log_odds))
    good = shares - bad
    return float(np.average(log_odds, weights=good)), float(np.average(log_odds, weights=bad))


def _features(entries: tuple[Evidence, ...], known: dict[str, float], factors: float) -> Floats:
    """Covariance of the features' log odds, `missing` at their mean, which is 0."""
    own = np.stack([_curve(entry, _loading(entry)) for entry in entries])
    size = np.stack([_curve(entry, math.sqrt(AMOUNTS)) for entry in entries])
    holders = np.array([entry.holder for entry in entries])
    for holder in known:
        # Only the product of two loadings shows: the factor is turned so that more is better.
        if float((own[holders == holder] @ (MASS * GRID)).sum()) < 0:
            own[holders == holder] = own[holders == holder][:, ::-1]
    same = holders[:, None] == holders[None, :]
    shared = (own * MASS) @ own.T * np.where(same, 1.0, factors)
    amounts = np.array([_is_amount(entry) for entry in entries])
    both = ~same & amounts[:, None] & amounts[None, :]
    shared = np.where(both, np.maximum(shared, (size * MASS) @ size.T), shared)
    present = np.array([1 - entry.shares[MISSING] for entry in entries])
    recognised = np.array([known[entry.holder] for entry in entries])
    # Firms that have both values: a holder's features are missing together, others' are not.
    joint = np.outer(present, present)
    joint = np.where(same, np.minimum(joint / recognised[:, None], 1.0), joint)
    covariance = shared * joint
    np.fill_diagonal(covariance, [float(e.shares @ e.log_odds**2) for e in entries])
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.maximum(values, _LEAST_EIGENVALUE)) @ vectors.T)


def _loading(entry: Evidence) -> float:
    if entry.feature.loading is None:
        raise ScorecardError(
            f"catalogue: {entry.feature.id} has no published loading; let its holders publish "
            "statistics before a model is developed"
        )
    return entry.feature.loading


def _curve(entry: Evidence, loading: float) -> Floats:
    """Expected log odds at each value of the factor for firms with a value, less their mean."""
    curve = given(entry.shares[MISSING + 1 :], loading) @ entry.log_odds[MISSING + 1 :]
    return np.asarray(curve - MASS @ curve)


def _is_amount(entry: Evidence) -> bool:
    feature = entry.feature
    if feature.type != "number" or feature.unit not in _AMOUNT_UNITS:
        return False
    order = np.array(in_order(feature))
    shares = entry.shares[order]
    return float(np.sum(shares * scores(shares) * entry.log_odds[order])) > 0


def _absences(entries: tuple[Unknown, ...], known: dict[str, float]) -> Floats:
    shares = np.array([known[entry.holder] for entry in entries])
    cuts = np.array([quantile(share) for share in shares])
    slope = math.sqrt(UNKNOWNS)
    at = below((cuts[:, None] + slope * GRID) / math.sqrt(1 - UNKNOWNS))
    at = at - (at @ MASS)[:, None]
    covariance = (at * MASS) @ at.T
    np.fill_diagonal(covariance, shares * (1 - shares))
    sizes = np.array([entry.log_odds for entry in entries])
    return np.asarray(covariance * np.outer(sizes, sizes))
