"""What a holder counts of its firms for the published catalogue: exact whole-number tables.

The tables are secret until noise is added (`node.holder.statistics`); `scoring.estimates` makes
of the noisy ones what the catalogue publishes. Input is a holder's bins of one epoch, shape
(features, rows), and which rows it knows, shape (rows,); rows are those of the roster, which is
public.

**Adjacency.** Two holders' data are neighbours when one firm is known in the one and not in the
other: its bins of the epoch and of the month before appear or vanish together, and nothing else
changes. The sensitivities below are the greatest L2 distance of a table between neighbours, so the
noise hides whatever one firm contributes to one release. A firm whose data change, rather than
appear, is two such steps.

Every table is a flat int64 vector, a sum over known firms, so that its sensitivity is the greatest
L2 norm of one firm's contribution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scoring.catalogue import MISSING, SMALLEST_FREQUENCY
from scoring.errors import CatalogueError

Bins = NDArray[np.uint16]
Known = NDArray[np.bool_]
Table = NDArray[np.int64]

UNIT: Final = 64
"""Normal scores are whole multiples of 1/64."""
NORM: Final = 3
"""A firm's scores are shortened to a squared length of at most 3 a feature; 1 is the mean."""
_ROWS: Final = 1 << 16


def histograms(counts: Sequence[int], bins: Bins, known: Known) -> Table:
    """How many firms are known, then for each feature how many of them lie in each bin.

    `counts` has each feature's number of bins; the result has shape (1 + sum of counts,). A known
    firm adds 1 to the first place and to one place a feature (see `histogram_sensitivity`).
    Raises CatalogueError for shapes or bins that do not fit.
    """
    _check(counts, bins, known)
    parts = [
        np.bincount(row[known], minlength=count) for row, count in zip(bins, counts, strict=True)
    ]
    return np.concatenate([[int(known.sum())], *parts]).astype(np.int64)


def histogram_sensitivity(features: int) -> float:
    """L2 sensitivity of `histograms`: a firm's contribution has 1 + features ones, so
    √(1 + features), rounded up.
    """
    return _up(math.sqrt(1 + features))


def transitions(
    counts: Sequence[int], before: Bins, known_before: Known, bins: Bins, known: Known
) -> Table:
    """For each feature, how many firms went from bin i to bin j: a square a feature, row by row.

    Only firms that are known in both months count, so the row of `missing` is of firms that the
    holder knows without this feature. The roster only grows: the month before may have fewer rows.
    A firm adds 1 to one place a feature. Raises CatalogueError as `histograms` does.
    """
    _check(counts, before, known_before)
    _check(counts, bins, known)
    rows = len(known_before)
    if rows > len(known):
        raise CatalogueError(f"before: has {rows} rows, more than {len(known)}; swap the epochs")
    both = known_before & known[:rows]
    parts = [
        np.bincount(old[both].astype(np.int64) * count + new[:rows][both], minlength=count**2)
        for old, new, count in zip(before, bins, counts, strict=True)
    ]
    return np.concatenate(parts).astype(np.int64)


def transition_sensitivity(features: int) -> float:
    """L2 sensitivity of `transitions`: one 1 a feature, so √features, rounded up."""
    return _up(math.sqrt(features))


def normal_scores(shares: Sequence[float]) -> tuple[int, ...]:
    """A feature's score a bin, in units of 1/64: the mean of a standard normal variable over the
    part of its distribution that the bin has, bins in the order of the indices, `missing` left out
    (its score is 0).

    `shares` are any non-negative numbers, `missing` first; one that is small counts as
    0.0001, so that no score exceeds 3.96 in size.
    """
    given = np.maximum(np.asarray(shares, dtype=np.float64)[1:], 0.0)
    total = float(given.sum())
    if not math.isfinite(total) or total <= 0:
        return (0,) * len(shares)
    given = np.maximum(given / total, SMALLEST_FREQUENCY)
    given /= given.sum()
    normal = NormalDist()
    cuts = np.clip(np.cumsum(given)[:-1], 1e-12, 1 - 1e-12).tolist()
    heights = np.array([0.0, *(normal.pdf(normal.inv_cdf(cut)) for cut in cuts), 0.0])
    scores = (heights[:-1] - heights[1:]) / given
    return (0, *(round(UNIT * score) for score in scores.tolist()))


def moments(scores: Sequence[Sequence[int]], bins: Bins, known: Known) -> Table:
    """The sums over known firms of the products of two features' scores, in units of 1/4096.

    Pairs (f, g), f < g, in lexical order: shape (features · (features - 1) / 2,). `scores` are
    those of `normal_scores`, from figures that are public already (noisy ones). A firm's scores x
    are shortened to Σ x² ≤ 3 · features · 64² first, whole numbers rounded towards 0.
    """
    counts = [len(row) for row in scores]
    _check(counts, bins, known)
    limit = NORM * len(scores) * UNIT**2
    total = np.zeros((len(scores), len(scores)), dtype=np.int64)
    chosen = np.flatnonzero(known)
    lookup = [np.array(row, dtype=np.int64) for row in scores]
    for start in range(0, len(chosen), _ROWS):
        rows = chosen[start : start + _ROWS]
        values = np.stack([row[column[rows]] for row, column in zip(lookup, bins, strict=True)])
        squares = (values**2).sum(axis=0)
        factor = np.sqrt(limit / np.maximum(squares, limit))
        values = np.trunc(values * factor).astype(np.int64)
        total += values @ values.T
    return total[np.triu_indices(len(scores), 1)]


def moment_sensitivity(features: int) -> float:
    """L2 sensitivity of `moments`, in its units.

    A firm contributes x_f · x_g for f < g. With R² the limit on Σ x²,
    Σ_{f<g} x_f² x_g² = ((Σ x²)² - Σ x⁴) / 2 ≤ R⁴ (1 - 1/features) / 2, because
    Σ x⁴ ≥ (Σ x²)² / features (Cauchy–Schwarz) and the right side rises with Σ x².
    """
    limit = NORM * features * UNIT**2
    return _up(limit * math.sqrt((1 - 1 / features) / 2))


def _up(value: float) -> float:
    """The next double, so that a rounded square root is no bound from below."""
    return math.nextafter(value, math.inf)


def _check(counts: Sequence[int], bins: Bins, known: Known) -> None:
    if bins.shape != (len(counts), *known.shape) or known.ndim != 1:
        raise CatalogueError(
            f"bins: have shape {bins.shape}, give ({len(counts)}, {len(known)}): a row for every "
            "feature and a column for every firm of the roster"
        )
    for index, count in enumerate(counts):
        if bins.shape[1] and int(bins[index].max()) >= count:
            raise CatalogueError(f"bins: feature {index} has only {count} bins; load it again")
    if (bins[:, ~known] != MISSING).any():
        raise CatalogueError("bins: a firm that is not known has a value; load the data again")
