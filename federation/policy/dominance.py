"""What differences of two scorecards tell most of: rule c by size, where rule d does not judge.

Rule c counts the features that a combination of fields tells of, and not how much each moves: where
one changes by 4 points and five others by 1, the difference reads the one. Records of models that
are valid together are judged by rule d. For one that is over, or was withdrawn, and whose records
the bank still has, the share is bounded that one feature has of the spread of any combination of
its fields with those of the new scorecard. As in rule a, features count as independent.

The greatest share over all combinations w is the root of the largest eigenvalue λ of
`C_f w = λ C w`, with C_f the covariances of what feature f adds to the fields, C the sum of all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from federation.policy.stacking import Feature, Stack

_LEAST: Final = 1e-9
"""Combinations with less of the largest variance than this are taken as constant."""
_ROUNDING: Final = 1e-6


def dominating(stacked: Stack, number: int, limit: float) -> Iterator[tuple[Feature, float]]:
    """The features with more than `limit` of a combination of scorecards 0 and `number`.

    What a field of one of them has by itself is for rules a and d.
    """
    cards = set(stacked.scorecards)
    alone = [_shares(stacked.without(cards - {one})) for one in (0, number)]
    for feature, share in _shares(stacked.without(cards - {0, number})).items():
        if share > max(limit, *(own[feature] + _ROUNDING for own in alone)):
            yield feature, share


def _shares(stacked: Stack) -> dict[Feature, float]:
    """Of each feature, the greatest share that it has of the spread of a combination."""
    rows = np.unique(stacked.matrix, axis=0).astype(np.float64)
    covariances = {}
    for feature, columns in stacked.columns.items():
        values, shares = rows[:, columns], stacked.shares[columns]
        means = values @ shares
        covariances[feature] = (values * shares) @ values.T - np.outer(means, means)
    sizes, vectors = np.linalg.eigh(np.sum(list(covariances.values()), axis=0))
    kept = sizes > _LEAST * sizes[-1]
    scaled = vectors[:, kept] / np.sqrt(sizes[kept])
    return {
        feature: math.sqrt(max([0.0, *np.linalg.eigvalsh(scaled.T @ covariance @ scaled)]))
        for feature, covariance in covariances.items()
    }
