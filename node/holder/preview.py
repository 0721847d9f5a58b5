"""What a mapping would make of the first rows of its source: looked at, never kept or sent.

It holds cells of the source as they are, so it is for the eyes of this holder's engineer alone;
credit codes are shown in part.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from federation.errors import DocumentError
from federation.uscc import Uscc
from node.errors import NodeError
from node.holder.conversion import Reason, convert
from node.holder.mapping import FeatureMapping, HolderMapping
from node.holder.sources import read_source
from scoring.catalogue import MISSING, Catalogue, Feature
from scoring.columns import encode

ROWS: Final = 500
"""Rows that are read."""
SHOWN: Final = 8
"""Rows that are shown one by one."""
TEXTS: Final = 6
"""Different cells that are shown of those that the mapping does not know."""
_CELL: Final = 60


@dataclass(frozen=True)
class Cell:
    """One cell: as the source has it, its bin's label, and why it rejects its row, if it does."""

    raw: str
    label: str
    rejected: Reason | None


@dataclass(frozen=True)
class FeaturePreview:
    """One feature over the rows that were read.

    `bins` are labels with counts, `missing` first; rejected cells are in none. `unknown` are the
    most frequent cells that the mapping cannot read or map, with counts.
    """

    feature: Feature
    column: str
    missing: int
    rejected: tuple[tuple[Reason, int], ...]
    unknown: tuple[tuple[str, int], ...]
    bins: tuple[tuple[str, int], ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Preview:
    """`rows` were read, of which `rejected` would be rejected; `codes` are the shown rows', in
    part, `bad_codes` how many are no credit codes.
    """

    rows: int
    rejected: int
    bad_codes: int
    codes: tuple[str, ...]
    features: tuple[FeaturePreview, ...]


def preview(mapping: HolderMapping, catalogue: Catalogue, rows: int = ROWS) -> Preview:
    """Reads the first `rows` of the source. Raises MappingError for one that does not fit, and
    NodeError for one without rows.
    """
    limits = mapping.limits.model_copy(update={"batch_rows": rows})
    batches = read_source(mapping.model_copy(update={"limits": limits}))
    try:
        batch = next(batches, None)
    finally:
        batches.close()
    if batch is None or not batch.height:
        raise NodeError(f"{mapping.file}: source: it has no rows; check the path or query")
    features = {one.name: one for one in catalogue.features_of(mapping.kind)}
    good = np.ones(batch.height, dtype=np.bool_)
    codes = batch[mapping.key].cast(pl.String).to_list()
    bad = np.array([not _is_code(code) for code in codes])
    good &= ~bad
    found = []
    for name, item in mapping.features.items():
        one, faulty = _feature(batch, item, features[name], mapping)
        good &= ~faulty
        found.append(one)
    return Preview(
        rows=batch.height,
        rejected=int(np.count_nonzero(~good)),
        bad_codes=int(np.count_nonzero(bad)),
        codes=tuple(map(_masked, codes[:SHOWN])),
        features=tuple(found),
    )


def _feature(
    batch: pl.DataFrame, item: FeatureMapping, feature: Feature, mapping: HolderMapping
) -> tuple[FeaturePreview, NDArray[np.bool_]]:
    cells = batch[item.column]
    values, refused = convert(cells, item, mapping.as_of)
    bins = encode(feature, _array(values, feature))
    why: list[Reason | None] = [None] * batch.height
    for reason, rows in refused.items():
        for row in rows.arg_true().to_list():
            why[row] = reason
    faulty = np.array([reason is not None for reason in why])
    texts = cells.cast(pl.String).to_list()
    unknown = Counter(
        _short(text)
        for text, reason in zip(texts, why, strict=True)
        if reason is not None and reason is not Reason.OUT_OF_RANGE
    )
    counts = np.bincount(bins[~faulty], minlength=feature.bin_count).tolist()
    return (
        FeaturePreview(
            feature=feature,
            column=item.column,
            missing=counts[MISSING],
            rejected=tuple(
                (reason, count) for reason, rows in refused.items() if (count := int(rows.sum()))
            ),
            unknown=tuple(unknown.most_common(TEXTS)),
            bins=tuple(zip(feature.bin_labels, counts, strict=True)),
            cells=tuple(
                Cell(_short(text), feature.bin_labels[index], reason)
                for text, index, reason in zip(
                    texts[:SHOWN], bins[:SHOWN].tolist(), why[:SHOWN], strict=True
                )
            ),
        ),
        faulty,
    )


def _array(values: pl.Series, feature: Feature) -> NDArray[Any]:
    if feature.type == "category":
        return np.array(values.to_list(), dtype=object)
    return values.fill_null(float("nan")).to_numpy().astype(np.float64)


def _is_code(cell: str | None) -> bool:
    try:
        Uscc.parse(cell or "")
    except DocumentError:
        return False
    return True


def _masked(cell: str | None) -> str:
    text = cell or ""
    return f"{text[:4]}…{text[-2:]}" if len(text) > 6 else "…"


def _short(text: str | None) -> str:
    if text is None:
        return ""
    return text if len(text) <= _CELL else text[: _CELL - 1] + "…"
