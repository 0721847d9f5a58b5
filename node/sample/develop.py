"""Develops the sample scorecard: `python -m node.sample.develop --out node/sample/data`.

A script for model developers (extra `models`), in a process of its own; nodes never import
it. It generates a sample, ingests it as holders would, fits on 70 % of the firms, rounds to
certification policy, checks policy a and b, and writes

* `catalogue-sample-1.json`: the catalogue with the frequencies and loadings of the sample;
* `scorecard-sample-1.json`: the scorecard;
* `scorecard-sample-1.report.json`: AUC and KS before and after rounding, on both parts.
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
import polars as pl
from numpy.typing import NDArray

from federation.policy import PolicyThresholds, certify_policy
from node.files import replacing
from node.holder.ingest import align, ingest
from node.holder.mapping import load_mapping
from node.sample.evidence import Bad
from node.sample.fitting import Candidate, Model, fit, rounded_scorecard
from node.sample.generate import generate
from scoring.catalogue import Catalogue
from scoring.documents import Text
from scoring.quality import rounding_cost
from scoring.rounding import RoundedPoints
from scoring.scorecard import Participant, Scorecard, ScoreField

Bins = Mapping[str, NDArray[np.uint16]]

TRUST_DOMAIN: Final = "csj.yinxin.example"
VERSION: Final = "sample-1"
ENTERPRISES: Final = 20_000
SEED: Final = 20260630
_TRAINED: Final = 0.7

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


def ingested(folder: Path, catalogue: Catalogue) -> tuple[dict[str, NDArray[np.uint16]], Bad]:
    """Return bins by kind, shape (features, firms), of a sample folder, and who defaulted."""
    listing = pl.read_csv(folder / "enterprises.csv")
    roster = listing["uscc"].to_list()
    bins = {}
    for path in sorted((folder / "mappings").glob("*.toml")):
        mapping = load_mapping(path, catalogue)
        table, _ = ingest(mapping, catalogue, folder / f"{mapping.kind}.rejected.csv")
        bins[mapping.kind], _ = align(roster, table, catalogue)
    return bins, listing["default"].to_numpy() == 1


def counts(catalogue: Catalogue, bins: Bins) -> dict[str, list[float]]:
    """Return how many firms lie in each bin, by feature id, for `Catalogue.with_frequencies`."""
    return {
        feature.id: np.bincount(row, minlength=feature.bin_count).tolist()
        for kind, rows in bins.items()
        for feature, row in zip(catalogue.features_of(kind), rows, strict=True)
    }


def published(catalogue: Catalogue, bins: Bins, model: Model | None = None) -> Catalogue:
    """Return the catalogue, as version `sample-1`, with the frequencies that `bins` have.

    With a model, also with each feature's loading: the correlation of its points with the
    first principal component of all points.
    """
    loadings = _loadings(catalogue, bins, model) if model else {}
    counted = catalogue.with_frequencies(counts(catalogue, bins))
    return Catalogue(
        version=VERSION,
        name=Text(zh="示例目录", en="Sample catalogue"),
        holders=counted.holders,
        features=tuple(
            feature.model_copy(update={"loading": loadings.get(feature.id)})
            for feature in counted.features
        ),
    )


def _loadings(catalogue: Catalogue, bins: Bins, model: Model) -> dict[str, float]:
    kinds = {holder_id(kind): kind for kind in bins}
    names, columns = [], []
    for real in model.features:
        kind = kinds[real.holder]
        index = [f.name for f in catalogue.features_of(kind)].index(real.feature)
        names.append(f"{kind}.{real.feature}")
        columns.append(real.points[bins[kind][index]])
    table = np.stack(columns)
    table = (table - table.mean(axis=1, keepdims=True)) / table.std(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh(table @ table.T / table.shape[1])
    loadings = vectors[:, -1] * np.sqrt(values[-1])
    loadings *= np.sign(loadings.sum())
    return {n: round(float(np.clip(v, -1, 1)), 3) for n, v in zip(names, loadings, strict=True)}


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


def develop(catalogue: Catalogue, bins: Bins, bad: Bad) -> tuple[Catalogue, Scorecard, Any]:
    """Return catalogue with frequencies, scorecard and report for firms of known outcome."""
    training = np.random.default_rng(SEED).random(len(bad)) < _TRAINED
    model = fit(candidates(catalogue, bins, training), bad[training])
    kinds = [kind for kind in catalogue.kinds if kind in bins]
    card, rounded = rounded_scorecard(
        model,
        name="sample",
        version="1",
        catalogue_version=VERSION,
        participants=[Participant(holder=holder_id(kind), kind=kind) for kind in kinds],
        fields=FIELDS,
    )
    public = published(catalogue, bins, model)
    policy = certify_policy(card, public, PolicyThresholds())
    report = {
        "scorecard": f"{card.name} {card.version}",
        "catalogue": VERSION,
        "sample": {"enterprises": len(bad), "seed": SEED},
        "features": len(card.points),
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
        generate(options.enterprises, SEED, Path(folder))
        bins, bad = ingested(Path(folder), catalogue)
    public, card, report = develop(catalogue, bins, bad)
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
