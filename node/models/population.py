"""Firms drawn from what the catalogue publishes: who scores how, where no sample is at hand.

The population is the one that certification policy d assumes: a firm has a standard normal factor;
a holder knows it or not, independently; of a firm that it knows, a feature is missing or lies in
the bin that a normal variable with the feature's loading on the factor falls into. The draws are
seeded: the same catalogue gives the same firms. They are of no firm, and there are no outcomes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from scoring.catalogue import MISSING, Catalogue, Feature
from scoring.errors import CatalogueError
from scoring.scorecard import Participant

Bins = dict[tuple[str, str], NDArray[np.uint16]]


def draw(
    catalogue: Catalogue, participants: Sequence[Participant], firms: int, seed: int = 1
) -> Bins:
    """Bins of drawn firms for every feature of the participants that has frequencies.

    Raises CatalogueError where no feature has any, or a feature has no loading.
    """
    random = np.random.default_rng(seed)
    factor = random.standard_normal(firms)
    shares = {known.holder: known.share for known in catalogue.recognition or ()}
    bins: Bins = {}
    for participant in participants:
        known = random.random(firms) < shares.get(participant.holder, 1.0)
        for feature in catalogue.features_of(participant.kind):
            if feature.frequencies is None:
                continue
            if feature.loading is None:
                raise CatalogueError(f"{feature.id}: no loading is published; give a sample")
            mean = 1.0
            if participant.holder in shares:
                mean = catalogue.mean_recognition(participant.kind)
            own = feature.loading * factor + math.sqrt(
                1 - feature.loading**2
            ) * random.standard_normal(firms)
            column = _column(feature, own, random.random(firms), mean)
            bins[participant.holder, feature.name] = np.where(known, column, MISSING).astype(
                np.uint16
            )
    if not bins:
        raise CatalogueError("frequencies: none are published for these holders; give a sample")
    return bins


def _column(
    feature: Feature,
    own: NDArray[np.float64],
    chance: NDArray[np.float64],
    recognition: float,
) -> NDArray[np.int64]:
    """The bins of firms that the holder knows."""
    shares = np.array(feature.frequencies, dtype=np.float64)
    present = shares[1:].sum()
    if present <= 0:
        return np.full(len(own), MISSING)
    missing = max((shares[MISSING] - (1 - recognition)) / recognition, 0.0)
    # Of the sum only what rounding lost can be above 1.
    cumulated = np.minimum(np.cumsum(shares[1:])[:-1] / present, 1.0)
    cuts = [
        -math.inf if c <= 0 else math.inf if c >= 1 else NormalDist().inv_cdf(c)
        for c in cumulated.tolist()
    ]
    return np.where(chance < missing, MISSING, 1 + np.searchsorted(cuts, own))
