"""`yinxin model develop build` from a file of counts: what it writes, shows and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from node.cli.model_develop import app
from scoring.cards.real import RealCard
from tests.support.modelled_firms import HOLDERS, catalogue, counts, firms

TEXT = {"zh": "无", "en": "none"}
FIELD = {"name": "all", "title": TEXT, "reason": "R02", "kinds": list(HOLDERS)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("build")
    bins, bad = firms(10_000, 1)
    (made / "counts.json").write_text(counts(catalogue(), bins, bad, sigma=15.0).to_json())
    (made / "catalogue.json").write_text(catalogue().to_json())
    (made / "plan.json").write_text(json.dumps({"fields": [FIELD]}))
    return made


def build(folder: Path, *more: str) -> Result:
    files = [f"--{part}={folder / part}.json" for part in ("counts", "catalogue", "plan")]
    return CliRunner().invoke(
        app, ["develop", "build", f"--out={folder / 'card.json'}", *files, *more]
    )


def test_the_card_is_written_and_the_evidence_told(folder: Path) -> None:
    result = build(folder, "--json")
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    card = RealCard.from_json((folder / "card.json").read_bytes())
    assert told["used"] == len(card.features) == sum(f["used"] for f in told["features"])
    assert told["epsilon"] == 3.0
    assert len(told["features"]) == 18
    assert all(len(feature["bins"]) == 7 for feature in told["features"])
    assert all(feature["iv_deviation"] > 0 for feature in told["features"])
    assert {unknown["holder"] for unknown in told["unknown"]} == set(HOLDERS.values())


@pytest.mark.parametrize(("lang", "words"), [("zh", "信息值"), ("en", "features used")])
def test_people_see_tables_in_their_language(folder: Path, lang: str, words: str) -> None:
    short = build(folder, "--lang", lang)
    assert short.exit_code == 0, short.output
    assert words in short.stdout
    long = build(folder, "--lang", lang, "--bins").stdout
    assert long.count("missing") == 18
    assert "missing" not in short.stdout


def test_what_is_missing_or_wrong_is_named(folder: Path) -> None:
    runner = CliRunner()
    out = f"--out={folder / 'none.json'}"
    assert runner.invoke(app, ["develop", "build", out]).exit_code == 2
    half = runner.invoke(app, ["develop", "build", out, f"--counts={folder / 'counts.json'}"])
    assert half.exit_code == 2
    (folder / "other").mkdir()
    for part in ("counts", "plan"):
        (folder / "other" / f"{part}.json").write_bytes((folder / f"{part}.json").read_bytes())
    (folder / "other" / "catalogue.json").write_text(catalogue(loading=0.5).to_json())
    wrong = build(folder / "other")
    assert wrong.exit_code == 1
    assert "catalogue" in wrong.stderr
    assert not (folder / "none.json").exists()
