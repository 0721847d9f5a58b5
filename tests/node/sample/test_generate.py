from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from federation.errors import DocumentError
from federation.uscc import Uscc
from node.holder.ingest import FeatureTable, align, ingest
from node.holder.mapping import load_mapping
from node.sample import Region, SampleError, codes, generate
from node.sample.population import population
from node.sample.presentation import TABLES
from scoring.catalogue import Catalogue

FIRMS = 4000
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.from_json((ROOT / "scoring/data/catalogue-1.json").read_bytes())


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("sample")
    generate(FIRMS, 5, folder)
    yield folder


@pytest.fixture(scope="module")
def tables(sample: Path, catalogue: Catalogue) -> dict[str, FeatureTable]:
    return {
        table.kind: ingest(
            load_mapping(sample / "mappings" / f"{table.kind}.toml", catalogue),
            catalogue,
            sample / "rejected.csv",
        )[0]
        for table in TABLES
    }


def contents(folder: Path) -> dict[str, str]:
    """Hashes of the files; a SQLite file's bytes hold counters, so its rows stand for it."""
    hashes = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".db":
            rows = _sqlite_rows(path)
            hashes[path.name] = hashlib.sha256(repr(rows).encode()).hexdigest()
        elif path.is_file():
            hashes[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return hashes


def _sqlite_rows(path: Path) -> list[tuple[object, ...]]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as connection:
        return [
            row
            for table in ("insured_unit", "insured_month")
            for row in connection.execute(f"SELECT * FROM {table}")  # noqa: S608
        ]


def test_same_arguments_give_the_same_files(tmp_path: Path) -> None:
    for name, firms, seed in (("a", 300, 1), ("b", 300, 1), ("c", 300, 2), ("d", 301, 1)):
        generate(firms, seed, tmp_path / name)
    first = contents(tmp_path / "a")
    assert first == contents(tmp_path / "b")
    assert first["tax.csv"] != contents(tmp_path / "c")["tax.csv"]
    assert first["tax.csv"] != contents(tmp_path / "d")["tax.csv"]


def test_a_second_sample_replaces_the_first(tmp_path: Path) -> None:
    generate(250, 1, tmp_path)
    generate(200, 2, tmp_path)
    assert json.loads((tmp_path / "sample.json").read_text())["enterprises"] == 200
    assert pl.read_csv(tmp_path / "enterprises.csv").height == 200
    assert not list(tmp_path.rglob("*.part"))


def test_regions_have_firms_in_common_and_see_them_with_their_own_eyes(tmp_path: Path) -> None:
    """A firm of two regions has one code and one name, and each region's holders their own rows."""
    rows = {"east": np.arange(0, 80), "south": np.arange(60, 120)}
    listed, taxed = {}, {}
    for seed, (name, chosen) in enumerate(rows.items(), 1):
        generate(120, 7, tmp_path / name, region=Region(chosen, seed))
        listed[name] = pl.read_csv(tmp_path / name / "enterprises.csv")
        taxed[name] = pl.read_csv(tmp_path / name / "tax.csv")
    assert [table.height for table in listed.values()] == [80, 60]
    assert listed["east"][60:].equals(listed["south"][:20])
    assert set(listed["east"]["uscc"]) & set(listed["south"]["uscc"]) == set(
        listed["south"]["uscc"][:20]
    )
    both = taxed["east"].join(taxed["south"], on="纳税人识别号", how="inner")
    assert 0 < both.height <= 20
    assert (both["近12月应税销售额(万元)"] != both["近12月应税销售额(万元)_right"]).any()


def test_codes_are_valid_and_of_no_real_region(sample: Path) -> None:
    listed = pl.read_csv(sample / "enterprises.csv")["uscc"].to_list()
    assert len(set(listed)) == FIRMS
    for code in listed:
        assert Uscc.parse(code) == code
        assert code[2:8] == "999999"


def test_code_checks_agree_with_the_code_module() -> None:
    for code in codes.codes(500, 9):
        with pytest.raises(DocumentError):
            Uscc.parse(codes.corrupted(code))
        # The ninth character of the organisation code, computed for the same body elsewhere.
        body = code[8:16]
        serial = sum(codes.ALPHABET.index(c) * 31**i for i, c in enumerate(reversed(body)))
        assert Uscc.generate(serial) == code


def test_default_rate_is_plausible_and_falls_with_quality() -> None:
    firms = population(20_000, 1)
    assert 0.08 < firms.default.mean() < 0.12
    assert firms.quality[firms.default].mean() < firms.quality[~firms.default].mean() - 0.4


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_thin_files(table: object, tables: dict[str, FeatureTable]) -> None:
    kind, unknown = table.kind, table.unknown  # type: ignore[attr-defined]
    assert abs(1 - len(tables[kind].codes) / FIRMS - unknown) < 0.005


def test_thin_firms_are_thin_at_several_holders(tables: dict[str, FeatureTable]) -> None:
    electricity, water = set(tables["electricity"].codes), set(tables["water"].codes)
    both = FIRMS - len(electricity | water)
    independent = (FIRMS - len(electricity)) * (FIRMS - len(water)) / FIRMS
    assert both > 1.3 * independent


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.kind)
def test_share_of_missing_cells(table: object, tables: dict[str, FeatureTable]) -> None:
    for column in table.columns:  # type: ignore[attr-defined]
        values = tables[table.kind].columns[column.feature]  # type: ignore[attr-defined]
        missing = np.mean([v is None or v != v for v in values.tolist()])
        assert abs(missing - column.empty) < 0.015, column.feature


