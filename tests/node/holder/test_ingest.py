from __future__ import annotations

import csv
import logging
import stat
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sqlalchemy import create_engine, text

from node.holder.ingest import FeatureTable, IngestError, IngestReport, align, ingest
from node.holder.mapping import MappingError, load_mapping
from scoring.catalogue import Catalogue

ROOT = Path(__file__).parents[3]
GOOD = [
    "914403001922038216",
    "91100000100003962T",
    "911000001000013428",
    "91512081MA62K0260E",
    "91350203M0001QAY9B",
]
HEADER = ["码", "税额(万元)", "同比", "级别", "月数"]
ROWS = [
    [GOOD[0], "0.57", "12.5%", "A级", "24"],
    [GOOD[1], "—", "-3", "D级", "0"],
    [GOOD[2], "", "", "", ""],
    [GOOD[3], " 100 ", "0", "M级", "60"],
]
MAPPING = """\
format = "yinxin-mapping/1"
kind = "tax"
as_of = 2026-05-31
key = "码"
[source]
{source}
[limits]
rejected_share = {share}
batch_rows = {batch}
[features.tax_paid_12m]
column = "税额(万元)"
convert = "wan_yuan"
missing = ["—"]
range = [0, 1e9]
[features.tax_growth]
column = "同比"
convert = "percent"
range = [-1, 10]
[features.credit_grade]
column = "级别"
convert = {{ type = "categories", values = {{ "A级" = "A", "M级" = "M", "D级" = "D" }} }}
[features.payment_months]
column = "月数"
"""

Result = tuple[FeatureTable, IngestReport]


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.from_json((ROOT / "scoring/data/catalogue-1.json").read_bytes())


