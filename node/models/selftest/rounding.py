"""What rounding costs: a card developed on generated firms, rounded, and tested on others.

A third of the firms develop the card, a third are the validation sample that rounding chooses by,
and all figures are of the last third, which neither has seen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scoring.catalogue import Catalogue
from scoring.integer import Sample

FIRMS: Final = 20_000
_SEED: Final = 4


def run(tell: Callable[[str], None], firms: int = FIRMS) -> dict[str, Any]:
    """AUC and KS before and after rounding, and those of the two ways to round without a sample.

    `nearest` is every point rounded to the nearest of a field's 8 values, which policy may refuse.
    Needs the extra `models`; takes about 40 seconds.
    """
    from node.models.rounding import round_card
    from node.sample import CATALOGUE, generate
    from node.sample.develop import FIELDS, candidates, holder_id
    from node.sample.fitting import fit
    from scoring.cards.real import RealCard, RealField
    from scoring.quality import auc, ks, rounding_cost
    from scoring.rounding import round_points
    from scoring.scorecard import Participant

    catalogue = Catalogue.from_json(CATALOGUE.read_bytes())
    tell("rounding: generate and develop")
    with tempfile.TemporaryDirectory() as folder:
        generate(firms, _SEED, Path(folder))
        bins, bad = _ingested(Path(folder), catalogue)
    part = np.random.default_rng(_SEED).integers(0, 3, len(bad))
    model = fit(candidates(catalogue, bins, part == 0), bad[part == 0])
    card = RealCard.of(
        model.features,
        name="selftest",
        version="1",
        catalogue_version=catalogue.version,
        participants=[
            Participant(holder=holder_id(kind), kind=kind)
            for kind in catalogue.kinds
            if kind in bins
        ],
        fields=[RealField(name=f.name, title=f.title, reason=f.reason) for f in FIELDS],
        offset=model.offset,
    )

    def sample(number: int) -> Sample:
        rows = candidates(catalogue, bins, part == number)
        return Sample({(c.holder, c.feature.name): c.bins for c in rows}, bad[part == number])

    rounded = round_card(card, catalogue, sample(1), tell=lambda what: tell(f"rounding: {what}"))
    real, test = card.real_points(catalogue), sample(2)
    cost = rounding_cost(real, rounded.rounded, test.bins, test.bad)
    plain = rounding_cost(real, round_points(real), test.bins, test.bad)
    nearest = np.zeros(len(test.bad))
    for feature in real:
        span = max(float(np.ptp(f.points)) for f in real if f.field == feature.field)
        level = np.rint((feature.points - feature.points.min()) / (span / 7))
        nearest += (span / 7 * level)[test.bins[feature.key]]
    return {
        "auc_before": cost.auc_before,
        "auc_after": cost.auc_after,
        "ks_before": cost.ks_before,
        "ks_after": cost.ks_after,
        "auc_without_sample": plain.auc_after,
        "ks_without_sample": plain.ks_after,
        "auc_nearest": auc(nearest, test.bad),
        "ks_nearest": ks(nearest, test.bad),
        "firms": len(test.bad),
        "passes_policy": rounded.report.passed,
        "narrowed": {feature: by for (_, feature), by in rounded.narrowed.items()},
    }


def _ingested(
    folder: Path, catalogue: Catalogue
) -> tuple[dict[str, NDArray[np.uint16]], NDArray[np.bool_]]:
    """Bins by kind, shape (features, firms), as holders would make them, and who defaulted."""
    import polars as pl

    from node.holder.ingest import align, ingest
    from node.holder.mapping import load_mapping

    listing = pl.read_csv(folder / "enterprises.csv")
    bins = {}
    for path in sorted((folder / "mappings").glob("*.toml")):
        mapping = load_mapping(path, catalogue)
        table, _ = ingest(mapping, catalogue, folder / f"{mapping.kind}.rejected.csv")
        bins[mapping.kind], _ = align(listing["uscc"].to_list(), table, catalogue)
    return bins, listing["default"].to_numpy() == 1
