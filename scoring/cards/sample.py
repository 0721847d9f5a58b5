"""What an import costs on firms whose raw values, and perhaps outcomes, are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scoring.cards.card import ToolCard
from scoring.cards.cells import Scorer
from scoring.cards.importing import Imported, feature_of
from scoring.cards.mapping import CardMapping, MappedCharacteristic
from scoring.cards.report import SampleCost
from scoring.catalogue import Catalogue, Feature
from scoring.columns import encode
from scoring.quality import auc, ks

SAME: Final = 1e-6
"""Score points by which scores may differ and still be called the same."""


def sample_cost(
    card: ToolCard,
    mapping: CardMapping,
    catalogue: Catalogue,
    imported: Imported,
    table: Mapping[str, Sequence[Any]],
    bad: NDArray[np.bool_] | None = None,
) -> SampleCost:
    """What the import costs on firms whose raw values are known, in the tool's units.

    `table` has a column a characteristic of the card; `bad`, shape (firms,), who defaulted, for
    AUC and KS. Raises ScorecardError for a column that is not there or a value without points.
    """
    scale = imported.report.scale
    tool = Scorer(card).scores(table)
    before = np.array([scale.on_chain(score) for score in tool.tolist()])
    after = imported.card.scores(sample_bins(mapping, catalogue, table))
    change = np.abs(after - before)
    quality: dict[str, float] = {}
    if bad is not None:
        quality = {
            "auc_before": auc(before, bad),
            "auc_after": auc(after, bad),
            "ks_before": ks(before, bad),
            "ks_after": ks(after, bad),
        }
    return SampleCost(
        firms=len(change),
        changed=float(np.mean(change > SAME)),
        mean_change=float(change.mean()),
        largest_change=float(change.max()),
        **quality,
    )


def sample_bins(
    mapping: CardMapping, catalogue: Catalogue, table: Mapping[str, Sequence[Any]]
) -> dict[tuple[str, str], NDArray[np.uint16]]:
    """The fine bins of such firms by holder and feature, shape (firms,) each.

    Raises ScorecardError as `sample_cost`.
    """
    bins = {}
    for how in mapping.characteristics:
        feature = feature_of(catalogue, mapping, how)
        bins[how.holder, how.feature] = encode(feature, _converted(how, feature, table[how.name]))
    return bins


def _converted(how: MappedCharacteristic, feature: Feature, values: Sequence[Any]) -> NDArray[Any]:
    """A column in the catalogue's units and categories, None where the value is missing."""
    made: list[Any] = []
    for value in values:
        if value is None or value != value or value == how.missing_as:
            made.append(None)
        elif feature.type == "number":
            # As many digits as a product of decimals is sure to have right.
            made.append(float(f"{float(value) * how.factor:.13g}"))
        else:
            made.append(how.categories.get(value, value))
    return np.array(made, dtype=object)
