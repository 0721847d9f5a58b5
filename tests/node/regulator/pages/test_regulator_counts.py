"""Counts and tables of the inspector's pages, on every kind of database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text

from node.days import DAY, day_start
from node.pages.tables import Asked, fetch
from node.regulator.audit.days import keep_days
from node.regulator.findings import keep_findings
from node.regulator.mirror.books import MirroredLog, save_log
from node.regulator.overview import (
    Counts,
    Period,
    finding_counts,
    known_banks,
    log_health,
    still_consented,
    tally,
)
from node.regulator.pages.findings import finding_table
from node.regulator.pages.names import Names
from node.regulator.pages.queries import Looked, query_table
from node.regulator.tables import audit_queries
from node.storage import Store
from node.storage.rows import insert_returning_new
from scoring.documents import Text
from tests.node.regulator.pages.world import finding

NOW = 1_800_000_000
MODEL = bytes(31) + b"\x07"
NAMES = Names("csj.yinxin.example", {"zh": {}, "en": {}})


def row(number: int, **changes: Any) -> dict[str, Any]:
    audience = ["h1", "h2"] if number % 2 else ["h1"]
    return {
        "id": number.to_bytes(32, "big"), "index": number, "time": NOW - number * DAY // 4,
        "bank": "b1" if number % 3 else "b2", "officer": f"o-{number}", "reference": "",
        "purpose": "02", "uscc_tag": b"", "uscc": b"", "consent": b"c" * 32,
        "consent_expires": NOW, "model": MODEL, "epoch": 1, "named": False, "verified": True,
        "record": json.dumps({"audience": audience}),
    } | changes  # fmt: skip


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


def kept(connection: Connection, rows: list[dict[str, Any]]) -> None:
    new = insert_returning_new(connection, audit_queries, rows, audit_queries.c.id)
    keep_days(connection, [one for one in rows if one["id"] in new])


def test_what_is_kept_again_is_counted_once(store: Store) -> None:
    rows = [row(n) for n in range(12)]
    rows[5] = row(5, verified=False, consent=None, consent_expires=None)
    store.run_blocking(lambda c: kept(c, rows[:8]))
    store.run_blocking(lambda c: kept(c, rows))
    today = day_start(NOW)
    week = Period(today - 6 * DAY, today + DAY)
    found = store.read_blocking(lambda c: tally(c, week))
    assert found.whole == Counts(12, 11, 11)
    assert dict(found.holders) == {"h1": 12, "h2": 6}
    assert [(bank, one.queries) for bank, one in found.banks] == [("b1", 8), ("b2", 4)]
    assert sum(one.queries for one in found.days.values()) == 12
    one_day = store.read_blocking(lambda c: tally(c, Period(today, today + DAY, "b1", "02")))
    assert 0 < one_day.whole.queries < 8
    assert store.read_blocking(lambda c: still_consented(c, week, NOW - 1)) == 11
    assert store.read_blocking(lambda c: still_consented(c, week, NOW)) == 0
    narrow = Period(week.begin, week.end, "b2", "02")
    assert store.read_blocking(lambda c: still_consented(c, narrow, NOW - 1)) == 4
    none = store.read_blocking(lambda c: tally(c, Period(today, today + DAY, "b1", "01")))
    assert none.whole == Counts() and not none.days
    assert store.read_blocking(known_banks) == ["b1", "b2"]


def test_the_tables_filter_by_what_an_address_says(store: Store) -> None:
    rows = [row(n, named=n == 3, verified=n != 4) for n in range(6)]
    rows[2]["consent"] = None

    def unit(connection: Connection) -> None:
        connection.execute(insert(audit_queries), rows)
        keep_findings(connection, [finding(rows[1]["id"]), finding(None)], NOW)

    store.run_blocking(unit)
    assert store.read_blocking(finding_counts) == {("critical", "open"): 2}
    models = {MODEL.hex(): Text(zh="m", en="m")}
    table = query_table(NAMES, {"b1": Text(zh="b1", en="b1")}, models, Looked())

    def numbers(sort: str = "time", **filters: str) -> list[int]:
        asked = Asked(sort, True, 1, 25, filters)
        shown = store.read_blocking(lambda c: fetch(c, table, asked, "/queries"))
        assert shown.total == len(shown.rows)
        return [int.from_bytes(one.id) for one in shown.rows]

    assert numbers() == [0, 1, 2, 3, 4, 5]
    assert numbers("model", model=MODEL.hex()) == [5, 4, 3, 2, 1, 0]
    assert numbers(bank="b1") == [1, 2, 4, 5]
    assert numbers(named="yes") == [3] and numbers(verified="no") == [4]
    assert numbers(consent="no") == [2] and numbers(findings="yes") == [1]
    assert numbers(officer="o-5", findings="no") == [5]
    subjects = finding_table(NAMES, {"s": Text(zh="s", en="s")})
    asked = Asked("first_seen", True, 1, 25, {"state": "open", "subject": "s"})
    shown = store.read_blocking(lambda c: fetch(c, subjects, asked, "/findings"))
    assert shown.total == 2


def test_the_newest_queries_are_found_by_an_index(tmp_path: Path) -> None:
    table = audit_queries.c
    store = Store.open(f"sqlite:///{tmp_path}/node.sqlite")
    for where, index in (
        (table.epoch >= 0, "ix_audit_queries_time"),
        (table.bank == "b1", "ix_audit_queries_bank_time"),
        (table.verified.is_(False), "ix_audit_queries_verified_time"),
    ):
        asked = select(table.id).where(where).order_by(table.time.desc(), table.id.desc()).limit(25)
        whole = asked.compile(store.engine, compile_kwargs={"literal_binds": True})
        plan = store.read_blocking(_plan(f"EXPLAIN QUERY PLAN {whole}"))
        assert index in plan, plan
    store.close()


def _plan(statement: str) -> Callable[[Connection], str]:
    return lambda connection: str(connection.execute(text(statement)).all())


def test_logs_that_need_looking_at_come_first(store: Store) -> None:
    logs = {
        "ok": MirroredLog("a", size=5, checked_at=NOW),
        "fresh": MirroredLog("b", size=5, uncosigned_since=NOW - 60),
        "behind": MirroredLog("c", size=5, uncosigned_since=NOW - 61),
        "away": MirroredLog("d", state="away", fault="log-away"),
        "faulty": MirroredLog("e", state="faulty", fault="log-fork"),
    }

    def unit(connection: Connection) -> None:
        for log in logs.values():
            save_log(connection, log)

    store.run_blocking(unit)
    health = store.read_blocking(lambda c: log_health(c, NOW, 60))
    states = [(one.log.log, one.state, one.fault) for one in health]
    assert states == [
        ("e", "faulty", "log-fork"), ("d", "away", "log-away"), ("c", "behind", ""),
        ("a", "ok", ""), ("b", "ok", ""),
    ]  # fmt: skip
