"""`yinxin model check`: the verdict, its exit code, its files, and clear errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from federation.identity import SpiffeId
from node.cli.model import app
from scoring.scorecard import Scorecard
from support.small import KINDS, small_catalogue, small_scorecard

HOLDERS = [(SpiffeId.parse(f"spiffe://csj.yinxin.example/holder/{kind}"), kind) for kind in KINDS]
CARD = small_scorecard("alpha", HOLDERS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "catalogue.json").write_text(small_catalogue().to_json())
    (tmp_path / "card.json").write_text(CARD.to_json())
    # A feature turned round: all else is what was certified.
    turned = CARD.points[2].model_copy(update={"points": CARD.points[2].points[::-1]})
    points = (*CARD.points[:2], turned, *CARD.points[3:])
    near = Scorecard.build({**dict(CARD), "points": points, "version": "2"})
    (tmp_path / "near.json").write_text(near.to_json())
    return tmp_path


def check(folder: Path, card: str, *more: str, code: int = 0) -> Result:
    arguments = ["check", str(folder / card), "--catalogue", str(folder / "catalogue.json"), *more]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result


def checked(folder: Path, card: str, *more: str, code: int = 0) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(check(folder, card, "--json", *more, code=code).stdout)
    return data


def test_a_good_scorecard_passes(folder: Path) -> None:
    found = checked(folder, "card.json")
    assert found["passed"] is True and found["failures"] == []
    assert set(found["rules"]) == {"a", "b", "c", "d"}
    assert all(rule["figures"] > 0 and rule["failed"] == 0 for rule in found["rules"].values())


def test_a_refused_one_is_told_with_its_remedy_and_files(folder: Path) -> None:
    page, pdf, out = (str(folder / name) for name in ("p.html", "p.pdf", "out.json"))
    earlier = ("--past", str(folder / "card.json"))
    files = ("--html", page, "--pdf", pdf, "--out", out)
    found = checked(folder, "near.json", *earlier, *files, code=1)
    assert found["passed"] is False and found["earlier"] == 1
    assert [item["rule"] for item in found["failures"]] == ["c"]
    assert found["failures"][0]["about"] == [f"{HOLDERS[0][0]} f2"]
    assert found["remedies"][0]["passes"] is True
    assert "alpha@1" in found["remedies"][0]["changes"][0]["zh"]
    assert found["files"] == [page, pdf, out]
    assert b"<svg" in Path(page).read_bytes() and Path(pdf).read_bytes().startswith(b"%PDF-")
    assert Path(page).stat().st_mode & 0o077 == 0, "the report quotes the scorecard"
    assert checked(folder, "out.json", *earlier)["passed"] is True


def test_people_see_the_failures_in_their_language(folder: Path) -> None:
    more = ("--earlier", str(folder / "card.json"), "--judgements", "0")
    zh = check(folder, "near.json", *more, "--lang", "zh", code=1).stdout
    en = check(folder, "near.json", *more, "--lang", "en", code=1).stdout
    assert "不符合认证规则" in zh and "甲 · tax" in zh
    assert "does not meet the policy" in en and "What would make it pass" not in en


def test_a_regulators_thresholds_are_taken(folder: Path) -> None:
    path = folder / "policy.toml"
    path.write_text("[policy]\njump_support = 9\n")
    found = checked(folder, "card.json", "--thresholds", str(path), "--judgements", "0", code=1)
    assert {item["limit"] for item in found["failures"]} == {9}


@pytest.mark.parametrize(
    ("text", "named"),
    [("jump_support = 1", "jump_support"), ("jumps = 3", "jumps"), ("not toml", "TOML")],
)
def test_thresholds_that_are_none_are_refused(folder: Path, text: str, named: str) -> None:
    path = folder / "policy.toml"
    path.write_text(text)
    result = check(folder, "card.json", "--thresholds", str(path), code=1)
    assert named in result.stderr and len(result.stderr.splitlines()) == 1


def test_a_catalogue_of_another_version_is_named(folder: Path) -> None:
    other = CARD.model_copy(update={"catalogue_version": "old-7"})
    (folder / "old.json").write_text(other.to_json())
    wrong = check(folder, "old.json", code=1)
    assert "old-7" in wrong.stderr and "small-1" in wrong.stderr
    earlier = check(folder, "card.json", "--earlier", str(folder / "old.json"), code=1)
    assert "old-7" in earlier.stderr
    alone = CliRunner().invoke(app, ["check", str(folder / "card.json")])
    assert alone.exit_code == 2 and "--catalogue" in alone.stderr
