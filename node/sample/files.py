"""Writes one holder's table as that holder would keep it, in CSV, Parquet or SQLite."""

from __future__ import annotations

import sqlite3
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from node.sample.codes import corrupted
from node.sample.holders import Columns
from node.sample.population import Flags, Population
from node.sample.presentation import NO, YES, Column, Table

QUERY: Final = (
    "SELECT u.credit_code, {columns} FROM insured_unit AS u "
    "JOIN insured_month AS m ON m.unit_id = u.unit_id WHERE m.month = :as_of_month"
)
_SLIPS_FROM: Final = 200  # smaller samples stay clean: one slip would exceed the limit
_FIRMS_A_SLIP: Final = 2000
_NUMBERS: Final = frozenset({"number", "factor", "percent", "wan_yuan"})


def file_name(table: Table) -> str:
    """Return the name of the table's file: kind, and the suffix of its file kind."""
    return table.kind + {"csv": ".csv", "parquet": ".parquet", "sql": ".db"}[table.source]


def query(table: Table) -> str:
    """Return the SELECT that gives a SQL table's columns for the as-of month."""
    columns = ", ".join(f"m.{column.header}" for column in table.columns)
    return QUERY.format(columns=columns)


def frame(
    table: Table, values: Columns, codes: list[str], firms: Population, as_of: date
) -> pl.DataFrame:
    """Return the table's rows in its own headers, units and markers, in random order.

    Firms with thin files, and small and young ones among them, are left out up to the
    table's share; cells are emptied; from 200 firms on a few rows carry the slips of
    clerks: a wrong check character, a firm entered twice, an impossible value.
    """
    rng = firms.stream(50 + sum(table.kind.encode()))
    rows = rng.permutation(np.flatnonzero(_known(table, firms, rng)))
    series = [pl.Series(table.key, np.array(codes, dtype=object)[rows].tolist(), dtype=pl.String)]
    for column in table.columns:
        cells = _cells(table, column, values[column.feature][rows], as_of, rng)
        empty = pl.Series(rng.random(len(rows)) < column.empty)
        series.append(_emptied(table, column, cells, empty, rng))
    return _with_slips(table, pl.DataFrame(series), firms.firms, rng)


def write(table: Table, rows: pl.DataFrame, path: Path, as_of: date) -> None:
    """Write the rows to `path`, which must not exist yet."""
    if table.source == "csv":
        text = rows.write_csv(include_bom=table.encoding == "utf-8")
        path.write_text(text, encoding=table.encoding, newline="")
    elif table.source == "parquet":
        rows.write_parquet(path)
    else:
        _write_sqlite(table, rows, path, as_of)


def _known(table: Table, firms: Population, rng: np.random.Generator) -> Flags:
    thinness = firms.thin + 0.6 * rng.standard_normal(firms.firms)
    return np.asarray(thinness <= np.quantile(thinness, 1 - table.unknown))


def _cells(
    table: Table, column: Column, values: NDArray[Any], as_of: date, rng: np.random.Generator
) -> pl.Series:
    name = column.header
    if column.form == "months_since":
        dates = _dates(values, as_of, rng)
        return pl.Series(name, dates)
    if column.form == "categories":
        return pl.Series(name, [column.texts[value] for value in values.tolist()], dtype=pl.String)
    if column.form == "flag":
        if table.source == "csv":
            return pl.Series(name, np.where(values, YES, NO).tolist(), dtype=pl.String)
        return pl.Series(name, values.astype(np.int64))
    scale = {"percent": 0.01, "wan_yuan": 1e4, "factor": column.factor, "number": 1.0}[column.form]
    numbers = np.round(values.astype(np.float64) / scale, column.digits)
    if column.digits == 0:
        return pl.Series(name, numbers.astype(np.int64))
    return pl.Series(name, numbers)


def _dates(months: NDArray[np.int64], as_of: date, rng: np.random.Generator) -> list[date]:
    """Return days that lie the given whole months, and up to a month more, before `as_of`."""
    last = as_of.year * 12 + as_of.month - 1
    days = rng.integers(1, min(as_of.day, 28) + 1, len(months)).tolist()
    return [
        date((last - m) // 12, (last - m) % 12 + 1, day)
        for m, day in zip(months.tolist(), days, strict=True)
    ]


def _emptied(
    table: Table, column: Column, cells: pl.Series, empty: pl.Series, rng: np.random.Generator
) -> pl.Series:
    if table.source != "csv":
        return pl.select(pl.when(~empty).then(cells).alias(column.header)).to_series()
    # One of the kinds of missing cell is always the empty one.
    choice = rng.integers(0, len(table.markers) + 1, len(cells))
    markers = pl.Series(np.array([None, *table.markers])[choice].tolist(), dtype=pl.String)
    texts = cells.cast(pl.String)
    return pl.select(pl.when(empty).then(markers).otherwise(texts).alias(column.header)).to_series()


def _with_slips(
    table: Table, rows: pl.DataFrame, firms: int, rng: np.random.Generator
) -> pl.DataFrame:
    if firms < _SLIPS_FROM:
        return rows
    slips = -(-firms // _FIRMS_A_SLIP)
    chosen = rng.choice(rows.height, 3 * slips, replace=False)
    column = next(c for c in table.columns if c.form in _NUMBERS and c.lowest == 0).header
    impossible = pl.lit("见附件" if table.source == "csv" else -1).cast(rows.schema[column])
    twice, misspelt = rows[chosen[slips : 2 * slips]], rows[chosen[2 * slips :]]
    spoilt = rows.with_columns(
        pl.when(pl.int_range(pl.len()).is_in(chosen[:slips].tolist()))
        .then(impossible)
        .otherwise(pl.col(column))
        .alias(column)
    )
    keys = pl.Series(table.key, [corrupted(code) for code in misspelt[table.key].to_list()])
    return pl.concat([spoilt, twice, misspelt.with_columns(keys)])


def _write_sqlite(table: Table, rows: pl.DataFrame, path: Path, as_of: date) -> None:
    """Write units and monthly figures apart, with a stale month that a query must leave out."""
    headers = [column.header for column in table.columns]
    types = ["REAL" if rows.schema[header].is_float() else "INTEGER" for header in headers]
    declared = ", ".join(f"{h} {t}" for h, t in zip(headers, types, strict=True))
    before = date(as_of.year - (as_of.month == 1), (as_of.month - 2) % 12 + 1, 1)
    month, stale = f"{as_of:%Y-%m}", f"{before:%Y-%m}"
    connection = sqlite3.connect(path)
    try:
        connection.execute(
            "CREATE TABLE insured_unit (unit_id INTEGER PRIMARY KEY, credit_code TEXT)"
        )
        connection.execute(
            f"CREATE TABLE insured_month (unit_id INTEGER, month TEXT, {declared}, "
            "PRIMARY KEY (unit_id, month))"
        )
        keys = rows[table.key].to_list()
        connection.executemany("INSERT INTO insured_unit VALUES (?, ?)", enumerate(keys, start=1))
        marks = ", ".join("?" * (len(headers) + 2))
        figures = list(rows.select(headers).iter_rows())
        for label, some in ((month, figures), (stale, figures[::-1])):
            connection.executemany(
                f"INSERT INTO insured_month VALUES ({marks})",  # noqa: S608 - own headers only
                ((unit, label, *row) for unit, row in enumerate(some, start=1)),
            )
        connection.commit()
    finally:
        connection.close()
