"""Scoring with a tool's card, exactly: every value falls into one cell, a cell has one owner.

The ends and single values c₁ < … < c_k of a characteristic cut the numbers into 2k + 1 cells:
below c₁, exactly c₁, between c₁ and c₂, …, above c_k. Whatever an attribute says of open and
closed ends, special values, and what comes first, is settled once, cell by cell; scoring is then
two binary searches. The same code scores one record and a million, and adds characteristics in
their order, so that the scores agree to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scoring.cards.card import Attribute, Characteristic, Interval, ToolCard
from scoring.errors import ScorecardError

NOBODY: Final = -1
"""The owner of a cell that no attribute takes."""

Floats = NDArray[np.float64]
Owners = NDArray[np.int64]
Record = Mapping[str, float | int | str | None]


@dataclass(frozen=True, slots=True)
class Cells:
    """A characteristic's cells: who of its attributes owns each, by index, or `NOBODY`.

    For numbers `cuts` has shape (k,) and `owners` 2k + 1. For categories `names` gives the index
    of a category into `owners`, whose last cell is any other category.
    """

    characteristic: Characteristic
    cuts: Floats
    names: Mapping[str, int]
    owners: Owners
    missing: int

    def owners_of(self, values: Sequence[Any] | NDArray[Any]) -> Owners:
        """The attribute of each value, shape (records,); `NOBODY` where none takes it.

        Raises ScorecardError for text where numbers are due.
        """
        if self.characteristic.type == "category":
            return self._of_categories(values)
        numbers = self._numbers(values)
        cells = np.searchsorted(self.cuts, numbers, "left")
        cells += np.searchsorted(self.cuts, numbers, "right")
        owners = self.owners[np.minimum(cells, len(self.owners) - 1)]
        return np.where(np.isnan(numbers), self.missing, owners)

    def _numbers(self, values: Sequence[Any] | NDArray[Any]) -> Floats:
        try:
            return np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise ScorecardError(
                f"{self.characteristic.name}: a value is no number; convert the column, and give "
                "None where there is no value"
            ) from None

    def _of_categories(self, values: Sequence[Any] | NDArray[Any]) -> Owners:
        other = len(self.owners) - 1
        owners = [*self.owners.tolist(), self.missing]
        names = {"": other + 1, **self.names}
        # Categories may be coded with whole numbers: 1 is "1".
        places = [
            other + 1 if value is None or value != value else names.get(str(value), other)
            for value in (values.tolist() if isinstance(values, np.ndarray) else values)
        ]
        return np.array([owners[place] for place in places], dtype=np.int64)


def cells_of(characteristic: Characteristic) -> Cells:
    """The cells of a characteristic: the first attribute that takes a cell owns it."""
    if characteristic.type == "number":
        cuts = sorted(_ends(characteristic))
        owners = np.full(2 * len(cuts) + 1, NOBODY, dtype=np.int64)
        names: dict[str, int] = {}
        taken = [
            _number_cells(a, {c: i for i, c in enumerate(cuts)}) for a in characteristic.attributes
        ]
    else:
        cuts = []
        listed = dict.fromkeys(str(v) for a in characteristic.attributes for v in a.values)
        names = {name: index for index, name in enumerate(listed)}
        owners = np.full(len(names) + 1, NOBODY, dtype=np.int64)
        taken = [[names[str(v)] for v in a.values] for a in characteristic.attributes]
    missing = NOBODY
    for index, (attribute, cells) in enumerate(zip(characteristic.attributes, taken, strict=True)):
        free = [cell for cell in cells if owners[cell] == NOBODY]
        owners[free] = index
        if attribute.missing and missing == NOBODY:
            missing = index
    for index, attribute in enumerate(characteristic.attributes):
        if attribute.default:
            owners[owners == NOBODY] = index
    return Cells(characteristic, np.array(cuts, dtype=np.float64), names, owners, missing)


def _ends(characteristic: Characteristic) -> set[float]:
    ends: set[float] = set()
    for attribute in characteristic.attributes:
        ends.update(float(value) for value in attribute.values)
        for interval in attribute.intervals:
            ends.update(end for end in (interval.low, interval.high) if end is not None)
    return ends


def _number_cells(attribute: Attribute, index: Mapping[float, int]) -> list[int]:
    cells = [2 * index[float(value)] + 1 for value in attribute.values]
    for interval in attribute.intervals:
        cells.extend(range(*_span(interval, index)))
    return cells


def _span(interval: Interval, index: Mapping[float, int]) -> tuple[int, int]:
    start, stop = 0, 2 * len(index) + 1
    if interval.low is not None:
        start = 2 * index[interval.low] + (1 if interval.low_closed else 2)
    if interval.high is not None:
        stop = 2 * index[interval.high] + (2 if interval.high_closed else 1)
    return start, stop


class Scorer:
    """Scores records with a tool's card."""

    def __init__(self, card: ToolCard) -> None:
        self.card = card
        self.cells = {c.name: cells_of(c) for c in card.characteristics}

    def partial(self, name: str, values: Sequence[Any] | NDArray[Any]) -> Floats:
        """The points of one characteristic, shape (records,).

        Raises ScorecardError for a value that no attribute takes.
        """
        cells = self.cells[name]
        owners = cells.owners_of(values)
        if (owners == NOBODY).any():
            row = int(np.flatnonzero(owners == NOBODY)[0])
            raise ScorecardError(
                f"{name}: row {row}: no attribute takes {values[row]!r}; add an attribute for it, "
                "for missing values, or for everything else"
            )
        return np.array([a.points for a in cells.characteristic.attributes])[owners]

    def scores(self, table: Mapping[str, Sequence[Any] | NDArray[Any]]) -> Floats:
        """The scores of records, shape (records,), on the tool's own scale.

        `table` has a column of values for each characteristic. Raises ScorecardError for a
        column that is not there, or a value that no attribute takes.
        """
        total: Floats | float = self.card.initial
        for name in self.cells:
            if name not in table:
                raise ScorecardError(f"{name}: the records have no such column; add or rename it")
            total = total + self.partial(name, table[name])
        return np.atleast_1d(np.asarray(total, dtype=np.float64))

    def score(self, record: Record) -> float:
        """The score of one record; raises ScorecardError as `scores` does."""
        return float(self.scores({name: [value] for name, value in record.items()})[0])

    def reasons(self, record: Record) -> list[str]:
        """Reason codes of one record, each once, the weightiest first (PMML 4.4, Scorecard).

        What characteristics with one code lose against their baselines is added up. Raises
        ScorecardError for a card without reason codes or baselines, and as `score` does.
        """
        if self.card.reason_algorithm is None:
            raise ScorecardError("reason_algorithm: this card uses no reason codes")
        sign = 1 if self.card.reason_algorithm == "pointsBelow" else -1
        weights: dict[str, float] = {}
        for name, cells in self.cells.items():
            made = cells.characteristic
            points = float(self.partial(name, [record[name]])[0])
            attribute = made.attributes[int(cells.owners_of([record[name]])[0])]
            code = attribute.reason or made.reason
            if code is None or made.baseline is None:
                raise ScorecardError(f"{name}: no reason code or baseline; give it both")
            weights[code] = weights.get(code, 0.0) + sign * (made.baseline - points)
        return sorted(weights, key=lambda code: -weights[code])
