"""Develops the sample scorecard: `python -m node.sample.develop --out node/sample/data`.

A script for model developers (extra `models`), in a process of its own; nodes never import
it. It generates a sample of two months, ingests it as holders would, fits on 70 % of the firms,
rounds to certification policy, checks all of policy, and writes

* `catalogue-sample-1.json`: the catalogue with the holders' statistics, made with differential
  privacy as each holder makes its own;
* `scorecard-sample-1.json`: the scorecard;
* `scorecard-sample-1.report.json`: AUC and KS before and after rounding, on both parts.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from federation.identity import SpiffeId
from federation.policy import PolicyReport, PolicyThresholds, certify_policy
from federation.statistics import HolderStatistics, next_catalogue
from node.files import replacing
from node.holder.ingest import align, ingest
from node.holder.mapping import load_mapping
from node.holder.statistics.mechanism import Budget
from node.holder.statistics.release import Month, release
from node.sample.evidence import Bad
from node.sample.fitting import Candidate, Model, fit, rounded_scorecard
from node.sample.generate import TODAY, generate
from scoring.catalogue import Catalogue
from scoring.documents import Text
from scoring.quality import rounding_cost
from scoring.rounding import RoundedPoints
from scoring.scorecard import Participant, Scorecard, ScoreField

Bins = Mapping[str, NDArray[np.uint16]]

CHAIN: Final = "csj"
TRUST_DOMAIN: Final = "csj.yinxin.example"
VERSION: Final = "sample-1"
ENTERPRISES: Final = 20_000
SEED: Final = 20260630
BUDGET: Final = Budget(epsilon=1.0, delta=1e-6)
"""What each holder's statistics spend."""
_TRAINED: Final = 0.7
_GREATEST_SHARE: Final = 0.45
"""Of a field's spread, for one feature: a field in which no feature is large hides each."""

FIELD_OF: Final[Mapping[str, str]] = {
    "registry": "compliance",
    "tax": "compliance",
    "courts": "compliance",
    "invoice": "trade",
    "social_insurance": "staff",
    "housing_fund": "staff",
    "electricity": "energy",
    "water": "energy",
}
FIELDS: Final = (
    ScoreField(name="compliance", title=Text(zh="合规纳税", en="Compliance"), reason="R02", step=1),
    ScoreField(name="trade", title=Text(zh="经营开票", en="Trade"), reason="R04", step=1),
    ScoreField(name="staff", title=Text(zh="用工稳定", en="Staff"), reason="R06", step=1),
    ScoreField(name="energy", title=Text(zh="用能缴费", en="Energy"), reason="R03", step=1),
)


def holder_id(kind: str) -> str:
    """Return the SPIFFE id of the sample's holder of a kind."""
    return f"spiffe://{TRUST_DOMAIN}/holder/{kind.replace('_', '-')}"


def loaded(folder: Path, catalogue: Catalogue, as_of: date | None = None) -> dict[str, Month]:
    """Return by kind what each holder of a sample folder knows of the firms.

    `as_of` takes the place of the day that the mapping files name.
    """
    roster = pl.read_csv(folder / "enterprises.csv")["uscc"].to_list()
    months = {}
    for path in sorted((folder / "mappings").glob("*.toml")):
        mapping = load_mapping(path, catalogue, as_of=as_of)
        table, _ = ingest(mapping, catalogue, folder / f"{mapping.kind}.rejected.csv")
        months[mapping.kind] = Month(*align(roster, table, catalogue))
    return months


def defaulted(folder: Path) -> Bad:
    """Return who of a sample's firms defaulted."""
    return np.asarray(pl.read_csv(folder / "enterprises.csv")["default"].to_numpy() == 1)


def published(
    catalogue: Catalogue, now: Mapping[str, Month], before: Mapping[str, Month], budget: Budget
) -> Catalogue:
    """Return the catalogue, as version `sample-1`, with the statistics that the holders publish.

    Each holder spends the budget once, by the code that its own command runs. The noise is not
    repeatable, so neither is the result.
    """
    statistics = []
    for kind, month in now.items():
        features = [(f.name, f.bin_count) for f in catalogue.features_of(kind)]
        made = release(features, month, before[kind], budget)
        statistics.append(
            HolderStatistics(
                chain=CHAIN,
                holder=SpiffeId.parse(holder_id(kind)),
                kind=kind,
                catalogue=catalogue.digest(),
                epoch=2,
                before=1,
                rows=len(month.known),
                known=made.known,
                features=made.features,
                products=made.products,
                budget=made.budget,
                made=int(datetime.combine(TODAY, time(), UTC).timestamp()),
            )
        )
    titled = catalogue.model_copy(update={"name": Text(zh="示例目录", en="Sample catalogue")})
    return next_catalogue(titled, VERSION, statistics)


