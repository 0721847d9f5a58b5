"""Reads a holder's own table, batch by batch, whatever keeps it: CSV, Parquet or SQL.

Every batch has the mapping's columns as text, apart from dates, which stay dates; null is
null. So one conversion serves all sources, and the same table gives the same features from
each. Sources are only read: SQLite is opened read-only, other databases in a transaction
that is declared read-only where the driver can and rolled back always.
"""

from __future__ import annotations

import csv as plain_csv
import datetime
import re
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import polars as pl
import pyarrow as pa
from pyarrow import csv
from sqlalchemy import (
    URL,
    BindParameter,
    Date,
    Row,
    String,
    TextClause,
    bindparam,
    create_engine,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from node.holder.mapping import CsvSource, HolderMapping, SqlSource

_EXACT: Final = 2.0**53
_BLOCK: Final = 1 << 23  # bytes of a CSV file at a time


def read_source(mapping: HolderMapping) -> Generator[pl.DataFrame, None, None]:
    """Yield the source's rows in order, at most `limits.batch_rows` at a time.

    Raises MappingError naming the key of the mapping that has to change; no message repeats
    a cell.
    """
    source = mapping.source
    if isinstance(source, SqlSource):
        yield from _read_sql(mapping, source)
        return
    path = mapping.resolve(source.path)
    if not path.is_file():
        raise mapping.error("source.path", f"there is no file {path}", "correct the path")
    if isinstance(source, CsvSource):
        yield from _read_csv(mapping, source, path)
    else:
        yield from _read_parquet(mapping, path)


def _read_csv(mapping: HolderMapping, source: CsvSource, path: Path) -> Iterator[pl.DataFrame]:
    """Read with pyarrow, which refuses a row that is too short; polars would fill it up."""
    wrong: list[csv.InvalidRow] = []

    def refuse(row: csv.InvalidRow) -> str:
        wrong.append(row)
        return "error"

    try:
        header = _header(path, source)
        _check_columns(mapping, header)
        reader = csv.open_csv(
            path,
            csv.ReadOptions(use_threads=False, block_size=_BLOCK, encoding=source.encoding),
            csv.ParseOptions(
                delimiter=source.separator, newlines_in_values=True, invalid_row_handler=refuse
            ),
            csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()),
                include_columns=mapping.columns(),
                strings_can_be_null=False,
            ),
        )
        for block in reader:
            rows = pl.from_arrow(block)
            if isinstance(rows, pl.DataFrame):
                yield from rows.iter_slices(mapping.limits.batch_rows)
    except (pa.ArrowException, UnicodeError, OSError) as error:
        problem = "its text, encoding or quoting does not fit"
        if wrong:
            found, expected = wrong[0].actual_columns, wrong[0].expected_columns
            problem = f"line {wrong[0].number} has {found} cells, and the header {expected}"
        raise mapping.error(
            "source.path",
            f"{path} is not readable as csv: {problem}",
            "correct the file, source.encoding or source.separator",
        ) from (None if wrong else error)


def _header(path: Path, source: CsvSource) -> list[str]:
    encoding = "utf-8-sig" if source.encoding == "utf-8" else source.encoding
    with path.open(encoding=encoding, newline="") as file:
        return next(plain_csv.reader(file, delimiter=source.separator), [])


def _read_parquet(mapping: HolderMapping, path: Path) -> Iterator[pl.DataFrame]:
    try:
        rows = pl.scan_parquet(path, glob=False)
        _check_columns(mapping, rows.collect_schema().names())
        batches = rows.select(mapping.columns()).collect_batches(
            chunk_size=mapping.limits.batch_rows, maintain_order=True
        )
        for batch in batches:
            yield _as_text(batch)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise mapping.error(
            "source.path",
            f"{path} is not readable as parquet: {_first_line(error)}",
            "correct the file, the path, or source.type",
        ) from error


def _check_columns(mapping: HolderMapping, present: Sequence[str]) -> None:
    keys = {"key": mapping.key}
    keys |= {f"features.{name}.column": item.column for name, item in mapping.features.items()}
    for key, column in keys.items():
        if column not in present:
            raise mapping.error(
                key, f"the source has no column {column!r}", f"it has {', '.join(present)}"
            )
        if present.count(column) > 1:
            raise mapping.error(
                key, f"the source has {column!r} twice", "give each column a name of its own"
            )


