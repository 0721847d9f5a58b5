"""Renders the mapping files of the sample from the declarations of `presentation`."""

from __future__ import annotations

import json
from datetime import date

from node.sample.files import file_name, query
from node.sample.presentation import NO, YES, Column, Table

_HEAD = """\
# {title}: how this holder's table becomes the catalogue's features of kind "{kind}".
# Paths are relative to this file. Conversions: number, percent, wan_yuan, months_since,
# {{ type = "factor" }}, {{ type = "categories" }}, {{ type = "flag" }}; see docs/sample.md.

format = "yinxin-mapping/1"
kind = "{kind}"
# The day that the data describe; whoever opens an epoch may give another.
as_of = {as_of}
# The column that holds the unified social credit code.
key = {key}

[source]
{source}

[limits]
# Above this share of rejected rows the whole ingest fails, and the old data stay in use.
rejected_share = 0.05
"""


def mapping_toml(table: Table, as_of: date, folder: str = "..") -> str:
    """Return the mapping file of `table`; `folder` leads from it to the holder's file."""
    head = _HEAD.format(
        title=table.title,
        kind=table.kind,
        as_of=as_of.isoformat(),
        key=_text(table.key),
        source=_source(table, folder),
    )
    return "\n".join([head, *(_feature(table, column) for column in table.columns)])


def _source(table: Table, folder: str) -> str:
    path = f"{folder}/{file_name(table)}"
    if table.source != "sql":
        lines = [f'type = "{table.source}"', f"path = {_text(path)}"]
        if table.encoding != "utf-8":
            lines.append(f'encoding = "{table.encoding}"')
        return "\n".join(lines)
    return "\n".join(
        (
            'type = "sql"',
            "# Any SQLAlchemy URL; where it holds a password, put it into a file of its own",
            '# and write url_file = "secret.url" instead. The query may use the parameters',
            "# :as_of (a date) and :as_of_month (text such as 2026-05).",
            f"url = {_text('sqlite:///' + path)}",
            f"query = {_text(query(table))}",
        )
    )


def _feature(table: Table, column: Column) -> str:
    lines = [f"[features.{column.feature}]", f"column = {_text(column.header)}"]
    lines += _conversion(table, column)
    if table.markers:
        lines.append(f"missing = {_texts(table.markers)}")
    if column.highest is not None:
        lines.append(f"range = [{column.lowest:.12g}, {column.highest:.12g}]")
    return "\n".join(lines) + "\n"


def _conversion(table: Table, column: Column) -> list[str]:
    if column.form == "number":
        return []
    if column.form == "factor":
        return [f'convert = {{ type = "factor", factor = {column.factor:.12g} }}']
    if column.form == "flag":
        yes, no = (YES, NO) if table.source == "csv" else ("1", "0")
        return [f'convert = {{ type = "flag", yes = [{_text(yes)}], no = [{_text(no)}] }}']
    if column.form == "categories":
        values = ", ".join(f"{_text(word)} = {_text(c)}" for c, word in column.texts.items())
        return [f'convert = {{ type = "categories", values = {{ {values} }} }}']
    return [f'convert = "{column.form}"']


def _text(value: str) -> str:
    """Return a TOML basic string; JSON's escapes are a subset of TOML's."""
    return json.dumps(value, ensure_ascii=False)


def _texts(values: tuple[str, ...]) -> str:
    return f"[{', '.join(_text(value) for value in values)}]"