def candidates(
    catalogue: Catalogue,
    bins: Bins,
    rows: NDArray[np.bool_],
    field_of: Mapping[str, str] = FIELD_OF,
) -> list[Candidate]:
    """Return every feature of the holders in `bins`, with the bins of the chosen firms."""
    return [
        Candidate(holder_id(kind), feature, field_of[kind], row[rows])
        for kind, table in bins.items()
        for feature, row in zip(catalogue.features_of(kind), table, strict=True)
    ]


def told_too_much(card: Scorecard, policy: PolicyReport) -> set[str]:
    """Return the features, `kind.name`, of which records tell more than rule d allows.

    Most are near copies of others at their holder, such as months late and days late: who knows
    one knows the other. The next fit does without them.
    """
    names = {
        f"{entry.holder} {entry.feature}": f"{card.kind_of(entry.holder)}.{entry.feature}"
        for entry in card.points
    }
    return {
        names[item.feature]
        for item in policy.failures
        if item.rule == "d" and item.feature in names
    }


def quality(model: Model, rounded: RoundedPoints, firms: list[Candidate], bad: Bad) -> Any:
    """Return AUC and KS before and after rounding, as plain data."""
    bins = {(c.holder, c.feature.name): c.bins for c in firms}
    cost = rounding_cost(model.features, rounded, bins, bad)
    return {
        "firms": len(bad),
        "defaults": int(bad.sum()),
        "auc": {"before": round(cost.auc_before, 4), "after": round(cost.auc_after, 4)},
        "ks": {"before": round(cost.ks_before, 4), "after": round(cost.ks_after, 4)},
    }


def develop(
    catalogue: Catalogue, now: Mapping[str, Month], before: Mapping[str, Month], bad: Bad
) -> tuple[Catalogue, Scorecard, Any]:
    """Return published catalogue, scorecard and report for firms of known outcome."""
    public = published(catalogue, now, before, BUDGET)
    bins = {kind: month.bins for kind, month in now.items()}
    training = np.random.default_rng(SEED).random(len(bad)) < _TRAINED
    kinds = [kind for kind in catalogue.kinds if kind in bins]
    left_out: set[str] = set()
    while True:
        used = [c for c in candidates(public, bins, training) if c.feature.id not in left_out]
        model = fit(used, bad[training], greatest_share=_GREATEST_SHARE)
        card, rounded = rounded_scorecard(
            model,
            name="sample",
            version="1",
            catalogue_version=VERSION,
            participants=[Participant(holder=holder_id(kind), kind=kind) for kind in kinds],
            fields=FIELDS,
        )
        policy = certify_policy(card, public, PolicyThresholds())
        told = told_too_much(card, policy)
        if not told:
            break
        left_out |= told
    report = {
        "scorecard": f"{card.name} {card.version}",
        "catalogue": VERSION,
        "statistics": {"epsilon_a_holder": BUDGET.epsilon, "delta": BUDGET.delta},
        "sample": {"enterprises": len(bad), "seed": SEED},
        "features": len(card.points),
        "left_out": sorted(left_out),
        "fields": {f.name: sum(e.field == f.name for e in card.points) for f in card.fields},
        "record_bits": {f.name: f.width for f in card.layout().fields},
        "training": quality(model, rounded, candidates(catalogue, bins, training), bad[training]),
        "holdout": quality(model, rounded, candidates(catalogue, bins, ~training), bad[~training]),
        "policy": {
            "passed": policy.passed,
            "failures": [item.text.en for item in policy.failures],
        },
    }
    return public, card, report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; 1 where the scorecard does not pass policy."""
    parser = argparse.ArgumentParser(description="Develop the sample scorecard.")
    parser.add_argument("--catalogue", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--enterprises", type=int, default=ENTERPRISES)
    options = parser.parse_args(arguments)
    catalogue = Catalogue.from_json(options.catalogue.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        months = []
        for name, earlier in (("now", False), ("before", True)):
            generate(options.enterprises, SEED, Path(folder) / name, month_before=earlier)
            months.append(loaded(Path(folder) / name, catalogue))
        bad = defaulted(Path(folder) / "now")
    public, card, report = develop(catalogue, months[0], months[1], bad)
    options.out.mkdir(parents=True, exist_ok=True)
    files = {
        "catalogue-sample-1.json": public.to_json(),
        "scorecard-sample-1.json": card.to_json(),
        "scorecard-sample-1.report.json": json.dumps(report, indent=2, ensure_ascii=False),
    }
    for name, text in files.items():
        with replacing(options.out / name) as path:
            path.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(files["scorecard-sample-1.report.json"] + "\n")
    return 0 if report["policy"]["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
