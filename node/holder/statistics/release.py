"""One release: the exact tables of a holder's bins, and the same with noise.

Of the budget's ρ 40 % goes to the numbers of firms, 30 % to the moves since the month before, and
30 % to the products of scores. Where there is no month before, and where there are fewer than three
features, a share goes to the others in proportion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federation import statistics as documents
from node.holder.statistics.mechanism import Budget, noisy
from scoring.estimates import FEWEST_FEATURES
from scoring.statistics import (
    Bins,
    Known,
    histogram_sensitivity,
    histograms,
    moment_sensitivity,
    moments,
    normal_scores,
    transition_sensitivity,
    transitions,
)

SHARES: Final = (0.4, 0.3, 0.3)
"""Of ρ: numbers of firms, moves, products."""


@dataclass(frozen=True, slots=True)
class Month:
    """A holder's bins of one epoch, shape (features, rows), and the rows known, shape (rows,)."""

    bins: Bins
    known: Known


@dataclass(frozen=True, slots=True)
class Release:
    """What of a document the noise decides."""

    known: int
    features: tuple[documents.FeatureStatistics, ...]
    products: tuple[int, ...]
    budget: documents.Budget


def release(
    features: Sequence[tuple[str, int]], month: Month, before: Month | None, budget: Budget
) -> Release:
    """Counts, adds noise and forgets the exact numbers. `features` are names with numbers of bins.

    Every call spends the budget anew: keep what it returns. Raises CatalogueError for bins that do
    not fit.
    """
    counts, size = [bins for _, bins in features], len(features)
    sensitivities = (
        histogram_sensitivity(size),
        transition_sensitivity(size),
        moment_sensitivity(size),
    )
    used = (True, before is not None, size >= FEWEST_FEATURES)
    whole = sum(share for share, use in zip(SHARES, used, strict=True) if use)
    shares = [share / whole if use else 0.0 for share, use in zip(SHARES, used, strict=True)]
    scales = budget.scales(shares, sensitivities)
    known, *firms = np.split(
        noisy(histograms(counts, month.bins, month.known), scales[0]),
        np.cumsum([1, *counts])[:-1],
    )
    moves: Sequence[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)] * size
    if before is not None:
        exact = transitions(counts, before.bins, before.known, month.bins, month.known)
        moves = np.split(noisy(exact, scales[1]), np.cumsum([c**2 for c in counts])[:-1])
    scores = [normal_scores(of.tolist()) for of in firms]
    products = np.zeros(size * (size - 1) // 2, dtype=np.int64)
    if used[2]:
        products = noisy(moments(scores, month.bins, month.known), scales[2])
    return Release(
        known=int(known[0]),
        features=tuple(
            documents.FeatureStatistics(
                name=name,
                counts=tuple(of.tolist()),
                moves=tuple(went.tolist()),
                scores=score,
            )
            for (name, _), of, went, score in zip(features, firms, moves, scores, strict=True)
        ),
        products=tuple(products.tolist()),
        budget=documents.Budget(
            epsilon_micro=budget.epsilon_micro,
            delta_inverse=budget.delta_inverse,
            counts_milli=scales[0],
            moves_milli=scales[1],
            products_milli=scales[2],
        ),
    )
