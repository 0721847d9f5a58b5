"""The fields of everything certified before and now, as rows of one matrix over bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from federation.policy.atoms import Bins, atoms, rare, shares_over, spread_over
from federation.policy.linear import Matrix
from federation.policy.submission import Submission
from scoring.catalogue import Catalogue
from scoring.catalogue import Feature as Described

Feature = tuple[str, str]
"""(holder, feature)."""


@dataclass(frozen=True, slots=True)
class Stack:
    """The stacked fields: a matrix, the columns of each feature, and the scorecard of each row.

    Scorecard 0 is the one to judge; the others are the earlier ones in their order. `rare` has the
    columns of rare bins, `shares` the share of firms in each column's bin.
    """

    matrix: Matrix
    columns: Mapping[Feature, Matrix]
    scorecards: tuple[int, ...]
    rare: frozenset[int] = frozenset()
    shares: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def without(self, scorecards: set[int]) -> Stack:
        """The stack without the rows of some scorecards."""
        kept = [row for row, of in enumerate(self.scorecards) if of not in scorecards]
        cards = tuple(self.scorecards[row] for row in kept)
        return Stack(self.matrix[kept], self.columns, cards, self.rare, self.shares)

    def of_common_bins(self) -> Stack:
        """The stack without the columns of rare bins."""
        kept = [n for n in range(self.matrix.shape[1]) if n not in self.rare]
        places = {number: place for place, number in enumerate(kept)}
        columns = {
            key: np.array([places[n] for n in own.tolist() if n in places], dtype=np.int64)
            for key, own in self.columns.items()
        }
        return Stack(self.matrix[:, kept], columns, self.scorecards)


def stack(submission: Submission) -> Stack:
    """The stacked fields of a submission and of what was certified before."""
    judged = [(submission.scorecard, submission.catalogue)]
    judged += [(earlier.scorecard, earlier.catalogue) for earlier in submission.earlier]
    versions: dict[Feature, list[Bins]] = {}
    shares: dict[Feature, tuple[Bins, Sequence[float]]] = {}
    for scorecard, catalogue in judged:
        for entry in scorecard.points:
            feature = catalogue.feature(scorecard.kind_of(entry.holder), entry.feature)
            now = _now(submission.catalogue, feature)
            if not now.public:
                key = entry.holder, entry.feature
                versions.setdefault(key, []).append(feature.bins)
                shares[key] = now.bins, now.frequencies or ()
    common = {key: atoms(found) for key, found in versions.items()}
    columns, first, rare_columns, width = {}, {}, set[int](), 0
    often_columns: list[float] = []
    for key, found in common.items():
        columns[key] = np.arange(width, width + len(found) - 1)
        bins, known = shares[key]
        often = shares_over(bins, known, found) if known else [1 / len(found)] * len(found)
        first[key] = often.index(max(often))
        left = rare(often) if known else ()
        others = [number for number in range(len(found)) if number != first[key]]
        rare_columns.update(width + n for n, number in enumerate(others) if number in left)
        often_columns += [often[number] for number in others]
        width += len(others)
    rows, scorecards = [], []
    for number, (scorecard, catalogue) in enumerate(judged):
        for name in [f.name for f in scorecard.fields]:
            row = np.zeros(width, dtype=np.int64)
            for entry in scorecard.points:
                key = entry.holder, entry.feature
                if entry.field != name or key not in columns:
                    continue
                bins = catalogue.feature(scorecard.kind_of(entry.holder), entry.feature).bins
                points = np.array(spread_over(bins, entry.points, common[key]), dtype=np.int64)
                row[columns[key]] = np.delete(points, first[key]) - points[first[key]]
            rows.append(row)
            scorecards.append(number)
    matrix = np.array(rows, dtype=np.int64)
    shared = np.array(often_columns)
    return Stack(matrix, columns, tuple(scorecards), frozenset(rare_columns), shared)


def _now(catalogue: Catalogue, feature: Described) -> Described:
    """What the catalogue of now says of a feature, or said where it is no longer in it."""
    for other in catalogue.features if feature.kind in catalogue.kinds else ():
        if other.id == feature.id:
            return other
    return feature