def _as_text(batch: pl.DataFrame) -> pl.DataFrame:
    """Cast every column to text but dates; whole floats lose their `.0`."""
    casts = []
    for name, dtype in batch.schema.items():
        column = pl.col(name)
        if dtype.is_float():
            whole = (column == column.floor()) & (column.abs() < _EXACT)
            integers = column.cast(pl.Int64, strict=False).cast(pl.String)
            casts.append(pl.when(whole).then(integers).otherwise(column.cast(pl.String)))
        elif isinstance(dtype, pl.Datetime):
            casts.append(column.cast(pl.Date))
        elif not isinstance(dtype, pl.Date):
            casts.append(column.cast(pl.String))
    return batch.with_columns(casts)


def _read_sql(mapping: HolderMapping, source: SqlSource) -> Iterator[pl.DataFrame]:
    url = _url(mapping, source)
    try:
        engine = create_engine(url)
    except (NoSuchModuleError, ArgumentError, ImportError) as error:
        raise mapping.error(
            "source.url",
            f"no driver for {url.drivername}: {_first_line(error)}",
            "install the driver, or name another in the URL",
        ) from error
    try:
        read_only = {"postgresql_readonly": True} if engine.name == "postgresql" else {}
        with engine.execution_options(**read_only).connect() as connection:
            result = connection.execute(
                _statement(source.query, mapping.as_of),
                execution_options={"yield_per": mapping.limits.batch_rows},
            )
            names = list(result.keys())
            _check_columns(mapping, names)
            for rows in result.partitions(mapping.limits.batch_rows):
                yield _frame(mapping.columns(), names, rows)
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise mapping.error(
            "source.query",
            f"the database refused it: {_first_line(cause)}",
            "correct the query, the URL, or the rights of its user",
        ) from error
    finally:
        engine.dispose()


def _statement(query: str, as_of: datetime.date) -> TextClause:
    statement = text(query)
    parameters: list[BindParameter[Any]] = [
        bindparam("as_of", as_of, Date),
        bindparam("as_of_month", f"{as_of:%Y-%m}", String),
    ]
    return statement.bindparams(
        *(p for p in parameters if re.search(rf"(?<![:\w]):{p.key}\b", query))
    )


def _url(mapping: HolderMapping, source: SqlSource) -> URL:
    """Return the URL; a SQLite path is seen from the mapping file and opened read-only."""
    if source.url_file is not None:
        key, path = "source.url_file", mapping.resolve(source.url_file)
        try:
            given = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise mapping.error(key, f"cannot read {path}", "correct the path") from None
    else:
        key, given = "source.url", source.url or ""
    try:
        url = make_url(given)
    except ArgumentError:
        # The text may hold a password, so it is not repeated.
        raise mapping.error(
            key, "not a SQLAlchemy URL", "write dialect+driver://user:password@host/database"
        ) from None
    database = url.database or ""
    if url.get_backend_name() != "sqlite" or database in {"", ":memory:"}:
        return url
    file = mapping.resolve(database)
    if not file.is_file():
        raise mapping.error(key, f"there is no database {file}", "correct the path")
    address = f"file:{quote(str(file.resolve()))}"
    return url.set(database=address).update_query_dict({"mode": "ro", "uri": "true"})


def _frame(columns: list[str], names: list[str], rows: Sequence[Row[Any]]) -> pl.DataFrame:
    series = []
    for column in columns:
        position = names.index(column)
        cells = [row[position] for row in rows]
        if any(isinstance(cell, datetime.date) for cell in cells):
            days = [c.date() if isinstance(c, datetime.datetime) else c for c in cells]
            series.append(pl.Series(column, days, dtype=pl.Date, strict=False))
        else:
            series.append(pl.Series(column, [_cell(c) for c in cells], dtype=pl.String))
    return pl.DataFrame(series)


def _cell(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    return str(value)


def _first_line(error: BaseException | None) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
