"""Features to bin indices, vectorised: the only encoder that a holder uses.

* A number is first compared with the special values, exactly; then it falls into the interval
  [a, b) that holds it. Out of range is no error: the outer intervals are unbounded.
* NaN and None are `missing`; so are +inf and -inf, which no measurement gives (they come of
  dividing by an empty denominator). Booleans count as 0 and 1.
* A category is compared exactly, without trimming or change of case; an unknown one is `other`;
  None, NaN and the empty string are `missing`.
* Anything else (text for a number, a number for a category) raises CatalogueError: guessing
  would give the firm a bin that nobody chose.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.catalogue import MISSING, Catalogue, Feature
from scoring.errors import CatalogueError

Bins = NDArray[np.uint16]


def encode(feature: Feature, values: NDArray[Any]) -> Bins:
    """Bin indices of a feature, shape (rows,), dtype uint16.

    `values` has shape (rows,): float, integer or bool, str, or object with None for missing.
    Raises CatalogueError for another shape or for values of the wrong sort.
    """
    if values.ndim != 1:
        raise CatalogueError(f"{feature.id}: {values.ndim} dimensions; give one value a row")
    if feature.type == "category":
        return _encode_categories(feature, values)
    return _encode_numbers(feature, _floats(feature, values))


def encode_table(
    catalogue: Catalogue, kind: str, table: Mapping[str, NDArray[Any]], rows: int
) -> Bins:
    """Bin indices of all features of a kind, shape (features, rows), dtype uint16.

    `table` maps feature names to arrays of `rows` values; a feature that is absent is missing
    in every row. Raises CatalogueError for an unknown kind or feature, or another length.
    """
    features = catalogue.features_of(kind)
    unknown = sorted(set(table) - {feature.name for feature in features})
    if unknown:
        raise CatalogueError(f"{kind}: {', '.join(unknown)}: not in the catalogue; leave it out")
    encoded = np.full((len(features), rows), MISSING, dtype=np.uint16)
    for index, feature in enumerate(features):
        if feature.name in table:
            values = table[feature.name]
            if values.shape != (rows,):
                raise CatalogueError(f"{feature.id}: shape {values.shape}; give {rows} values")
            encoded[index] = encode(feature, values)
    return encoded


def _encode_numbers(feature: Feature, values: NDArray[np.float64]) -> Bins:
    bins = feature.bins
    first_interval = 1 + len(bins.specials)
    edges = np.asarray(bins.edges, dtype=np.float64)
    encoded = (first_interval + np.searchsorted(edges, values, side="right")).astype(np.uint16)
    for index, special in enumerate(bins.specials, start=1):
        encoded[values == special] = index
    encoded[~np.isfinite(values)] = MISSING
    return encoded


def _floats(feature: Feature, values: NDArray[Any]) -> NDArray[np.float64]:
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    if values.dtype.kind == "O":
        for row, value in enumerate(values):
            if value is not None and not isinstance(value, numbers.Real | Decimal | np.bool_):
                raise CatalogueError(
                    f"{feature.id}: row {row}: a {type(value).__name__} where a number is due; "
                    "convert the column, and give None where there is no number"
                )
        return np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)
    raise CatalogueError(
        f"{feature.id}: values of type {values.dtype} where numbers are due; convert the column"
    )


def _encode_categories(feature: Feature, values: NDArray[Any]) -> Bins:
    other = feature.bin_count - 1
    index = {category: i for i, category in enumerate(feature.bins.categories, start=1)}
    index[""] = MISSING
    encoded = np.empty(len(values), dtype=np.uint16)
    for row, value in enumerate(values.tolist()):
        if isinstance(value, str):
            encoded[row] = index.get(value, other)
        elif value is None or (isinstance(value, float) and value != value):
            encoded[row] = MISSING
        else:
            raise CatalogueError(
                f"{feature.id}: row {row}: a {type(value).__name__} where text is due; "
                f"map it to one of {', '.join(feature.bins.categories)}"
            )
    return encoded
