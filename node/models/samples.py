"""Firms with known outcome, in the catalogue's fine bins: a file for rounding and comparing.

CSV or Parquet, a row a firm. A column `HOLDER/FEATURE` for each feature, HOLDER being the holder's
SPIFFE id or the name at its end (`tax/sales_12m`); in it the bin's index, or its label as the
catalogue writes it (`missing`, `= 0`, `[1, 2)`; an empty cell is `missing`). A column `bad`: 1 or
true for a firm that defaulted, 0 or false for one that did not. Other columns are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from node.errors import NodeError
from scoring.catalogue import Catalogue, Feature
from scoring.integer import Sample
from scoring.scorecard import Participant

if TYPE_CHECKING:
    import polars as pl

OUTCOME: Final = "bad"
_INDEX: Final = re.compile(r"[0-9]{1,5}")


class SampleFileError(NodeError):
    """A file of firms that cannot be read as such."""


def read_sample(path: Path, catalogue: Catalogue, participants: Iterable[Participant]) -> Sample:
    """The sample in a file: bins of every column of a participant's feature, and the outcomes.

    Raises SampleFileError naming column and row.
    """
    table = read_table(path)
    known = {
        name: (participant, feature)
        for participant in participants
        for feature in catalogue.features_of(participant.kind)
        for name in _names(participant.holder, feature.name)
    }
    bins: dict[tuple[str, str], NDArray[np.uint16]] = {}
    for column in table.columns:
        if column in known:
            participant, feature = known[column]
            key = (participant.holder, feature.name)
            if key in bins:
                raise SampleFileError(f"{path}: {column}: stands twice; drop one column")
            bins[key] = _bins(path, column, table[column].to_list(), feature)
    if not bins:
        raise SampleFileError(f"{path}: no column is HOLDER/FEATURE of a participant; rename them")
    if OUTCOME not in table.columns:
        raise SampleFileError(f"{path}: no column {OUTCOME!r}; give 1 for firms that defaulted")
    return Sample(bins, outcomes(path, table))


def write_bins(
    path: Path,
    bins: Mapping[tuple[str, str], NDArray[np.uint16]],
    bad: NDArray[np.bool_] | None = None,
) -> None:
    """Write firms as Parquet, or as CSV where the name ends so; bins as indices.

    `bad` where the outcomes are known. Raises SampleFileError.
    """
    import polars as pl

    columns = {f"{holder}/{feature}": row for (holder, feature), row in bins.items()}
    outcomes = {} if bad is None else {OUTCOME: bad.astype(np.int8)}
    table = pl.DataFrame({**columns, **outcomes})
    try:
        if path.suffix == ".csv":
            table.write_csv(path)
        else:
            table.write_parquet(path)
    except OSError as failure:
        raise SampleFileError(f"{path}: cannot be written ({failure.strerror})") from None


def _names(holder: str, feature: str) -> tuple[str, str]:
    return f"{holder}/{feature}", f"{holder.rpartition('/')[2]}/{feature}"


def read_table(path: Path, types: Mapping[str, pl.DataType] | None = None) -> pl.DataFrame:
    """A CSV or Parquet table; `types` of a CSV's columns where they are not to be guessed.

    Raises SampleFileError.
    """
    import polars as pl

    try:
        if path.suffix == ".csv":
            return pl.read_csv(path, infer_schema_length=None, schema_overrides=types)
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as failure:
        raise SampleFileError(
            f"{path}: no CSV or Parquet table ({failure}); give one with a row a firm"
        ) from None


def _bins(path: Path, column: str, cells: Sequence[Any], feature: Feature) -> NDArray[np.uint16]:
    labels = {label: index for index, label in enumerate(feature.bin_labels)}
    found = np.zeros(len(cells), dtype=np.uint16)
    for row, cell in enumerate(cells):
        text = "missing" if cell is None or cell == "" else str(cell)
        index = labels.get(text, int(text) if _INDEX.fullmatch(text) else -1)
        if not 0 <= index < feature.bin_count:
            raise SampleFileError(
                f"{path}: row {row + 1}, {column}: {text!r} is no bin; give 0 to "
                f"{feature.bin_count - 1} or one of {', '.join(feature.bin_labels)}"
            )
        found[row] = index
    return found


def outcomes(path: Path, table: pl.DataFrame) -> NDArray[np.bool_]:
    """Who defaulted, of the column `bad`; raises SampleFileError naming the row."""
    words = {"0": False, "1": True, "false": False, "true": True}
    found = np.zeros(len(table), dtype=np.bool_)
    for row, cell in enumerate(table[OUTCOME].to_list()):
        value = words.get(str(cell).lower())
        if value is None:
            raise SampleFileError(f"{path}: row {row + 1}, {OUTCOME}: {cell!r}; give 0 or 1")
        found[row] = value
    return found
