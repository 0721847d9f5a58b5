"""Tables that the database sorts, filters and pages: a browser gets one page, an export all rows.

A table is described once by its columns; what an address asks for (`sort`, `page`, and a filter by
each column's key) is read against them, and anything else in it is ignored.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import urlencode

from markupsafe import Markup
from sqlalchemy import ColumnElement, Connection, Select, and_, func
from starlette.responses import StreamingResponse

from node.pages.visit import CHINA, Visit, when
from scoring.documents import Text

_FORMULA: Final = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")  # as Excel reads them
SIZES: Final = (25, 50, 100)
Kind = Literal["text", "code", "number", "time", "choice"]
"""How a column is shown and filtered: `text` by what it contains, `code` by how it begins, `choice`
by one of its values, `time` by days from and to; `number` has no filter."""


@dataclass(frozen=True)
class Column:
    """One column. `source` is what the database sorts and filters by; None: neither is offered.
    `match` makes the filter's condition instead, such as for what the database knows by a tag.

    `show` makes the cell from a row (of the select) and the visit: text, or Markup. `raw` makes the
    exported value where it is not what `show` gives. `choices` are a `choice` column's values.
    """

    key: str
    title: Text
    show: Callable[[Any, Visit], object]
    kind: Kind = "text"
    source: ColumnElement[Any] | None = None
    match: Callable[[str], ColumnElement[bool]] | None = None
    raw: Callable[[Any], object] | None = None
    choices: Mapping[str, Text] = field(default_factory=dict)
    hidden_on_phone: bool = False

    @property
    def filtered(self) -> bool:
        """Whether a filter is offered."""
        return self.match is not None or (self.source is not None and self.kind != "number")


@dataclass(frozen=True)
class Table:
    """A table. `rows` selects whole rows; `key` makes their order definite where values repeat."""

    columns: Sequence[Column]
    rows: Select[Any]
    key: ColumnElement[Any]
    sort: str
    """The column it is sorted by at first; `-key` is descending."""


@dataclass(frozen=True)
class Asked:
    """What an address asks of a table."""

    sort: str
    descending: bool
    page: int
    size: int
    filters: Mapping[str, str]

    def address(self, path: str, **changes: object) -> str:
        """The address of the same table with something changed."""
        values: dict[str, object] = {
            **self.filters,
            "sort": f"{'-' if self.descending else ''}{self.sort}",
            "size": self.size,
            "page": self.page,
        }
        return f"{path}?{urlencode(values | changes)}"


@dataclass(frozen=True)
class Shown:
    """One page of a table."""

    table: Table
    asked: Asked
    rows: Sequence[Any]
    total: int
    path: str

    @property
    def pages(self) -> int:
        """How many there are, at least one."""
        return max(1, -(-self.total // self.asked.size))


def read(table: Table, visit: Visit) -> Asked:
    """What the visit's address asks for; what makes no sense is as if it were not there."""
    wanted = visit.query("sort") or table.sort
    by_key = {column.key: column for column in table.columns}
    name = wanted.removeprefix("-")
    if name not in by_key or by_key[name].source is None:
        wanted = table.sort
        name = wanted.removeprefix("-")
    size = visit.query("size")
    page = visit.query("page")
    filters = {
        key: value
        for column in table.columns
        if column.filtered
        for key in (
            (f"{column.key}_from", f"{column.key}_to") if column.kind == "time" else (column.key,)
        )
        if (value := visit.query(key).strip()[:200])
    }
    return Asked(
        sort=name,
        descending=wanted.startswith("-"),
        page=max(1, int(page)) if page.isdecimal() and len(page) < 8 else 1,
        size=int(size) if size in map(str, SIZES) else SIZES[0],
        filters=filters,
    )


def fetch(connection: Connection, table: Table, asked: Asked, path: str) -> Shown:
    """The page that is asked for, or the last one there is."""
    statement = _filtered(table, asked)
    counted = statement.order_by(None).with_only_columns(func.count(), maintain_column_froms=True)
    total = connection.execute(counted).scalar_one()
    last = max(1, -(-total // asked.size))
    if asked.page > last:
        asked = Asked(asked.sort, asked.descending, last, asked.size, asked.filters)
    rows = connection.execute(
        _ordered(table, asked, statement).limit(asked.size).offset((asked.page - 1) * asked.size)
    ).all()
    return Shown(table, asked, rows, total, path)


def every(connection: Connection, table: Table, asked: Asked) -> Sequence[Any]:
    """All rows that match, in order: for an export."""
    return connection.execute(_ordered(table, asked, _filtered(table, asked))).all()


def to_csv(table: Table, rows: Sequence[Any], visit: Visit, name: str) -> StreamingResponse:
    """The rows as CSV (RFC 4180) with a byte order mark, which Excel needs to see UTF-8.

    A cell that a spreadsheet would take for a formula is quoted with an apostrophe.
    """

    def lines() -> Iterator[str]:
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        buffer.write("\ufeff")
        writer.writerow([visit.say(column.title) for column in table.columns])
        for row in rows:
            writer.writerow([_cell(column, row, visit) for column in table.columns])
            if buffer.tell() > 1 << 16:
                yield buffer.getvalue()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue()

    disposition = f'attachment; filename="{name}.csv"'
    return StreamingResponse(
        lines(), media_type="text/csv; charset=utf-8", headers={"content-disposition": disposition}
    )


def _cell(column: Column, row: Any, visit: Visit) -> str:
    value = column.raw(row) if column.raw is not None else column.show(row, visit)
    if isinstance(value, Markup):
        value = value.striptags()
    text = when(value) if column.kind == "time" and isinstance(value, int) else str(value)
    return f"'{text}" if len(text) > 1 and _FORMULA.match(text) else text


def _filtered(table: Table, asked: Asked) -> Select[Any]:
    found = [
        condition for column in table.columns for condition in _conditions(column, asked.filters)
    ]
    return table.rows.where(and_(*found)) if found else table.rows


def _conditions(column: Column, filters: Mapping[str, str]) -> Iterator[ColumnElement[bool]]:
    value, source = filters.get(column.key, ""), column.source
    if column.match is not None:
        if value:
            yield column.match(value)
        return
    if source is None:
        return
    if column.kind == "time":
        if (begin := _day(filters.get(f"{column.key}_from", ""))) is not None:
            yield source >= int(begin.timestamp())
        if (end := _day(filters.get(f"{column.key}_to", ""))) is not None:
            yield source < int((end + timedelta(days=1)).timestamp())
        return
    if not value:
        return
    if column.kind == "choice":
        if value in column.choices:
            yield source == value
    elif column.kind == "code":
        yield source.startswith(value, autoescape=True)
    elif column.kind == "text":
        yield source.contains(value, autoescape=True)


def _ordered(table: Table, asked: Asked, statement: Select[Any]) -> Select[Any]:
    (source,) = [one.source for one in table.columns if one.key == asked.sort]
    assert source is not None  # noqa: S101  # `read` chose one that has it
    if asked.descending:
        return statement.order_by(source.desc(), table.key.desc())
    return statement.order_by(source, table.key)


def _day(text: str) -> datetime | None:
    try:
        found = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=CHINA)
    except ValueError:
        return None
    return found if 1970 <= found.year < 9999 else None
