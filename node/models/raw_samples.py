"""Firms' raw values, in a tool's own columns and units: a file that an import is measured on.

CSV or Parquet, a row a firm, a column for each characteristic of the card; an empty cell is a
missing value. A column `bad` may say who defaulted (1 or true) and who did not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.models.samples import OUTCOME, SampleFileError
from scoring.cards.card import ToolCard


def read_raw_sample(
    path: Path, card: ToolCard
) -> tuple[dict[str, list[Any]], NDArray[np.bool_] | None]:
    """The columns of the card's characteristics, None where missing, and who defaulted.

    Raises SampleFileError naming the column and the row.
    """
    import polars as pl

    names = {made.name: made.type for made in card.characteristics}
    types = {name: pl.Float64 if kind == "number" else pl.String for name, kind in names.items()}
    try:
        if path.suffix == ".csv":
            frame = pl.read_csv(path, schema_overrides=types)
        else:
            frame = pl.read_parquet(path)
        lacking = [name for name in names if name not in frame.columns]
        if lacking:
            raise SampleFileError(f"{path}: no column {', '.join(lacking)}; add or rename it")
        table = {name: frame[name].cast(types[name]).to_list() for name in names}
    except (OSError, pl.exceptions.PolarsError) as failure:
        raise SampleFileError(f"{path}: {failure}; give CSV or Parquet, a row a firm") from None
    if OUTCOME not in frame.columns:
        return table, None
    flags = frame[OUTCOME].to_list()
    for row, flag in enumerate(flags, start=1):
        if flag not in (0, 1):
            raise SampleFileError(f"{path}: row {row}: {OUTCOME} is {flag!r}; give 1 or 0")
    return table, np.array(flags, dtype=np.int8) == 1