def test_every_catalogue_feature_of_the_kinds_is_given(catalogue: Catalogue) -> None:
    for table in TABLES:
        names = [column.feature for column in table.columns]
        assert names == [feature.name for feature in catalogue.features_of(table.kind)]


SIGNS = {
    ("registry", "months_since_founding"): -1,
    ("registry", "paid_in_ratio"): -1,
    ("tax", "sales_growth"): -1,
    ("tax", "zero_declaration_months_12m"): +1,
    ("invoice", "red_letter_share"): +1,
    ("invoice", "longest_gap_days"): +1,
    ("invoice", "largest_customer_share"): +1,
    ("social_insurance", "staff_growth"): -1,
    ("social_insurance", "staff_turnover_12m"): +1,
    ("housing_fund", "arrears_months_12m"): +1,
    ("electricity", "consumption_growth"): -1,
    ("electricity", "late_payments_12m"): +1,
    ("water", "late_payments_12m"): +1,
    ("courts", "cases_as_defendant_24m"): +1,
}


def test_features_go_with_default_as_they_should(
    sample: Path, tables: dict[str, FeatureTable]
) -> None:
    listing = pl.read_csv(sample / "enterprises.csv")
    outcome = dict(zip(listing["uscc"].to_list(), listing["default"].to_list(), strict=True))
    for (kind, feature), sign in SIGNS.items():
        table = tables[kind]
        values = table.columns[feature]
        bad = np.array([outcome[code] for code in table.codes])
        known = ~np.isnan(values)
        correlation = np.corrcoef(values[known], bad[known])[0, 1]
        assert sign * correlation > 0.03, (kind, feature, correlation)


def test_holders_confirm_one_another(tables: dict[str, FeatureTable]) -> None:
    tax, invoice = tables["tax"], tables["invoice"]
    sales = dict(zip(tax.codes, tax.columns["taxable_sales_12m"], strict=True))
    pairs = [
        (sales[code], amount)
        for code, amount in zip(invoice.codes, invoice.columns["invoiced_12m"], strict=True)
        if code in sales
    ]
    logs = np.log(np.array([p for p in pairs if not np.isnan(p).any()]))
    assert np.corrcoef(logs.T)[0, 1] > 0.9


def test_months_since_founding_survive_the_detour_through_a_date(
    sample: Path, tables: dict[str, FeatureTable]
) -> None:
    listing = pl.read_csv(sample / "enterprises.csv")["uscc"].to_list()
    truth = dict(zip(listing, population(FIRMS, 5).age_months.tolist(), strict=True))
    registry = tables["registry"]
    months = registry.columns["months_since_founding"]
    for code, value in zip(registry.codes, months.tolist(), strict=True):
        assert np.isnan(value) or value == truth[code]


def test_as_of_dates_follow_today(tmp_path: Path) -> None:
    generate(50, 1, tmp_path, today=date(2027, 3, 31))
    dates = json.loads((tmp_path / "sample.json").read_text())["as_of"]
    assert dates["registry"] == "2027-03-30"
    assert load_mapping(tmp_path / "mappings/registry.toml").as_of == date(2027, 3, 30)


@pytest.mark.parametrize(("firms", "seed"), [(0, 1), (-5, 1), (10**9, 1), (10, -1)])
def test_impossible_requests_are_refused(firms: int, seed: int, tmp_path: Path) -> None:
    with pytest.raises(SampleError, match=r"enterprises|seed"):
        generate(firms, seed, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SampleError, match="out:"):
        generate(10, 1, tmp_path / "file")


def test_one_firm_is_enough(tmp_path: Path) -> None:
    generate(1, 1, tmp_path)
    assert pl.read_csv(tmp_path / "enterprises.csv").height == 1


@pytest.fixture(scope="module")
def month_before(
    tmp_path_factory: pytest.TempPathFactory, catalogue: Catalogue
) -> dict[str, FeatureTable]:
    folder = tmp_path_factory.mktemp("before")
    generate(FIRMS, 5, folder, month_before=True)
    return {
        table.kind: ingest(
            load_mapping(folder / "mappings" / f"{table.kind}.toml", catalogue),
            catalogue,
            folder / "rejected.csv",
        )[0]
        for table in TABLES
    }


def test_a_month_before_most_bins_are_the_same_and_some_are_not(
    sample: Path,
    tables: dict[str, FeatureTable],
    month_before: dict[str, FeatureTable],
    catalogue: Catalogue,
) -> None:
    roster = pl.read_csv(sample / "enterprises.csv")["uscc"].to_list()
    for kind, table in tables.items():
        now, known = align(roster, table, catalogue)
        before, knew = align(roster, month_before[kind], catalogue)
        assert (known == knew).mean() > 0.99
        both = known & knew
        same = (now[:, both] == before[:, both]).mean(axis=1)
        assert same.min() > 0.75, kind
        assert 0.85 < same.mean() < 0.995, kind
        assert 25 <= (table.as_of - month_before[kind].as_of).days <= 31


def test_a_month_before_firms_are_a_month_younger(
    tables: dict[str, FeatureTable], month_before: dict[str, FeatureTable]
) -> None:
    now, before = tables["registry"], month_before["registry"]
    ages = dict(zip(before.codes, before.columns["months_since_founding"].tolist(), strict=True))
    differences = [
        age - ages[code]
        for code, age in zip(now.codes, now.columns["months_since_founding"].tolist(), strict=True)
        if code in ages
    ]
    assert np.nanmedian(differences) == 1
    assert np.nanmin(differences) >= 0 and np.nanmax(differences) <= 2
