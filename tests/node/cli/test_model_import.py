"""`yinxin model map`, `import` and `export`: a tool's file in, other programs' files out."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from node.cli.model_import import app
from node.models.maps import MappingFileError, read_mapping
from node.sample import shipped
from scoring.cards.real import RealCard

CARD = """characteristic,attribute,points,reason,baseline
(initial),,300,,
taxable_sales_12m,"[-inf, 100)",12,R02,40
taxable_sales_12m,"[100, 700)",25,R02,40
taxable_sales_12m,"[700, inf)",40,R02,40
近12个月滞纳金次数,"[-inf, 0.5)",30,R02,40
近12个月滞纳金次数,"[0.5, inf)",9,R02,40
近12个月滞纳金次数,missing,15,R02,40
arrears,else | missing,3,R02,40
"""
RUNNER = CliRunner()
COMMON = ["--from", "csv", "--catalogue", str(shipped.CATALOGUE)]


def run(*arguments: str) -> tuple[int, str]:
    found = RUNNER.invoke(app, list(arguments))
    return found.exit_code, found.output


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "card.csv"
    path.write_text(CARD, encoding="utf-8")
    return path


def drafted(card: Path) -> str:
    out = card.with_name("map.toml")
    code, output = run("map", str(card), *COMMON, "--out", str(out), "--json")
    assert code == 0, output
    found = json.loads(output)
    assert found["matched"] == ["taxable_sales_12m"]
    assert found["to_decide"] == ["近12个月滞纳金次数", "arrears"]
    return out.read_text()


def decided(draft: str) -> str:
    """What a user does with the draft."""
    tax = "spiffe://csj.yinxin.example/holder/tax"
    text = draft.replace("factor = 1.0  # TODO: the catalogue counts in yuan", "factor = 10000")
    assert "several have the name: tax.arrears, water.arrears, gas.arrears" in draft
    text = text.replace('feature = "todo_2"', 'feature = "late_fees_24m"\nwhole = true')
    text = text.replace('"spiffe://chain.example/holder/unknown"', f'"{tax}"', 1)
    text = text.replace('field = "todo"', 'field = "tax"', 1)
    text = text[: text.rindex("[[characteristics]]")]
    for kind in ("water", "courts"):
        holder = f"spiffe://csj.yinxin.example/holder/{kind}"
        text += f'[[participants]]\nholder = "{holder}"\nkind = "{kind}"\n'
    return text + "[dropped]\narrears = 3\n"


def test_draft_decide_import(card: Path, tmp_path: Path) -> None:
    draft = drafted(card)
    tomllib.loads(draft)
    # The card has no points for missing values: the draft says so, with its lowest.
    assert "missing_points = 12.0  # TODO" in draft
    path, out, sample = tmp_path / "map.toml", tmp_path / "real.json", tmp_path / "s.csv"
    arguments = ["import", str(card), *COMMON, "--map", str(path), "--out", str(out)]
    code, output = run(*arguments)
    assert code == 1
    assert "近12个月滞纳金次数, arrears: marked TODO still" in output
    path.write_text(decided(draft), encoding="utf-8")
    sample.write_text(
        "taxable_sales_12m,近12个月滞纳金次数,arrears,bad\n650,0,,0\n90,1,,1\n120,,4,0\n"
    )
    path.write_text(path.read_text().replace("missing_points = 12.0", "missing_points = 11"))
    bins = tmp_path / "bins.csv"
    code, output = run(*arguments, "--bins", str(bins))
    assert (code, "give --sample" in output) == (2, True)
    code, output = run(*arguments, "--sample", str(sample), "--bins", str(bins), "--json")
    assert code == 0, output
    report = json.loads(output)
    firms = bins.read_text().splitlines()
    assert firms[0].endswith(
        "/tax/taxable_sales_12m,spiffe://csj.yinxin.example/holder/tax/late_fees_24m,bad"
    )
    assert [row.split(",")[0] for row in firms[1:]] == ["6", "3", "4"]
    assert [finding["kind"] for finding in report["findings"]] == ["dropped", "shifted"]
    assert report["sample"]["firms"] == 3
    assert report["sample"]["auc_before"] == 1.0
    made = RealCard.from_json(out.read_bytes())
    sales, late = made.features
    assert sales.points[0] == 11
    assert (late.points[0], late.points[1]) == (15, 30)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    code, output = run("edges", *COMMON[2:], "--map", str(path), "--json")
    assert code == 0
    assert json.loads(output)["taxable_sales_12m"][:3] == [50, 100, 200]
    for lang, wanted in (("zh", "约"), ("en", "features taken")):
        code, output = run(*arguments, "--lang", lang)
        assert code == 0
        assert wanted in output


def test_a_draft_knows_chinese_names_and_units(tmp_path: Path) -> None:
    path = tmp_path / "card.csv"
    names = ("近12月应税销售额(万元)", "用电量同比（%）", "税务评级")
    rows = [f'{name},"[-inf, 1) | missing",3,,\n{name},"[1, inf)",5,,\n' for name in names]
    path.write_text("characteristic,attribute,points,reason,baseline\n" + "".join(rows))
    out = tmp_path / "map.toml"
    code, output = run("map", str(path), *COMMON, "--out", str(out), "--json")
    assert code == 0, output
    assert json.loads(output)["to_decide"] == ["税务评级"]
    sales, growth, grade = tomllib.loads(out.read_text())["characteristics"]
    assert (sales["feature"], sales["factor"]) == ("taxable_sales_12m", 10_000)
    assert (growth["feature"], growth["factor"]) == ("consumption_growth", 0.01)
    assert grade["feature"] == "todo_3"
    assert "# spiffe://csj.yinxin.example/holder/water (water)" in out.read_text()


def test_export(tmp_path: Path) -> None:
    for to, wanted in (("pmml", "<Scorecard"), ("sql", 'FROM "firms" AS s')):
        out = tmp_path / f"card.{to}"
        common = ["--catalogue", str(shipped.CATALOGUE), "--to", to, "--out", str(out), "--json"]
        code, output = run("export", str(shipped.SCORECARD), *common, "--values", "bins")
        assert code == 0, output
        assert "tax.taxable_sales_12m" in json.loads(output)["columns"]
        assert wanted in out.read_text()
        assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_mapping_files_that_are_none(tmp_path: Path) -> None:
    for name, text in (("m.toml", "= 3"), ("m.json", "{"), ("n.toml", "\udcff")):
        path = tmp_path / name
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(MappingFileError, match="correct the file, or draft a new one"):
            read_mapping(path)
