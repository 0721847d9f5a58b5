from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from node.holder.mapping import MappingError, load_mapping
from node.holder.units import Categories, MonthsSince, WanYuan
from scoring.catalogue import Catalogue

ROOT = Path(__file__).parents[3]

GOOD = """\
format = "yinxin-mapping/1"
kind = "tax"
as_of = 2026-05-31
key = "码"

[source]
type = "csv"
path = "tax.csv"

[features.tax_paid_12m]
column = "税额(万元)"
convert = "wan_yuan"
missing = ["—"]
range = [0, 1e9]

[features.credit_grade]
column = "级别"
convert = { type = "categories", values = { "A级" = "A" }, rest = "other" }
"""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.from_json((ROOT / "scoring/data/catalogue-1.json").read_bytes())


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tax.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_mapping(tmp_path: Path, catalogue: Catalogue) -> None:
    mapping = load_mapping(written(tmp_path, GOOD), catalogue)
    assert mapping.as_of == date(2026, 5, 31)
    assert mapping.columns() == ["码", "税额(万元)", "级别"]
    assert mapping.features["tax_paid_12m"].convert == WanYuan()
    assert mapping.features["tax_paid_12m"].range == (0, 1e9)
    assert mapping.features["credit_grade"].convert == Categories(values={"A级": "A"}, rest="other")
    assert mapping.resolve("x.csv") == tmp_path / "x.csv"


def test_a_caller_may_date_the_data(tmp_path: Path) -> None:
    undated = written(tmp_path, GOOD.replace("as_of = 2026-05-31\n", ""))
    with pytest.raises(MappingError, match="as_of"):
        load_mapping(undated)
    assert load_mapping(undated, as_of=date(2026, 7, 1)).as_of == date(2026, 7, 1)


def test_every_conversion_can_be_written(tmp_path: Path) -> None:
    forms = (
        '"number"',
        '"percent"',
        '{ type = "factor", factor = 0.001 }',
        '{ type = "months_since", date_format = "%Y/%m/%d" }',
        '{ type = "flag", yes = ["是"], no = ["否"] }',
    )
    for form in forms:
        load_mapping(written(tmp_path, GOOD.replace('"wan_yuan"', form)))
    plain = load_mapping(written(tmp_path, GOOD.replace('"wan_yuan"', '"months_since"')))
    assert plain.features["tax_paid_12m"].convert == MonthsSince(date_format="%Y-%m-%d")


FAULTS = {
    "another format": ('"yinxin-mapping/1"', '"yinxin-mapping/9"', "format"),
    "no key": ('key = "码"\n', "", "key"),
    "unknown key": ('key = "码"', 'key = "码"\nkeys = 1', "keys"),
    "a file key": ('key = "码"', 'key = "码"\nfile = "/etc"', "file"),
    "text for a date": ("2026-05-31", '"2026-05-31"', "as_of"),
    "unknown source": ('type = "csv"', 'type = "excel"', "source"),
    "no path": ('path = "tax.csv"\n', "", "source.csv.path"),
    "unknown conversion": ('"wan_yuan"', '"thousands"', "features.tax_paid_12m.convert"),
    "factor 0": ('"wan_yuan"', '{ type = "factor", factor = 0 }', "features.tax_paid_12m.convert"),
    "factor nan": ('"wan_yuan"', '{ type = "factor", factor = nan }', "features.tax_paid_12m"),
    "a text both yes and no": (
        '"wan_yuan"',
        '{ type = "flag", yes = ["1"], no = ["1"] }',
        "features.tax_paid_12m.convert",
    ),
    "range upside down": ("[0, 1e9]", "[1, 0]", "features.tax_paid_12m"),
    "range of one": ("[0, 1e9]", "[1]", "features.tax_paid_12m.range"),
    "share above 1": ("[source]", "[limits]\nrejected_share = 2\n[source]", "limits"),
    "unknown kind": ('kind = "tax"', 'kind = "taxes"', "kind"),
    "unknown feature": ("features.tax_paid_12m", "features.tax_payed", "features.tax_payed"),
    "category to a number": (
        '"wan_yuan"',
        '{ type = "categories", values = { "a" = "A" } }',
        "features.tax_paid_12m.convert",
    ),
    "number to a category": (
        '{ type = "categories", values = { "A级" = "A" }, rest = "other" }',
        '"number"',
        "features.credit_grade.convert",
    ),
    "unknown category": ('"A级" = "A"', '"A级" = "AA"', "features.credit_grade.convert"),
    "unknown rest": ('rest = "other"', 'rest = "E"', "features.credit_grade.convert"),
    "range of a category": ('rest = "other" }', 'rest = "other" }\nrange = [0, 1]', "range"),
    "not TOML": ("[source]", "[source", "(file)"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_name_file_and_key(fault: str, tmp_path: Path, catalogue: Catalogue) -> None:
    before, after, key = FAULTS[fault]
    assert before in GOOD
    path = written(tmp_path, GOOD.replace(before, after))
    with pytest.raises(MappingError) as caught:
        load_mapping(path, catalogue)
    assert str(path) in str(caught.value)
    assert key in caught.value.key
    assert caught.value.remedy


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="check the path"):
        load_mapping(tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    "source",
    [
        'query = "SELECT 1"',
        'url = "sqlite://"\nurl_file = "x"\nquery = "SELECT 1"',
        'url = "sqlite://"\nquery = "DELETE FROM firms"',
        'url = "sqlite://"\nquery = "SELECTED"',
    ],
)
def test_sql_needs_one_url_and_a_select(source: str, tmp_path: Path) -> None:
    text = GOOD.replace('type = "csv"\npath = "tax.csv"', f'type = "sql"\n{source}')
    with pytest.raises(MappingError, match="source"):
        load_mapping(written(tmp_path, text))


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "deploy/examples/mappings").glob("*.toml")),
    ids=lambda path: path.stem,
)
def test_shipped_examples_fit_the_catalogue(path: Path, catalogue: Catalogue) -> None:
    mapping = load_mapping(path, catalogue)
    assert mapping.kind == path.stem
    names = {feature.name for feature in catalogue.features_of(mapping.kind)}
    assert set(mapping.features) == names
