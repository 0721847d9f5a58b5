"""Firms' raw values, in a tool's own columns and units: a file that an import is measured on.

CSV or Parquet, a row a firm, a column for each characteristic of the card; an empty cell is a
missing value. A column `bad` may say who defaulted (1 or true) and who did not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from node.models.samples import OUTCOME, SampleFileError, outcomes, read_table
from scoring.cards.card import ToolCard


def read_raw_sample(
    path: Path, card: ToolCard
) -> tuple[dict[str, list[Any]], NDArray[np.bool_] | None]:
    """The columns of the card's characteristics, None where missing, and who defaulted.

    Raises SampleFileError naming the column and the row.
    """
    import polars as pl

    types = {
        made.name: pl.Float64() if made.type == "number" else pl.String()
        for made in card.characteristics
    }
    table = read_table(path, types)
    lacking = [name for name in types if name not in table.columns]
    if lacking:
        raise SampleFileError(f"{path}: no column {', '.join(lacking)}; add or rename it")
    columns = {}
    for name, kind in types.items():
        try:
            columns[name] = table[name].cast(kind).to_list()
        except pl.exceptions.PolarsError as failure:
            raise SampleFileError(f"{path}: {name}: {failure}; correct the column") from None
    return columns, outcomes(path, table) if OUTCOME in table.columns else None
