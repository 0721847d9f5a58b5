"""Bins as slices of a standard normal variable: the copula that the catalogue's loadings are of."""

from __future__ import annotations

import math
from bisect import bisect_right
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scoring.catalogue import MISSING, Feature

Floats = NDArray[np.float64]

_NODES, _MASSES = np.polynomial.hermite_e.hermegauss(21)
GRID: Final[Floats] = np.asarray(_NODES, dtype=np.float64)
"""Values of a standard normal factor (Gauss–Hermite nodes), shape (21,)."""
MASS: Final[Floats] = np.asarray(_MASSES / _MASSES.sum(), dtype=np.float64)
"""Their probabilities."""
LARGEST_LOADING: Final = 0.95
"""A larger loading would make steps of what follows, and the grid sees no steps."""

_NORMAL: Final = NormalDist()
_EDGE: Final = 1e-9


def below(values: Floats) -> Floats:
    """The standard normal distribution function, for values of any shape."""
    flat = [0.5 * math.erfc(-value / math.sqrt(2)) for value in values.ravel()]
    return np.array(flat, dtype=np.float64).reshape(values.shape)


def quantile(share: float) -> float:
    """The standard normal quantile; shares within 10⁻⁹ of 0 or 1 are held back from there."""
    return _NORMAL.inv_cdf(min(max(share, _EDGE), 1 - _EDGE))


def scores(shares: Floats) -> Floats:
    """The normal score of each bin, shape (bins,): the quantile at the middle of its share."""
    shares = shares / shares.sum()
    return np.array([quantile(middle) for middle in np.cumsum(shares) - shares / 2])


def given(shares: Floats, loading: float) -> Floats:
    """The shares of bins at each value of a factor, shape (21, bins).

    Bins are slices of λz + √(1−λ²)·ε in their order, z the factor, ε standard normal.
    """
    slope = min(max(loading, -LARGEST_LOADING), LARGEST_LOADING)
    inner = np.cumsum(shares / shares.sum())[:-1]
    cuts = np.array([quantile(share) for share in inner])
    ends = below((cuts - slope * GRID[:, None]) / math.sqrt(1 - slope**2))
    edge = np.zeros((len(GRID), 1))
    return np.diff(np.concatenate([edge, ends, edge + 1], axis=1), axis=1)


def in_order(feature: Feature) -> list[int]:
    """The bins but `missing` in order of value; a special value before the interval it lies in."""
    bins = list(range(MISSING + 1, feature.bin_count))
    specials, edges = feature.bins.specials, feature.bins.edges
    if not specials:
        return bins
    keys = {1 + i: (bisect_right(edges, value), 0, value) for i, value in enumerate(specials)}
    keys |= {1 + len(specials) + i: (i, 1, 0.0) for i in range(len(edges) + 1)}
    return sorted(bins, key=lambda index: keys[index])