@pytest.fixture
def run(tmp_path: Path, catalogue: Catalogue) -> Callable[..., Result]:
    """Ingest rows of text from a CSV file."""

    def call(rows: list[list[str]], share: float = 1.0, batch: int = 100) -> Result:
        with (tmp_path / "tax.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([HEADER, *rows])
        return from_source(tmp_path, catalogue, 'type = "csv"\npath = "tax.csv"', share, batch)

    return call


def from_source(
    folder: Path, catalogue: Catalogue, source: str, share: float = 1.0, batch: int = 100
) -> Result:
    path = folder / "tax.toml"
    path.write_text(MAPPING.format(source=source, share=share, batch=batch), encoding="utf-8")
    return ingest(load_mapping(path, catalogue), catalogue, folder / "rejected.csv")


def report_lines(report: IngestReport) -> list[tuple[str, ...]]:
    with report.path.open(encoding="utf-8", newline="") as file:
        return [tuple(row) for row in csv.reader(file)]


def same(left: Any, right: Any) -> bool:
    pairs = zip(left.tolist(), right.tolist(), strict=True)
    return all(a == b or (a != a and b != b) for a, b in pairs)


def test_units_missing_markers_and_spaces(run: Callable[..., Result]) -> None:
    table, report = run(ROWS)
    assert table.codes == tuple(GOOD[:4])
    # 0.57 × 10,000 is 5,699.999999999999 in doubles, a bin too low at an edge of 5,700.
    assert same(table.columns["tax_paid_12m"], np.array([5700.0, np.nan, np.nan, 1e6]))
    assert same(table.columns["tax_growth"], np.array([0.125, -0.03, np.nan, 0.0]))
    assert table.columns["credit_grade"].tolist() == ["A", "D", None, "M"]
    assert same(table.columns["payment_months"], np.array([24.0, 0.0, np.nan, 60.0]))
    assert (report.read, report.accepted, report.rejected) == (4, 4, 0)
    assert report_lines(report) == [("row", "field", "reason")]


BAD = [
    (["911000001000013429", "1", "1", "A级", "1"], ("码", "invalid_uscc")),
    (["", "1", "1", "A级", "1"], ("码", "invalid_uscc")),
    ([GOOD[0].lower() + " ", "1", "1", "A级", "1"], ("码", "duplicate_uscc")),
    ([GOOD[4], "abc", "1", "A级", "1"], ("税额(万元)", "not_a_number")),
    ([GOOD[4], "1,000", "1", "A级", "1"], ("税额(万元)", "not_a_number")),
    ([GOOD[4], "nan", "1", "A级", "1"], ("税额(万元)", "not_a_number")),
    ([GOOD[4], "inf", "1", "A级", "1"], ("税额(万元)", "not_a_number")),
    ([GOOD[4], "-0.01", "1", "A级", "1"], ("税额(万元)", "out_of_range")),
    ([GOOD[4], "100000.01", "1", "A级", "1"], ("税额(万元)", "out_of_range")),
    ([GOOD[4], "1", "-100.1", "A级", "1"], ("同比", "out_of_range")),
    ([GOOD[4], "1", "1", "B级", "1"], ("级别", "unknown_text")),
]


@pytest.mark.parametrize(("row", "rejection"), BAD)
def test_a_bad_row_is_rejected_whole(
    row: list[str], rejection: tuple[str, str], run: Callable[..., Result]
) -> None:
    table, report = run([*ROWS, row])
    assert table.codes == tuple(GOOD[:4])
    assert report_lines(report)[1:] == [("5", *rejection)]
    assert report.reasons == {rejection[1]: 1}
    assert report.rejected == 1


def test_edges_of_the_range_are_allowed(run: Callable[..., Result]) -> None:
    table, _ = run([[GOOD[0], "0", "-100", "A级", "1"], [GOOD[1], "100000", "1000", "A级", "1"]])
    assert table.columns["tax_paid_12m"].tolist() == [0.0, 1e9]
    assert table.columns["tax_growth"].tolist() == [-1.0, 10.0]


def test_several_faults_of_a_row_are_all_reported_and_count_once(
    run: Callable[..., Result],
) -> None:
    _, report = run([["x", "y", "z", "q", "1"], *ROWS])
    assert report_lines(report)[1:] == [
        ("1", "同比", "not_a_number"),
        ("1", "码", "invalid_uscc"),
        ("1", "税额(万元)", "not_a_number"),
        ("1", "级别", "unknown_text"),
    ]
    assert report.rejected == 1


def test_a_code_whose_first_row_is_bad_is_not_taken_from_a_later_row(
    run: Callable[..., Result],
) -> None:
    table, report = run([[GOOD[0], "bad", "1", "A级", "1"], ROWS[0], *ROWS[1:]])
    assert table.codes == tuple(GOOD[1:4])
    assert [line[2] for line in report_lines(report)[1:]] == ["not_a_number", "duplicate_uscc"]


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_batches_change_nothing(batch: int, run: Callable[..., Result]) -> None:
    rows = [*ROWS, *(row for row, _ in BAD)]
    whole, in_batches = run(rows), run(rows, batch=batch)
    assert in_batches[0].codes == whole[0].codes
    assert in_batches[1].reasons == whole[1].reasons
    for name, values in whole[0].columns.items():
        assert same(in_batches[0].columns[name], values)
    assert report_lines(in_batches[1]) == report_lines(whole[1])


def test_too_many_rejections_fail_the_whole_and_leave_a_report(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    bad = [row for row, _ in BAD[:1]]
    run([*ROWS, *bad], share=0.2)
    with pytest.raises(IngestError, match=r"1 of 5 rows.*rejected_share"):
        run([*ROWS, *bad], share=0.19)
    assert (tmp_path / "rejected.csv").read_text(encoding="utf-8").count("\n") == 2
    assert not list(tmp_path.glob("*.part"))


def test_an_empty_source_fails(run: Callable[..., Result]) -> None:
    with pytest.raises(IngestError, match="no rows"):
        run([])


def test_the_report_is_private_and_tells_no_values(run: Callable[..., Result]) -> None:
    _, report = run([*ROWS, [GOOD[4], "777777x", "1", "A级", "1"]])
    raw = report.path.read_text(encoding="utf-8")
    assert "777777" not in raw
    assert not any(code in raw for code in GOOD)
    assert stat.S_IMODE(report.path.stat().st_mode) == 0o600


def test_rejections_do_not_reach_the_log(
    run: Callable[..., Result], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        run([*ROWS, *(row for row, _ in BAD)])
    assert caplog.records == []


def test_an_old_report_stays_where_the_source_fails(
    run: Callable[..., Result], tmp_path: Path, catalogue: Catalogue
) -> None:
    run(ROWS)
    before = (tmp_path / "rejected.csv").read_bytes()
    with pytest.raises(MappingError):
        from_source(tmp_path, catalogue, 'type = "csv"\npath = "gone.csv"')
    assert (tmp_path / "rejected.csv").read_bytes() == before


def test_the_same_table_from_csv_parquet_and_sql(
    run: Callable[..., Result], tmp_path: Path, catalogue: Catalogue, database_url: str
) -> None:
    expected, _ = run(ROWS)
    number = {"—": None, "": None}
    typed = pl.DataFrame(
        {
            "码": [row[0] for row in ROWS],
            "税额(万元)": [0.57, None, None, 100.0],
            "同比": [12.5, -3.0, None, 0.0],
            "级别": [number.get(row[3], row[3]) for row in ROWS],
            "月数": [24.0, 0.0, None, 60.0],
        }
    )
    typed.write_parquet(tmp_path / "tax.parquet")
    whole = typed.with_columns(pl.col("月数").cast(pl.Int64))
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE firms (code TEXT, tax NUMERIC(20, 2), growth FLOAT, grade TEXT, "
                "months INTEGER, month TEXT, day DATE)"
            )
        )
        rows = [dict(zip("ctgam", row, strict=True)) for row in whole.iter_rows()]
        insert = "INSERT INTO firms VALUES (:c, :t, :g, :a, :m, '2026-05', '2026-05-31')"
        connection.execute(text(insert), rows)
        stale = "INSERT INTO firms VALUES (:c, 1, 1, 'A级', 1, '2026-04', '2026-04-30')"
        connection.execute(text(stale), rows)
    engine.dispose()
    select = (
        'SELECT code AS \\"码\\", tax AS \\"税额(万元)\\", growth AS \\"同比\\", '
        'grade AS \\"级别\\", months AS \\"月数\\" FROM firms WHERE month = :as_of_month '
        "AND day = :as_of ORDER BY code DESC"
    )
    sources = {
        "parquet": 'type = "parquet"\npath = "tax.parquet"',
        "sql": f'type = "sql"\nurl = "{database_url}"\nquery = "{select}"',
    }
    for source in sources.values():
        table, report = from_source(tmp_path, catalogue, source)
        assert report.rejected == 0
        order = [table.codes.index(code) for code in expected.codes]
        for name, values in expected.columns.items():
            assert same(table.columns[name][order], values), name


def test_dates_as_text_and_as_dates(tmp_path: Path, catalogue: Catalogue) -> None:
    days = [date(2024, 5, 31), date(2024, 6, 1), date(2026, 5, 31), None]
    frame = pl.DataFrame({"code": GOOD[:4], "founded": days})
    frame.write_parquet(tmp_path / "dates.parquet")
    frame.with_columns(pl.col("founded").cast(pl.Datetime)).write_parquet(
        tmp_path / "times.parquet"
    )
    frame.with_columns(pl.col("founded").dt.strftime("%d.%m.%Y")).write_csv(tmp_path / "dates.csv")
    mapping = (
        'format = "yinxin-mapping/1"\nkind = "registry"\nas_of = 2026-05-31\nkey = "code"\n'
        '[source]\ntype = "{}"\npath = "{}"\n'
        '[features.months_since_founding]\ncolumn = "founded"\n'
        'convert = {{ type = "months_since", date_format = "{}" }}\nrange = [0, 1200]\n'
    )
    for file, form in (
        ("dates.parquet", "%Y-%m-%d"),
        ("times.parquet", "%Y-%m-%d"),
        ("dates.csv", "%d.%m.%Y"),
    ):
        path = tmp_path / "registry.toml"
        path.write_text(mapping.format(file.split(".")[1], file, form))
        table, _ = ingest(load_mapping(path, catalogue), catalogue, tmp_path / "rejected.csv")
        assert same(table.columns["months_since_founding"], np.array([24.0, 23.0, 0.0, np.nan]))
    path.write_text(mapping.format("csv", "dates.csv", "%Y-%m-%d") + "[limits]\nrejected_share=1\n")
    _, report = ingest(load_mapping(path, catalogue), catalogue, tmp_path / "rejected.csv")
    assert report.reasons == {"not_a_date": 3}


def test_gb18030_files(tmp_path: Path, catalogue: Catalogue, run: Callable[..., Result]) -> None:
    expected, _ = run(ROWS)
    raw = (tmp_path / "tax.csv").read_text(encoding="utf-8").encode("gb18030")
    (tmp_path / "old.csv").write_bytes(raw)
    source = 'type = "csv"\npath = "old.csv"'
    with pytest.raises(MappingError, match=r"source|码"):
        from_source(tmp_path, catalogue, source)
    table, _ = from_source(tmp_path, catalogue, f'{source}\nencoding = "gb18030"')
    assert table.codes == expected.codes
    assert table.columns["credit_grade"].tolist() == ["A", "D", None, "M"]


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ('type = "csv"\npath = "absent.csv"', "source.path"),
        ('type = "parquet"\npath = "absent.parquet"', "source.path"),
        ('type = "parquet"\npath = "tax.csv"', "source.path"),
        ('type = "csv"\npath = "other.csv"', "key"),
        ('type = "sql"\nurl = "sqlite:///absent.db"\nquery = "SELECT 1"', "source.url"),
        ('type = "sql"\nurl = "not a url"\nquery = "SELECT 1"', "source.url"),
        ('type = "sql"\nurl = "nosuch://h/d"\nquery = "SELECT 1"', "source.url"),
        ('type = "sql"\nurl_file = "absent.url"\nquery = "SELECT 1"', "source.url_file"),
        ('type = "sql"\nurl = "sqlite://"\nquery = "SELECT no"', "source.query"),
        ('type = "sql"\nurl = "sqlite://"\nquery = "SELECT 1 AS a"', "key"),
    ],
)
def test_an_unusable_source_names_the_key(
    source: str, key: str, tmp_path: Path, catalogue: Catalogue, run: Callable[..., Result]
) -> None:
    run(ROWS)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(MappingError) as caught:
        from_source(tmp_path, catalogue, source)
    assert caught.value.key == key


