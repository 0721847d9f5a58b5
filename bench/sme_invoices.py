"""Prepares a trial on real data: `python -m bench.sme_invoices DATA OUT` (extra `models`).

DATA is the folder of the 123 anonymised Chinese firms (2020 contest in mathematical
modelling, problem C): `enterprises.csv`, `monthly.csv`, `purchases.parquet`. It is never
part of the project. The firms get credit codes of region 999999, their features are split
over three holders, and OUT gets what `node.sample` gives for generated firms:

* `enterprises.csv`, `invoice.csv`, `tax.parquet`, `trade_partners.db`, `mappings/*.toml`;
* `catalogue.json` with the statistics of these firms, and `scorecard.json` developed on them;
* `report.json`: AUC and KS before and after rounding, on all firms and by cross-validation.

The statistics are those of the same firms in January and December. They are exact: noise that
hides one firm in 123 leaves nothing to publish, and these data are public.

The firms' ratings are not used: the contest's bank gave D to those that defaulted.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.sme_features import MONTH_BEFORE
from bench.sme_files import EXAMPLES, KINDS, SEED, write_files
from federation.policy import PolicyThresholds, certify_policy
from node.holder.statistics.release import Month
from node.sample.develop import Bins, candidates, defaulted, holder_id, loaded, told_too_much
from node.sample.evidence import Bad
from node.sample.fitting import Candidate, Model, fit, rounded_scorecard
from scoring.catalogue import Catalogue
from scoring.documents import Text
from scoring.estimates import NoisyTables, estimated
from scoring.quality import auc, ks, rounding_cost
from scoring.rounding import RoundedPoints
from scoring.scorecard import Participant, Scorecard, ScoreField
from scoring.statistics import histograms, moments, normal_scores, transitions

FIELDS: Final = (
    ScoreField(name="trade", title=Text(zh="经营开票", en="Trade"), reason="R04", step=1),
    ScoreField(name="tax", title=Text(zh="纳税进项", en="Tax"), reason="R02", step=1),
    ScoreField(name="partners", title=Text(zh="交易伙伴", en="Partners"), reason="R05", step=1),
)
FIELD_OF: Final = dict(zip(KINDS, (field.name for field in FIELDS), strict=True))
_FOLDS: Final = 5


def fitted(
    catalogue: Catalogue, firms: list[Candidate], bad: Bad
) -> tuple[Model, Scorecard, RoundedPoints]:
    """Fit and round; few firms ask for wide bins and a ridge that matters."""
    model = fit(firms, bad, ridge=100.0, smallest_bin=0.1, least_share=0.03)
    card, rounded = rounded_scorecard(
        model,
        name="sme-invoices",
        version="1",
        catalogue_version=catalogue.version,
        participants=[Participant(holder=holder_id(kind), kind=kind) for kind in KINDS],
        fields=FIELDS,
    )
    return model, card, rounded


def cross_validated(catalogue: Catalogue, bins: Bins, bad: Bad) -> dict[str, dict[str, float]]:
    """Return AUC and KS of scores that each firm gets from a model fitted without it."""
    folds = np.empty(len(bad), dtype=np.int64)
    rng = np.random.default_rng(SEED)
    for outcome in (True, False):
        rows = rng.permutation(np.flatnonzero(bad == outcome))
        folds[rows] = np.arange(len(rows)) % _FOLDS
    before, after = np.zeros(len(bad)), np.zeros(len(bad))
    for fold in range(_FOLDS):
        out = folds == fold
        model, _, rounded = fitted(
            catalogue, candidates(catalogue, bins, ~out, FIELD_OF), bad[~out]
        )
        left = {
            (c.holder, c.feature.name): c.bins for c in candidates(catalogue, bins, out, FIELD_OF)
        }
        # Folds share one scale: each score is in points of the same odds.
        before[out] = model.offset
        after[out] = model.offset + rounded.offset
        for real in model.features:
            chosen = left[real.key]
            before[out] += real.points[chosen]
            after[out] += rounded.steps[real.field] * np.array(rounded.points[real.key])[chosen]
    return {
        "auc": {"before": round(auc(before, bad), 4), "after": round(auc(after, bad), 4)},
        "ks": {"before": round(ks(before, bad), 4), "after": round(ks(after, bad), 4)},
    }


def exact(catalogue: Catalogue, kind: str, now: Month, before: Month) -> NoisyTables:
    """Return a holder's statistics without noise: of data that are public."""
    counts = catalogue.bins_per_feature(kind)
    firms = np.split(histograms(counts, now.bins, now.known), np.cumsum([1, *counts])[:-1])
    moves = transitions(counts, before.bins, before.known, now.bins, now.known)
    squares = np.split(moves, np.cumsum([count**2 for count in counts])[:-1])
    scores = tuple(normal_scores(of.tolist()) for of in firms[1:])
    return NoisyTables(
        rows=len(now.known),
        known=int(firms[0][0]),
        counts=tuple(firms[1:]),
        moves=tuple(
            table.reshape(len(row), -1) for table, row in zip(squares, scores, strict=True)
        ),
        move_scale=0.0,
        scores=scores,
        moments=moments(scores, now.bins, now.known),
    )


