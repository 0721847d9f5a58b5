"""Counts of audited queries by day, bank, purpose and holder, kept as the audit goes on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from node.days import day_start
from node.regulator.tables import audit_days

ALL: Final = ""
"""Stands for the holder where queries are counted once, whichever holders they are to."""
_COUNTS: Final = ("queries", "verified", "consented")


def count_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What rows of `audit_queries` add to rows of `audit_days`."""
    found: dict[tuple[int, str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in rows:
        audience = json.loads(row["record"])["audience"]
        for holder in (ALL, *audience):
            counts = found[day_start(row["time"]), row["bank"], row["purpose"], holder]
            counts[0] += 1
            counts[1] += bool(row["verified"])
            counts[2] += row["consent"] is not None
    keys = ("day", "bank", "purpose", "holder")
    return [
        dict(zip(keys, key, strict=True)) | dict(zip(_COUNTS, counts, strict=True))
        for key, counts in sorted(found.items())
    ]


def keep_days(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Adds rows that were put into `audit_queries` to the counts. Within the same unit of work."""
    counted = count_rows(rows)
    if not counted:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(audit_days)
    table, added = audit_days.c, statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=[table.day, table.bank, table.purpose, table.holder],
        set_={name: table[name] + added[name] for name in _COUNTS},
    )
    connection.execute(statement, counted)
