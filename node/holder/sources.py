"""Reads a holder's own table, batch by batch, whatever keeps it: CSV, Parquet or SQL.

Every batch has the mapping's columns as text, apart from dates, which stay dates; null is
null. So one conversion serves all sources, and the same table gives the same features from
each. Sources are only read: SQLite is opened read-only, other databases in a transaction
that is declared read-only where the driver can and rolled back always.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import polars as pl
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

from node.holder.mapping import CsvSource, HolderMapping, ParquetSource, SqlSource

_EXACT: Final = 2.0**53


def read_source(mapping: HolderMapping) -> Iterator[pl.DataFrame]:
    """Yield the source's rows in order, `limits.batch_rows` at a time.

    Raises MappingError naming the key of the mapping that has to change.
    """
    source = mapping.source
    if isinstance(source, SqlSource):
        yield from _read_sql(mapping, source)
    else:
        yield from _read_file(mapping, source)


def _read_file(mapping: HolderMapping, source: CsvSource | ParquetSource) -> Iterator[pl.DataFrame]:
    path = mapping.resolve(source.path)
    if not path.is_file():
        raise mapping.error("source.path", f"there is no file {path}", "correct the path")
    try:
        if isinstance(source, CsvSource):
            rows = pl.scan_csv(
                path if source.encoding == "utf-8" else _transcoded(path, source.encoding),
                separator=source.separator,
                infer_schema=False,
                glob=False,
            )
        else:
            rows = pl.scan_parquet(path, glob=False)
        _check_columns(mapping, rows.collect_schema().names())
        batches = rows.select(mapping.columns()).collect_batches(
            chunk_size=mapping.limits.batch_rows, maintain_order=True
        )
        for batch in batches:
            yield _as_text(batch)
    except (pl.exceptions.PolarsError, OSError, UnicodeError) as error:
        raise mapping.error(
            "source.path",
            f"{path} is not readable as {source.type}: {_first_line(error)}",
            "correct the file, the path, or source.type",
        ) from error


def _transcoded(path: Path, encoding: str) -> bytes:
    return path.read_text(encoding=encoding).encode()


def _check_columns(mapping: HolderMapping, present: Sequence[str]) -> None:
    keys = {"key": mapping.key}
    keys |= {f"features.{name}.column": item.column for name, item in mapping.features.items()}
    for key, column in keys.items():
        if column not in present:
            raise mapping.error(
                key, f"the source has no column {column!r}", f"it has {', '.join(present)}"
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
