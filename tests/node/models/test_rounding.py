"""`yinxin model round` and `compare`: what they write, what they say, what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from federation.policy import PolicyThresholds, certify_policy
from node.cli.model_round import app
from node.models.population import draw
from node.models.samples import SampleFileError, read_sample, write_bins
from scoring.scorecard import Scorecard
from scoring.scored import score_bins
from scoring.stability import Distribution
from tests.node.models.desk import HOLDERS, PARTICIPANTS, card, catalogue, sample

pytest.importorskip("scipy", reason="extra `models` is not installed")


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with card, sample, and the rounded scorecards with the sample and without."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "catalogue.json").write_text(catalogue().to_json())
    (folder / "card.json").write_text(card().to_json())
    firms = sample()
    write_bins(folder / "sample.parquet", firms.bins, firms.bad)
    arguments = ["round", folder / "card.json", "--catalogue", folder / "catalogue.json"]
    given = ["--sample", folder / "sample.parquet", "--distribution", folder / "dist.json"]
    with_sample = run(*arguments, *given, "--out", folder / "a.json", "--json")
    (folder / "a.said.json").write_text(with_sample.stdout)
    run(*arguments, "--out", folder / "b.json", "--json")
    return folder


def said(desk: Path) -> Any:
    return json.loads((desk / "a.said.json").read_text())


def test_a_card_becomes_a_scorecard_that_policy_allows(desk: Path) -> None:
    for name in ("a.json", "b.json"):
        scorecard = Scorecard.from_json((desk / name).read_bytes())
        assert certify_policy(scorecard, catalogue(), PolicyThresholds()).passed
    assert (desk / "a.json").stat().st_mode & 0o777 == 0o600
    found = said(desk)
    assert found["policy"]["passed"] and not found["policy"]["failures"]


def test_the_figures_are_those_of_the_scorecard(desk: Path) -> None:
    from scoring.quality import auc

    scorecard, firms = Scorecard.from_json((desk / "a.json").read_bytes()), sample()
    found = said(desk)["quality"]["auc"]
    scores = score_bins(scorecard, firms.bins).scores.astype(float)
    assert found["after"] == pytest.approx(auc(scores, firms.bad), abs=0.003)  # whole scores tie
    assert found["before"] == pytest.approx(auc(card().scores(firms.bins), firms.bad))
    assert found["after"] > found["before"] - 0.02
    shown = {row["feature"] for row in said(desk)["features"]}
    assert shown == {entry.feature for entry in card().features}


def test_the_development_distribution_counts_the_sample(desk: Path) -> None:
    made = Distribution.from_json((desk / "dist.json").read_bytes())
    assert made.model == "desk@1" and made.firms == 3000
    assert len(made.coverage) == len(PARTICIPANTS) + 1


def test_two_scorecards_are_compared_on_the_sample(desk: Path) -> None:
    files = (desk / "a.json", desk / "b.json", "--catalogue", desk / "catalogue.json")
    found = json.loads(run("compare", *files, "--sample", desk / "sample.parquet", "--json").stdout)
    assert found["firms"] == 3000 and found["correlation"] > 0.9
    for swap in found["swaps"]:
        parts = [swap[n]["firms"] for n in ("both", "only_first", "only_second", "neither")]
        assert sum(parts) == 3000
    low, high = found["auc_difference"]["low"], found["auc_difference"]["high"]
    assert low <= found["models"][0]["auc"]["value"] - found["models"][1]["auc"]["value"] <= high
    same = json.loads(run("compare", files[0], *files[:1], *files[2:], "--json").stdout)
    assert same["correlation"] == pytest.approx(1) and same["mean_change"] == 0
    assert "auc_difference" not in same  # drawn firms have no outcomes


def test_both_languages_say_it(desk: Path) -> None:
    files = (desk / "a.json", desk / "b.json", "--catalogue", desk / "catalogue.json")
    assert "仅甲通过" in run("compare", *files, "--lang", "zh").stdout
    assert "Only first" in run("compare", *files, "--lang", "en").stdout


def test_a_refused_card_says_why_and_is_written_all_the_same(desk: Path, tmp_path: Path) -> None:
    thin = card().model_dump(mode="json")
    field = thin["fields"][0]["name"]
    thin["features"] = [e for e in thin["features"] if e["field"] == field][:4]
    thin["fields"] = thin["fields"][:1]
    (tmp_path / "card.json").write_text(json.dumps(thin))
    result = run(
        *("round", tmp_path / "card.json", "--catalogue", desk / "catalogue.json"),
        *("--out", tmp_path / "out.json", "--lang", "en"),
        code=1,
    )
    assert "Policy: refused" in result.stdout and "yinxin model check" in result.stdout
    assert (tmp_path / "out.json").exists()


def test_it_is_judged_with_what_was_certified_before(desk: Path, tmp_path: Path) -> None:
    """A scorecard that was certified before and differs in one feature makes rule c refuse."""
    before = json.loads((desk / "a.json").read_text(encoding="utf-8"))
    changed = next(entry for entry in before["points"] if len(set(entry["points"])) > 2)
    changed["points"] = [max(changed["points"]) - points for points in changed["points"]]
    (tmp_path / "before.json").write_text(json.dumps(before), encoding="utf-8")
    result = run(
        *("round", desk / "card.json", "--catalogue", desk / "catalogue.json"),
        *("--sample", desk / "sample.parquet", "--out", tmp_path / "out.json"),
        *("--past", tmp_path / "before.json", "--json"),
        code=1,
    )
    failures = json.loads(result.stdout)["policy"]["failures"]
    assert any(changed["feature"] in str(failure) for failure in failures)


def test_drawn_firms_have_the_published_frequencies() -> None:
    bins = draw(catalogue(), PARTICIPANTS, 40_000)
    for participant in PARTICIPANTS:
        for feature in catalogue().features_of(participant.kind):
            shares = np.bincount(
                bins[participant.holder, feature.name], minlength=feature.bin_count
            )
            assert np.abs(shares / 40_000 - np.array(feature.frequencies)).max() < 0.01, feature.id


def test_labels_and_indices_read_alike(tmp_path: Path) -> None:
    firms = sample(50)
    write_bins(tmp_path / "i.csv", firms.bins, firms.bad)
    columns: dict[str, Any] = {"bad": ["true" if b else "false" for b in firms.bad]}
    for (holder, name), column in firms.bins.items():
        kind = next(p.kind for p in PARTICIPANTS if p.holder == holder)
        labels = catalogue().feature(kind, name).bin_labels
        cells = ["" if labels[b] == "missing" else labels[b] for b in column]
        columns[f"{holder.removeprefix(HOLDERS + '/')}/{name}"] = cells
    pl.DataFrame(columns).write_csv(tmp_path / "l.csv")
    a, b = (read_sample(tmp_path / n, catalogue(), PARTICIPANTS) for n in ("i.csv", "l.csv"))
    assert (a.bad == b.bad).all() and a.bins.keys() == b.bins.keys()
    assert all((a.bins[key] == b.bins[key]).all() for key in a.bins)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tax/f0,bad\n1,0\nZ,1\n", "row 2, tax/f0: 'Z' is no bin"),
        ("tax/f0,bad\n1,2\n", "row 1, bad: 2; give 0 or 1"),
        ("tax/f0\n1\n", "no column 'bad'"),
        ("a,bad\n1,0\n", "no column is HOLDER/FEATURE"),
    ],
)
def test_a_sample_that_is_none_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(SampleFileError, match=problem):
        read_sample(tmp_path / "s.csv", catalogue(), PARTICIPANTS)