def develop(
    catalogue: Catalogue, now: Mapping[str, Month], before: Mapping[str, Month], bad: Bad
) -> tuple[Catalogue, Scorecard, Any]:
    """Return catalogue with statistics, scorecard and report."""
    bins = {kind: month.bins for kind, month in now.items()}
    firms = candidates(catalogue, bins, np.ones(len(bad), dtype=np.bool_), FIELD_OF)
    model, card, rounded = fitted(catalogue, firms, bad)
    tables = {
        holder_id(kind): (kind, exact(catalogue, kind, month, before[kind]))
        for kind, month in now.items()
    }
    public = estimated(catalogue, catalogue.version, tables)
    cost = rounding_cost(
        model.features, rounded, {(c.holder, c.feature.name): c.bins for c in firms}, bad
    )
    policy = certify_policy(card, public, PolicyThresholds())
    while told := told_too_much(card, policy):
        # So few firms, of whom all three holders see the same trade: consents name what is told.
        named = tuple(sorted({*card.disclosed, *told}))
        card = Scorecard.build({**card.model_dump(), "disclosed": named})
        policy = certify_policy(card, public, PolicyThresholds())
    report = {
        "scorecard": f"{card.name} {card.version}",
        "firms": len(bad),
        "defaults": int(bad.sum()),
        "fields": {f.name: sum(e.field == f.name for e in card.points) for f in card.fields},
        "disclosed": card.disclosed,
        "record_bits": {f.name: f.width for f in card.layout().fields},
        "same_firms": {
            "auc": {"before": round(cost.auc_before, 4), "after": round(cost.auc_after, 4)},
            "ks": {"before": round(cost.ks_before, 4), "after": round(cost.ks_after, 4)},
        },
        "cross_validated": cross_validated(catalogue, bins, bad),
        "policy": {"passed": policy.passed, "failures": [i.text.en for i in policy.failures]},
    }
    return public, card, report


def prepare(data: Path, out: Path) -> Any:
    """Write everything to `out` and return the report."""
    write_files(data, out)
    catalogue = Catalogue.from_json((EXAMPLES / "catalogue.json").read_bytes())
    now = loaded(out, catalogue)
    with tempfile.TemporaryDirectory() as folder:
        write_files(data, Path(folder), MONTH_BEFORE)
        before = loaded(Path(folder), catalogue, MONTH_BEFORE.as_of)
    public, card, report = develop(catalogue, now, before, defaulted(out))
    texts = {
        "catalogue.json": public.to_json(),
        "scorecard.json": card.to_json(),
        "report.json": json.dumps(report, indent=2, ensure_ascii=False),
    }
    for name, text in texts.items():
        (out / name).write_text(text + "\n", encoding="utf-8")
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; 1 where the scorecard does not pass policy."""
    parser = argparse.ArgumentParser(description="Prepare a trial on real invoices.")
    parser.add_argument("data", type=Path, help="folder with the published files")
    parser.add_argument("out", type=Path, help="folder to write")
    options = parser.parse_args(arguments)
    report = prepare(options.data, options.out)
    sys.stdout.write(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return 0 if report["policy"]["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
