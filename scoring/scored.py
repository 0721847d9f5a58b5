"""Many firms scored as one is: the fields, coverage and scores that a scorecard gives to bins.

A score is `scoring.profile.score_of` of the firm's record, so that a million firms have exactly
the scores that each would have alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.catalogue import MISSING
from scoring.errors import ScorecardError
from scoring.profile import score_of
from scoring.record import Record
from scoring.scorecard import Scorecard

Bins = Mapping[tuple[str, str], NDArray[np.uint16]]
"""Fine bins by (holder, feature), shape (firms,) each."""


@dataclass(frozen=True)
class Scored:
    """What a scorecard says of firms: arrays of shape (firms,).

    `coverage` counts the holders that knew the firm: at least one of their features is given.
    """

    fields: Mapping[str, NDArray[np.int64]]
    coverage: NDArray[np.int64]
    scores: NDArray[np.int64]


def score_bins(scorecard: Scorecard, bins: Bins) -> Scored:
    """Score firms by their bins; features that the scorecard does not name count for coverage.

    Raises ScorecardError for a feature without bins, another length, or a bin out of range.
    """
    rows = {key: len(column) for key, column in bins.items()}
    if len(set(rows.values())) != 1:
        raise ScorecardError("bins: columns differ in length; give one bin a firm in each")
    size = next(iter(rows.values()))
    fields = {field.name: np.zeros(size, dtype=np.int64) for field in scorecard.fields}
    for entry in scorecard.points:
        column = bins.get((entry.holder, entry.feature))
        if column is None or (size and int(column.max()) >= len(entry.points)):
            raise ScorecardError(
                f"bins of {entry.holder} {entry.feature}: missing, or beyond the last of "
                f"{len(entry.points)}; give every firm's bin"
            )
        fields[entry.field] += np.array(entry.points, dtype=np.int64)[column]
    coverage = np.zeros(size, dtype=np.int64)
    for participant in scorecard.participants:
        own = [column for (holder, _), column in bins.items() if holder == participant.holder]
        if own:
            coverage += np.any([column != MISSING for column in own], axis=0)
    return Scored(fields, coverage, _scores(scorecard, fields))


def _scores(scorecard: Scorecard, fields: Mapping[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """The score of each distinct record, computed once."""
    names = list(fields)
    records, index = np.unique(
        np.column_stack([fields[name] for name in names]), axis=0, return_inverse=True
    )
    scores = [
        score_of(scorecard, Record(dict(zip(names, row, strict=True)), 0))
        for row in records.tolist()
    ]
    return np.array(scores, dtype=np.int64)[index.reshape(-1)]
