"""Rows behind the pages of every role, put straight into the nodes' databases while they are down.

A row is a copy of one that the chain made by itself, with its own identifier and an earlier time;
what is sealed in it cannot be opened, so the rows that a page opens are the real, newest ones.
Where the chain made none, as no firm disputes and no audit complains, `_FIRST` is copied.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, Table, insert, select

from federation.audit.findings import FindingKind
from federation.identity import Role
from node.bank.tables import bank_asked
from node.holder.tables import (
    holder_answer_days,
    holder_disputes,
    holder_permits,
    holder_rejections,
)
from node.hub.tables import hub_consents, hub_permits, hub_usage, hub_uses
from node.pages.accounts.tables import account_signins
from node.regulator.tables import audit_days, audit_findings, audit_queries

DAY: Final = 86_400
_AT_ONCE: Final = 5_000

Change = Callable[[int, int], Mapping[str, Any]]
"""What the copy of that number has of its own, given the time it stands for."""


def seed(connection: Connection, role: Role, rows: int, now: int) -> dict[str, int]:
    """Puts `rows` rows into each of the role's large tables, spread over twelve weeks before `now`.

    Returns how many went into which table; a table without a row to copy stays as it is.
    """
    made = {account_signins.name: _copies(connection, account_signins, rows, now, _signin)}
    for table, change in _CHANGES[role].items():
        made[table.name] = _copies(connection, table, rows, now, change)
    for table, days in _DAYS[role].items():
        made[table.name] = _by_day(connection, table, days, now)
    return made


def _copies(connection: Connection, table: Table, rows: int, now: int, change: Change) -> int:
    template = connection.execute(select(table).limit(1)).mappings().first() or _FIRST.get(table)
    if template is None:
        return 0
    keys = {
        column.name: len(template.get(column.name, bytes(16)))
        for column in table.primary_key
        if isinstance(column.type, LargeBinary)
    }
    oldest = now - 84 * DAY

    def copies() -> Iterable[dict[str, Any]]:
        for n in range(rows):
            at = oldest + n * 83 * DAY // rows
            own = {key: os.urandom(size) for key, size in keys.items()}
            yield {**template, **own, **change(n, at)}

    _insert(connection, table, copies())
    return rows


def _by_day(connection: Connection, table: Table, names: tuple[str, ...], now: int) -> int:
    """For each of the last 84 days what the days that there are have, as often."""
    found = [dict(row) for row in connection.execute(select(table)).mappings()]
    own = {row["day"] for row in found}
    unit = DAY if own and max(own) > 10 * DAY else 1
    wanted = [
        {**row, "day": day, **{name: row[name] + back % 37 for name in names}}
        for back in range(1, 85)
        for row in found
        if (day := row["day"] - back * unit) not in own
    ]
    _insert(connection, table, wanted)
    return len(wanted)


def _insert(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    part: list[dict[str, Any]] = []
    for row in rows:
        part.append(row)
        if len(part) == _AT_ONCE:
            connection.execute(insert(table), part)
            part = []
    if part:
        connection.execute(insert(table), part)


def _signin(n: int, at: int) -> dict[str, Any]:
    return {"time": at}


_KINDS: Final = tuple(FindingKind)
_FIRST: Final[dict[Table, dict[str, Any]]] = {
    account_signins: {
        "account": bytes(16), "name": "01", "outcome": "failed", "address": "192.0.2.1",
    },
    audit_findings: {"query": None, "subject": "a bank", "evidence": "{}", "note": ""},
    holder_disputes: {
        "receipt": b"", "entry": b"", "sealed": None, "answered_by": "engineer",
        "outcome": "corrected", "answer": None, "answer_entry": None,
    },
}  # fmt: skip
_CHANGES: Final[dict[Role, dict[Table, Change]]] = {
    Role.REGULATOR: {
        audit_queries: lambda n, at: {
            "time": at, "index": 10_000_000 + n, "uscc_tag": os.urandom(32),
            "reference": f"R-{n:06}",
        },
        audit_findings: lambda n, at: {
            "first_seen": at, "state": ("open", "explained", "confirmed")[n % 3],
            "kind": (kind := _KINDS[n % len(_KINDS)]).value, "severity": kind.severity.value,
        },
    },
    Role.BANK: {
        bank_asked: lambda n, at: {
            "time": at, "reference": os.urandom(32), "firm": os.urandom(32),
        },
    },
    Role.HUB: {
        hub_consents: lambda n, at: {"kept_at": at},
        hub_permits: lambda n, at: {},
        hub_uses: lambda n, at: {},
    },
    Role.HOLDER: {
        holder_permits: lambda n, at: {"answered_at": at, "blinded": os.urandom(32)},
        holder_rejections: lambda n, at: {"row": 1_000_000 + n},
        holder_disputes: lambda n, at: {
            "received_at": at, "due": at + 20 * DAY, "firm": os.urandom(32),
            "statement": os.urandom(32), "answered_at": at + DAY, "erased_at": at + 2 * DAY,
        },
    },
}  # fmt: skip
_DAYS: Final[dict[Role, dict[Table, tuple[str, ...]]]] = {
    Role.REGULATOR: {audit_days: ("queries", "verified", "consented")},
    Role.BANK: {},
    Role.HUB: {hub_usage: ("count",)},
    Role.HOLDER: {holder_answer_days: ("count",)},
}
