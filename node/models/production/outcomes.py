"""What became of firms that were asked about: the bank's own knowledge, kept sealed beside queries.

A CSV file with the columns `outcome` (1 or bad, 0 or good), `date` (YYYY-MM-DD, when it was known)
and `query` (a query's id) or `reference` (the bank's own, which may have several queries). An
outcome counts for queries that were answered no later than on its day: a score that was asked
after the default was known foretells nothing. A later file replaces what it names again.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from node.bank.tables import bank_outcomes
from node.errors import NodeError
from node.keys import KeyEncryptionKey
from node.models.production.results import Result

_WORDS: Final = {"1": True, "bad": True, "0": False, "good": False}


class OutcomeError(NodeError):
    """A file of outcomes that cannot be read, or names what is not there."""


@dataclass(frozen=True)
class Outcome:
    """Whether a firm defaulted, and the day on which that was known."""

    bad: bool
    day: date


@dataclass(frozen=True)
class Line:
    """A line of the file: which query, or which reference, and what became of it."""

    number: int
    query: bytes
    reference: str
    outcome: Outcome


def read_outcomes(text: str) -> list[Line]:
    """The lines of a file. Raises OutcomeError naming line and column."""
    table = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    try:
        names = set(table.fieldnames or ())
        if not {"outcome", "date"} <= names or not names & {"query", "reference"}:
            raise OutcomeError("outcomes: give the columns outcome, date, and query or reference")
        return [_line(number, row) for number, row in enumerate(table, 2)]
    except csv.Error as failure:
        raise OutcomeError(f"outcomes: no CSV ({failure}); save the file again") from None


def _line(number: int, row: Mapping[Any, Any]) -> Line:
    cells = {name: (row[name] or "").strip() for name in row if name is not None}
    bad = _WORDS.get(cells["outcome"].lower())
    if bad is None:
        raise OutcomeError(f"line {number}, outcome: {cells['outcome']!r}; give 1 (bad) or 0")
    try:
        day = date.fromisoformat(cells["date"])
    except ValueError as failure:
        raise OutcomeError(f"line {number}, date: {cells['date']!r}; give YYYY-MM-DD") from failure
    try:
        query = bytes.fromhex(cells.get("query", ""))
    except ValueError as failure:
        raise OutcomeError(f"line {number}, query: no id; copy it from the result") from failure
    reference = cells.get("reference", "")
    if bool(query) == bool(reference):
        raise OutcomeError(f"line {number}: give either query or reference, not both or neither")
    return Line(number, query, reference, Outcome(bad, day))


@dataclass(frozen=True)
class Matched:
    """Outcomes by query id; the lines that no answered query belongs to; those known before."""

    outcomes: Mapping[bytes, Outcome]
    unknown: tuple[int, ...]
    known_before: tuple[int, ...]


def match(lines: Sequence[Line], results: Iterable[Result]) -> Matched:
    """Which queries the lines are about."""
    by_id: dict[bytes, list[Result]] = {}
    by_reference: dict[str, list[Result]] = {}
    for result in results:
        by_id[result.id] = [result]
        if result.reference:
            by_reference.setdefault(result.reference, []).append(result)
    outcomes: dict[bytes, Outcome] = {}
    unknown, early = [], []
    for line in lines:
        found = by_id.get(line.query, []) if line.query else by_reference.get(line.reference, [])
        in_time = [r for r in found if _day(r.answered_at) <= line.outcome.day]
        outcomes.update((r.id, line.outcome) for r in in_time)
        if not found:
            unknown.append(line.number)
        elif not in_time:
            early.append(line.number)
    return Matched(outcomes, tuple(unknown), tuple(early))


def _day(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()


class OutcomeRecords:
    """Reads and writes the table of outcomes; `key` seals them."""

    def __init__(self, key: KeyEncryptionKey) -> None:
        self._key = key

    def put(self, connection: Connection, outcomes: Mapping[bytes, Outcome]) -> None:
        """Keeps outcomes by query id, in place of those that are there."""
        for identifier, outcome in outcomes.items():
            value: dict[str, Any] = {"bad": outcome.bad, "date": outcome.day.isoformat()}
            sealed = self._key.seal(json.dumps(value).encode(), _aad(identifier))
            table = bank_outcomes
            connection.execute(delete(table).where(table.c.query == identifier))
            connection.execute(insert(table).values(query=identifier, sealed=sealed))

    def all(self, connection: Connection) -> dict[bytes, Outcome]:
        """Every outcome, by query id."""
        found = {}
        for row in connection.execute(select(bank_outcomes)):
            value = json.loads(self._key.open(bytes(row.sealed), _aad(bytes(row.query))))
            found[bytes(row.query)] = Outcome(value["bad"], date.fromisoformat(value["date"]))
        return found


def _aad(identifier: bytes) -> bytes:
    return b"yinxin/bank/outcome/v1\x00" + identifier
