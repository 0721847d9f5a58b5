"""Inserting many rows of which some may be there already, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts the rows whose primary key is free; a row that is there stays as it is.

    Within a unit of work. All rows have the same columns.
    """
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).on_conflict_do_nothing()
    connection.execute(statement, [dict(row) for row in rows])


def insert_returning_new(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], key: Column[Any]
) -> set[Any]:
    """`insert_new`, and the `key` of the rows that were not there."""
    if not rows:
        return set()
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).on_conflict_do_nothing().returning(key)
    return set(connection.execute(statement, [dict(row) for row in rows]).scalars())
