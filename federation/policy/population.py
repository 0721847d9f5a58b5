"""The population that rule d reckons with: what the catalogue publishes, as a distribution.

A firm has a factor z, standard normal, that all its features share. Each holder knows the firm
with the published probability, independently; if it does not, all its features are `missing`. If it
does:

* a feature is `missing` with the probability that is left of its published frequency when firms
  that the holder does not know are taken out, whatever z;
* otherwise its bins, in the order of the catalogue, are intervals of λz + √(1−λ²)·ε with λ the
  published loading and ε standard normal, their ends such that the published frequencies result
  (a Gaussian copula with one factor).

z is taken on a grid, so that what follows is a finite sum: 17 values from −4 to 4. Loadings beyond
±0.95 are taken as ±0.95, so that the functions of z stay smooth on that grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federation.policy.report import PolicyError
from scoring.catalogue import MISSING, SMALLEST_FREQUENCY, Catalogue, Feature
from scoring.errors import CatalogueError

Floats = NDArray[np.float64]

GRID: Final[Floats] = np.linspace(-4.0, 4.0, 17)
"""Values of the common factor."""
WEIGHTS: Final[Floats] = np.exp(-(GRID**2) / 2) / np.exp(-(GRID**2) / 2).sum()
"""Their probabilities."""
LARGEST_LOADING: Final = 0.95

_NORMAL: Final = NormalDist()


@dataclass(frozen=True, slots=True)
class Margins:
    """A feature's bins for firms that the holder knows, at each value of the factor.

    `given` has shape (grid, bins), each row a distribution. `moves`, shape (bins, bins), has in row
    i the distribution of a firm's bin a month after bin i, None where none is published.
    """

    given: Floats
    moves: Floats | None


def margins(catalogue: Catalogue, feature: Feature) -> Margins:
    """What the catalogue says of a feature.

    Raises PolicyError where frequencies, loading or recognition are not published.
    """
    if feature.frequencies is None or feature.loading is None:
        what = "frequencies" if feature.frequencies is None else "loading"
        raise PolicyError(
            f"catalogue: {feature.id} has no published {what}; let its holders publish statistics"
        )
    shares = np.array(feature.frequencies, dtype=np.float64)
    unknown = 1 - _published(lambda: catalogue.mean_recognition(feature.kind))
    absent = max(shares[MISSING] - unknown, 0.0)
    known = max(absent + shares[MISSING + 1 :].sum(), 1e-12)
    given = np.empty((len(GRID), len(shares)))
    given[:, MISSING] = absent / known
    given[:, MISSING + 1 :] = _ordered(shares[MISSING + 1 :], feature.loading) * (
        1 - absent / known
    )
    return Margins(given, _moves(feature, unknown, absent))


def recognition(catalogue: Catalogue, holder: str) -> float:
    """The share of firms that a holder knows. Raises PolicyError where none is published.

    Never all of them: that a published share is 1 says that it rounds to 1.
    """
    return min(_published(lambda: catalogue.recognition_of(holder)), 1 - SMALLEST_FREQUENCY)


def _published(look: Callable[[], float]) -> float:
    try:
        return look()
    except CatalogueError as error:
        raise PolicyError(f"catalogue: {error}") from error


def _ordered(shares: Floats, loading: float) -> Floats:
    """Shape (grid, bins): the distribution over ordered bins at each value of the factor."""
    total = shares.sum()
    if total <= 0:
        return np.full((len(GRID), len(shares)), 1 / len(shares))
    slope = max(-LARGEST_LOADING, min(LARGEST_LOADING, loading))
    rest = math.sqrt(1 - slope**2)
    below = np.cumsum(shares)[:-1] / total
    ends = np.array([[_cumulative(float(b), slope * float(z), rest) for b in below] for z in GRID])
    steps = np.diff(ends, axis=1, prepend=0.0, append=1.0)
    return np.asarray(steps.clip(0.0))


def _cumulative(below: float, mean: float, rest: float) -> float:
    if below <= 0 or below >= 1:
        return min(max(below, 0.0), 1.0)
    return _NORMAL.cdf((_NORMAL.inv_cdf(below) - mean) / rest)


def _moves(feature: Feature, unknown: float, absent: float) -> Floats | None:
    """The transitions of firms that the holder knows: its unknown ones stay `missing`."""
    if feature.transitions is None:
        return None
    moves = np.array(feature.transitions, dtype=np.float64)
    share = unknown + absent
    if share > 0 and absent > 0:
        leaving = moves[MISSING, MISSING + 1 :] * share / absent
        moves[MISSING, MISSING + 1 :] = leaving / max(1.0, leaving.sum())
        moves[MISSING, MISSING] = max(0.0, 1 - leaving.sum())
    return np.asarray(moves / moves.sum(axis=1, keepdims=True))
