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

from node.models.rounding import round_card
from scoring.cards.real import RealCard, RealField
from scoring.catalogue import Catalogue
from scoring.integer import Sample, round_by_sample
from scoring.quality import auc, ks, rounding_cost
from scoring.rounding import round_points
from scoring.scorecard import Participant

FIRMS: Final = 20_000
_SEED: Final = 4


def run(tell: Callable[[str], None], firms: int = FIRMS) -> dict[str, Any]:
    """AUC and KS before and after rounding to the whole policy; and those of rounding to rule b
    alone, with the validation sample and without.

    `nearest` is every point rounded to the nearest of a field's 8 values, which policy may refuse.
    Needs the extra `models`; takes one to two minutes of
    a core, as policy is judged about ten times.
    """
    tell("rounding: generate and develop")
    catalogue, card, validation, test = _developed(firms)
    rounded = round_card(card, catalogue, validation, tell=lambda what: tell(f"rounding: {what}"))
    real = card.real_points(catalogue)
    cost = rounding_cost(real, rounded.rounded, test.bins, test.bad)
    plain = rounding_cost(real, round_points(real), test.bins, test.bad)
    tell("rounding: without rule d")
    undisturbed = rounding_cost(real, round_by_sample(real, validation), test.bins, test.bad)
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
        "auc_rule_b_alone": undisturbed.auc_after,
        "ks_rule_b_alone": undisturbed.ks_after,
        "auc_without_sample": plain.auc_after,
        "ks_without_sample": plain.ks_after,
        "auc_nearest": auc(nearest, test.bad),
        "ks_nearest": ks(nearest, test.bad),
        "firms": len(test.bad),
        "passes_policy": rounded.report.passed,
        "narrowed": {feature: by for (_, feature), by in rounded.narrowed.items()},
    }


def _developed(firms: int) -> tuple[Catalogue, RealCard, Sample, Sample]:
    """The sample's catalogue, a card developed on generated firms, and two samples of others."""
    from node.sample import CATALOGUE, generate
    from node.sample.develop import FIELDS, candidates, defaulted, holder_id, loaded
    from node.sample.fitting import fit

    catalogue = Catalogue.from_json(CATALOGUE.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        generate(firms, _SEED, Path(folder))
        months, bad = loaded(Path(folder), catalogue), defaulted(Path(folder))
    bins = {kind: month.bins for kind, month in months.items()}
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

    return catalogue, card, sample(1), sample(2)
