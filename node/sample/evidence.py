"""Weights of evidence of a catalogue's fine bins, merged by optbinning (extra `models`)."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optbinning import OptimalBinning

from scoring.catalogue import MISSING, Feature

Floats = NDArray[np.float64]
Bad = NDArray[np.bool_]


def weights_of_evidence(
    feature: Feature, bins: NDArray[np.uint16], bad: Bad, smallest_bin: float
) -> Floats:
    """Return ln(share of good / share of bad) a fine bin, equal where optbinning merges bins.

    Half a firm is added to each count, so that a group without defaults stays finite. `missing` has
    the evidence of the group nearest to the mean of the firms known: points of its own would say of
    a firm which holder does not know it (policy d).
    """
    order = _order(feature)
    ranks = np.empty(feature.bin_count, dtype=np.float64)
    ranks[MISSING] = np.nan
    ranks[order] = np.arange(len(order))
    known = bins != MISSING
    groups = np.zeros(feature.bin_count, dtype=np.int64)
    if len(set(bins[known].tolist())) > 1 and 0 < bad[known].sum() < known.sum():
        binning = _binning(feature, smallest_bin)
        binning.fit(ranks[bins[known]], bad[known].astype(np.int64))
        groups[order] = 1 + _indices(binning, ranks[order])
    else:
        groups[order] = 1
    goods = np.bincount(groups[bins], weights=~bad, minlength=groups.max() + 1) + 0.5
    bads = np.bincount(groups[bins], weights=bad, minlength=groups.max() + 1) + 0.5
    woe = np.log(goods / goods.sum()) - np.log(bads / bads.sum())
    evidence = np.asarray(woe[groups], dtype=np.float64)
    if known.any():
        mean = evidence[bins[known]].mean()
        evidence[MISSING] = min(evidence[1:].tolist(), key=lambda value: abs(value - mean))
    return evidence


def _binning(feature: Feature, smallest_bin: float) -> Any:
    categorical = feature.type == "category"
    return OptimalBinning(
        dtype="categorical" if categorical else "numerical",
        monotonic_trend=None if categorical else "auto_asc_desc",
        min_prebin_size=smallest_bin,
        max_n_bins=8,
    )


def _indices(binning: Any, ranks: Floats) -> NDArray[np.int64]:
    return np.asarray(binning.transform(ranks, metric="indices"), dtype=np.int64)


def _order(feature: Feature) -> list[int]:
    """Return the fine bins but `missing` in order of value; a special before its interval."""
    if feature.type == "category":
        return list(range(1, feature.bin_count))
    specials, edges = feature.bins.specials, feature.bins.edges
    keys = {1 + i: (bisect_right(edges, v), 0, v) for i, v in enumerate(specials)}
    keys |= {1 + len(specials) + i: (i, 1, 0.0) for i in range(len(edges) + 1)}
    return sorted(keys, key=lambda index: keys[index])
