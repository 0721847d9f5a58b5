"""Ingest: a holder's source and its mapping become the features of the firms it knows.

All or nothing. A row with any fault is rejected whole, so that its firm counts as unknown
rather than half known. Each rejection goes to a report file, by row, field and reason,
never to the application log; it repeats no value and no code. Above a share of rejected
rows the ingest fails, and what an earlier one wrote stays.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from federation.errors import DocumentError
from federation.uscc import Uscc
from node.errors import NodeError
from node.files import replacing
from node.holder.conversion import Reason, convert
from node.holder.mapping import HolderMapping
from node.holder.sources import read_source
from scoring.catalogue import Catalogue
from scoring.columns import encode_table

REPORT_HEADER: Final = ("row", "field", "reason")


class IngestError(NodeError):
    """An ingest that failed as a whole; nothing that stood before has changed."""


@dataclass(frozen=True)
class FeatureTable:
    """Features of the firms that a holder knows, in the catalogue's units.

    `columns` holds, by feature name, float64 arrays with NaN for missing, or object arrays
    of str with None for missing, each of shape (len(codes),).
    """

    kind: str
    as_of: date
    codes: tuple[str, ...]
    columns: dict[str, NDArray[Any]]


@dataclass(frozen=True)
class IngestReport:
    """Counts of an ingest, and the file with one line a rejection."""

    read: int
    accepted: int
    reasons: dict[Reason, int]
    path: Path

    @property
    def rejected(self) -> int:
        """Rows that were rejected, each counted once."""
        return self.read - self.accepted


def ingest(
    mapping: HolderMapping,
    catalogue: Catalogue,
    report_path: Path,
    *,
    progress: Callable[[int], None] | None = None,
) -> tuple[FeatureTable, IngestReport]:
    """Read the mapping's source; write the report of rejected rows to `report_path` (CSV).

    Row 1 is the first row of data. A code that comes again is rejected, the first row with
    it stays. `progress` is told the rows read so far. Raises MappingError for a source that
    does not fit, IngestError where too many rows are rejected, there is no row, or the
    report cannot be written.
    """
    try:
        with replacing(report_path) as temporary, _private(temporary) as file:
            reading = _Reading(mapping, catalogue, file)
            for batch in read_source(mapping):
                reading.add(batch)
                if progress is not None:
                    progress(reading.read)
    except OSError as error:
        raise IngestError(
            f"report: cannot write {report_path}: {error.strerror}; choose another folder"
        ) from error
    report = IngestReport(reading.read, reading.accepted, dict(reading.reasons), report_path)
    if report.read == 0:
        raise IngestError(f"{mapping.file}: source: it has no rows; check the path or query")
    limit = mapping.limits.rejected_share
    if report.rejected > limit * report.read:
        raise IngestError(
            f"{mapping.file}: {report.rejected:,} of {report.read:,} rows are rejected, more than "
            f"limits.rejected_share = {limit:g}; see {report_path} and correct the source"
        )
    return reading.table(), report


class _Reading:
    """What has been accepted so far, and the open report."""

    def __init__(self, mapping: HolderMapping, catalogue: Catalogue, report: TextIO) -> None:
        self._mapping = mapping
        self._categories = {
            feature.name: feature.type == "category"
            for feature in catalogue.features_of(mapping.kind)
        }
        self._report = csv.writer(report, lineterminator="\n")
        self._report.writerow(REPORT_HEADER)
        self._seen: set[str] = set()
        self._codes: list[str] = []
        self._parts: dict[str, list[pl.Series]] = {name: [] for name in mapping.features}
        self.read = 0
        self.reasons: Counter[Reason] = Counter()

    @property
    def accepted(self) -> int:
        return len(self._codes)

    def add(self, batch: pl.DataFrame) -> None:
        codes, faults = self._parsed_codes(batch[self._mapping.key])
        values = {}
        for name, item in self._mapping.features.items():
            values[name], refused = convert(batch[item.column], item, self._mapping.as_of)
            for reason, rows in refused.items():
                faults += [(row, item.column, reason) for row in rows.arg_true().to_list()]
        for row, field, reason in sorted(faults):
            self._report.writerow((self.read + row + 1, field, reason.value))
        self.reasons.update(reason for _, _, reason in faults)
        good = np.ones(batch.height, dtype=np.bool_)
        good[[row for row, _, _ in faults]] = False
        self._codes += [codes[row] for row in np.flatnonzero(good).tolist()]
        for name, series in values.items():
            self._parts[name].append(series.filter(pl.Series(good)))
        self.read += batch.height

    def _parsed_codes(self, cells: pl.Series) -> tuple[list[str], list[tuple[int, str, Reason]]]:
        codes, faults = [], []
        for row, cell in enumerate(cells.cast(pl.String).to_list()):
            try:
                code = str(Uscc.parse(cell or ""))
            except DocumentError:
                code = ""
                faults.append((row, self._mapping.key, Reason.INVALID_USCC))
            if code in self._seen:
                faults.append((row, self._mapping.key, Reason.DUPLICATE_USCC))
            elif code:
                self._seen.add(code)
            codes.append(code)
        return codes, faults

    def table(self) -> FeatureTable:
        columns: dict[str, NDArray[Any]] = {}
        for name, parts in self._parts.items():
            series = pl.concat(parts)
            if self._categories[name]:
                columns[name] = np.array(series.to_list(), dtype=object)
            else:
                columns[name] = series.fill_null(float("nan")).to_numpy().astype(np.float64)
        return FeatureTable(self._mapping.kind, self._mapping.as_of, tuple(self._codes), columns)


def align(
    roster: Sequence[str], table: FeatureTable, catalogue: Catalogue
) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Encode the table in the roster's order.

    Returns bins, uint16 of shape (features of the kind, len(roster)), and which roster rows
    the holder knows, bool of shape (len(roster),). An unknown firm is all-`missing`. Firms of
    the table that are not on the roster are left out.
    """
    positions = {code: row for row, code in enumerate(table.codes)}
    rows = np.array([positions.get(code, -1) for code in roster], dtype=np.int64)
    known = rows >= 0
    aligned: dict[str, NDArray[Any]] = {}
    for name, values in table.columns.items():
        blank = None if values.dtype == object else np.nan
        column = np.full(len(roster), blank, dtype=values.dtype)
        column[known] = values[rows[known]]
        aligned[name] = column
    return encode_table(catalogue, table.kind, aligned, len(roster)), known


def _private(path: Path) -> TextIO:
    """Create a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")
