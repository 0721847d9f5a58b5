"""The exact record, computed in the clear: what every blinded query must equal."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scoring.catalogue import MISSING, Catalogue
from scoring.errors import ScorecardError
from scoring.scorecard import Scorecard


def record_word(
    scorecard: Scorecard,
    catalogue: Catalogue,
    bins_by_holder: Mapping[str, NDArray[np.uint16] | None],
) -> int:
    """The record of one firm, packed in a word below 2^40.

    `bins_by_holder` has an entry for every participant: the firm's bin a feature, shape
    (features,), or None where the holder does not know the firm: then all its features are
    `missing`, and the holder does not count in coverage. Raises ScorecardError for other
    holders, shapes or bins.
    """
    bins, known = {}, {}
    for holder, chosen in bins_by_holder.items():
        known[holder] = np.array([chosen is not None])
        if chosen is None:
            features = catalogue.features_of(scorecard.kind_of(holder))
            bins[holder] = np.full((len(features), 1), MISSING, dtype=np.uint16)
        else:
            bins[holder] = chosen.reshape(-1, 1)
    return int(record_words(scorecard, catalogue, bins, known)[0])


def record_words(
    scorecard: Scorecard,
    catalogue: Catalogue,
    bins_by_holder: Mapping[str, NDArray[np.uint16]],
    known_by_holder: Mapping[str, NDArray[np.bool_]],
) -> NDArray[np.uint64]:
    """The packed records of many firms, shape (rows,), each below 2^40.

    For every participant: its bins, shape (features, rows), and which firms it knows, shape
    (rows,); bins of a firm it does not know have to be `missing`. Raises ScorecardError for
    other holders, shapes or bins.
    """
    holders = {participant.holder for participant in scorecard.participants}
    for given in (bins_by_holder.keys(), known_by_holder.keys()):
        if given != holders:
            raise ScorecardError(
                f"bins: give exactly the participants; check {', '.join(sorted(given ^ holders))}"
            )
    rows = {known.shape for known in known_by_holder.values()}
    if len(rows) != 1 or len(shape := rows.pop()) != 1:
        raise ScorecardError("known: give every participant a flag for each of the same firms")
    words = np.zeros(shape, dtype=np.uint64)
    for holder, bins in bins_by_holder.items():
        known = known_by_holder[holder]
        counts = catalogue.bins_per_feature(scorecard.kind_of(holder))
        if bins.shape != (len(counts), *shape):
            raise ScorecardError(
                f"bins of {holder}: shape {bins.shape}; give {len(counts)} features by {shape[0]}"
            )
        if bool(np.any(bins[:, ~known] != MISSING)):
            raise ScorecardError(f"bins of {holder}: a firm it does not know has to be missing")
        weights = np.array(scorecard.weights(catalogue, holder), dtype=np.uint64)
        first = 0
        for count, chosen in zip(counts, bins, strict=True):
            if chosen.size and int(chosen.max()) >= count:
                raise ScorecardError(f"bins of {holder}: no bin {int(chosen.max())} of {count}")
            words += weights[first : first + count][chosen]
            first += count
        words += known.astype(np.uint64) << np.uint64(scorecard.layout().coverage.offset)
    return words
