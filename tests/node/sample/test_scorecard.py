"""The shipped scorecard: it is what the script writes, and what a regulator would certify."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from federation.policy import PolicyThresholds, certify_policy
from node.demo.independent import reference_records
from node.demo.layout import KINDS, plan
from node.sample import CATALOGUE, REPORT, SCORECARD, generate
from scoring.catalogue import Catalogue
from scoring.quality import auc
from scoring.scorecard import Scorecard

ROOT = Path(__file__).parents[3]
FEWER = 8000
"""Firms that are enough to see the script work; the shipped files are of 20,000."""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.from_json(CATALOGUE.read_bytes())


@pytest.fixture(scope="module")
def scorecard() -> Scorecard:
    return Scorecard.from_json(SCORECARD.read_bytes())


def test_it_passes_policy(catalogue: Catalogue, scorecard: Scorecard) -> None:
    report = certify_policy(scorecard, catalogue, PolicyThresholds())
    assert [item.text.en for item in report.failures] == []


def test_its_catalogue_is_the_starting_one_with_statistics(catalogue: Catalogue) -> None:
    base = Catalogue.from_json((ROOT / "scoring/data/catalogue-1.json").read_bytes())
    assert catalogue.version == "sample-1"
    bare = {"frequencies": None, "loading": None, "transitions": None}
    assert [f.model_copy(update=bare) for f in catalogue.features] == [
        f.model_copy(update=bare) for f in base.features
    ]
    assert catalogue.holders == base.holders
    layout = plan(Path(), list(KINDS))
    holders = {str(party.id): kind for kind, party in layout.holders.items()}
    assert {one.holder: one.kind for one in catalogue.recognition or ()} == holders
    for feature in catalogue.features:
        given = feature.kind in KINDS
        assert (feature.transitions is not None) is (feature.loading is not None) is given


def test_it_fits_a_record_and_the_flooding_bound(
    catalogue: Catalogue, scorecard: Scorecard
) -> None:
    layout = scorecard.layout()
    assert layout.coverage.offset + layout.coverage.width <= 40
    columns = [sum(catalogue.bins_per_feature(p.kind)) for p in scorecard.participants]
    assert max(columns) <= 500


def test_its_report_says_what_rounding_costs() -> None:
    report = json.loads(REPORT.read_text())
    assert report["policy"] == {"passed": True, "failures": []}
    for part in ("training", "holdout"):
        for figure in ("auc", "ks"):
            assert abs(report[part][figure]["after"] - report[part][figure]["before"]) < 0.02
        assert 0.75 < report[part]["auc"]["after"] < 0.85


def test_it_separates_another_sample(tmp_path: Path, scorecard: Scorecard) -> None:
    generate(4000, 77, tmp_path)
    words = reference_records(tmp_path, CATALOGUE, SCORECARD)
    layout = scorecard.layout()
    scores = np.zeros(len(words))
    for field, place in zip(scorecard.fields, layout.fields, strict=True):
        values = [(word & place.mask) >> place.offset for word in words.values()]
        scores += field.step * np.array(values)
    bad = pl.read_csv(tmp_path / "enterprises.csv")["default"].to_numpy() == 1
    assert auc(scores, bad) > 0.73
    score = scorecard.scale.offset + scores
    # Nine good firms to one bad are 46 points below the 600 of twenty to one.
    assert 300 < score.min() < 480 < 540 < score.mean() < 620 < 680 < score.max() < 850


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_script_writes_one_that_passes_again(
    tmp_path: Path, catalogue: Catalogue, long_form: bool
) -> None:
    """The noise is new each time: figures are near, points may differ, policy is met."""
    pytest.importorskip("optbinning", reason="extra `models` is not installed")
    command = [sys.executable, "-m", "node.sample.develop", "--out", str(tmp_path)]
    command += ["--catalogue", str(ROOT / "scoring/data/catalogue-1.json")]
    command += [] if long_form else ["--enterprises", str(FEWER)]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, timeout=280).returncode == 0
    names = sorted(path.name for path in CATALOGUE.parent.glob("*.json"))
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    again = json.loads((tmp_path / "scorecard-sample-1.report.json").read_text())
    before = json.loads(REPORT.read_text())
    assert again["holdout"]["auc"]["after"] == pytest.approx(
        before["holdout"]["auc"]["after"], abs=0.01 if long_form else 0.02
    )
    made = Catalogue.from_json((tmp_path / "catalogue-sample-1.json").read_bytes())
    assert made != catalogue
    for one, other in zip(made.features, catalogue.features, strict=True):
        if one.frequencies is not None:
            assert one.frequencies == pytest.approx(
                other.frequencies, abs=0.01 if long_form else 0.04
            )