def test_a_row_that_is_cut_off_fails_the_ingest_and_is_not_repeated(
    run: Callable[..., Result], tmp_path: Path, catalogue: Catalogue
) -> None:
    run(ROWS)
    raw = (tmp_path / "tax.csv").read_text(encoding="utf-8")
    for damage in (f"{GOOD[4]},777\n", f"{GOOD[4]},777,1,A级,1,surplus\n"):
        (tmp_path / "tax.csv").write_text(raw + damage, encoding="utf-8")
        with pytest.raises(MappingError, match="header 5") as caught:
            from_source(tmp_path, catalogue, 'type = "csv"\npath = "tax.csv"')
        assert "777" not in str(caught.value)
        assert "line 6" in str(caught.value)


def test_a_column_that_stands_twice_is_refused(
    run: Callable[..., Result], tmp_path: Path, catalogue: Catalogue
) -> None:
    run(ROWS)
    raw = (tmp_path / "tax.csv").read_text(encoding="utf-8")
    (tmp_path / "tax.csv").write_text(raw.replace("月数", "同比"), encoding="utf-8")
    with pytest.raises(MappingError, match="twice"):
        from_source(tmp_path, catalogue, 'type = "csv"\npath = "tax.csv"')


def test_separators_quotes_and_line_breaks_within_cells(
    tmp_path: Path, catalogue: Catalogue, run: Callable[..., Result]
) -> None:
    expected, _ = run(ROWS)
    lines = [";".join(f'"{cell}"' for cell in [*row, "a;\nb"]) for row in [HEADER, *ROWS]]
    (tmp_path / "odd.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    source = 'type = "csv"\npath = "odd.csv"\nseparator = ";"'
    table, _ = from_source(tmp_path, catalogue, source)
    assert table.codes == expected.codes
    assert same(table.columns["tax_paid_12m"], expected.columns["tax_paid_12m"])


def test_a_query_cannot_write(tmp_path: Path, catalogue: Catalogue, database_url: str) -> None:
    sqlite = database_url.startswith("sqlite")
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE firms (code TEXT)"))
        connection.execute(text("INSERT INTO firms VALUES ('x')"))
        if not sqlite:
            connection.execute(text("CREATE SEQUENCE steps"))
    # A SELECT in PostgreSQL can change things as well.
    query = "SELECT nextval('steps') AS code"
    if sqlite:
        query = "WITH f AS (SELECT 1) DELETE FROM firms RETURNING code"
    source = f'type = "sql"\nurl = "{database_url}"\nquery = "{query}"'
    with pytest.raises(MappingError, match=r"source\.query.*read-?only"):
        from_source(tmp_path, catalogue, source)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM firms")).scalar() == 1
    engine.dispose()


def test_a_password_stays_out_of_errors(tmp_path: Path, catalogue: Catalogue) -> None:
    for url in ("mysql+nodriver://u:hunter2@h/d", "postgresql+pg8000://u:hunter2@127.0.0.1:1/d"):
        (tmp_path / "secret.url").write_text(url)
        source = 'type = "sql"\nurl_file = "secret.url"\nquery = "SELECT 1"'
        with pytest.raises(MappingError) as caught:
            from_source(tmp_path, catalogue, source)
        assert "hunter2" not in str(caught.value)


def test_align_follows_the_roster(run: Callable[..., Result], catalogue: Catalogue) -> None:
    table, _ = run(ROWS)
    roster = [GOOD[4], GOOD[1], GOOD[0], "91999999MAU4MKLH2A"]
    bins, known = align(roster, table, catalogue)
    names = [feature.name for feature in catalogue.features_of("tax")]
    assert bins.dtype == np.uint16
    assert bins.shape == (len(names), 4)
    assert known.tolist() == [False, True, True, False]
    grade = catalogue.feature("tax", "credit_grade").bin_labels
    assert [grade[i] for i in bins[names.index("credit_grade")]] == ["missing", "D", "A", "missing"]
    assert not bins[:, ~known].any()
    # Features that the mapping does not give are missing for everybody.
    assert not bins[names.index("arrears")].any()
