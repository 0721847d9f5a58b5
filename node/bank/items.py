"""What became of each question of a batch, kept as it is settled, so that a page can show how far a
batch has come whichever process runs it, and a part of its results without opening the rest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from node.bank.tables import bank_batch_items, bank_batches
from node.keys import KeyEncryptionKey

RUNNING: Final = "running"
DONE: Final = "done"
CANCELLED: Final = "cancelled"


@dataclass(frozen=True)
class Item:
    """What became of one question: a result document, or a problem."""

    index: int
    result: dict[str, Any] | None = field(default=None, repr=False)
    problem: dict[str, dict[str, Any]] | None = None
    """The problem document in each language."""

    def to_dict(self, language: str) -> dict[str, Any]:
        """For a line of a file, or a member of an answer."""
        if self.problem is not None:
            return {"index": self.index, "error": self.problem[language]}
        return {"index": self.index, "result": self.result}


@dataclass(frozen=True)
class Standing:
    """How far a batch has come. `first` and `last` are when its first and its latest question were
    settled, in unix seconds; None while none is.
    """

    state: str
    created: int
    size: int
    answered: int
    failed: int
    first: int | None
    last: int | None

    @property
    def settled(self) -> int:
        """Questions with a result or a problem."""
        return self.answered + self.failed

    def seconds_left(self) -> int | None:
        """About how long the rest takes, by what was settled so far; None where nobody can say."""
        if self.first is None or self.last is None or self.last <= self.first or self.settled < 2:
            return None
        each = (self.last - self.first) / (self.settled - 1)
        return max(1, round(each * (self.size - self.settled)))


class BatchItems:
    """Reads and writes what became of questions; `key` seals problems."""

    def __init__(self, key: KeyEncryptionKey) -> None:
        self._key = key

    def put(self, connection: Connection, batch: bytes, item: Item, now: int) -> bool:
        """Keeps what became of a question, in place of what was there; whether the batch goes on:
        false for one that was cancelled meanwhile.
        """
        columns = bank_batch_items.c
        here = (columns.batch == batch, columns.number == item.index)
        connection.execute(delete(bank_batch_items).where(*here))
        result = None if item.result is None else bytes.fromhex(item.result["id"])
        problem = None
        if item.problem is not None:
            raw = json.dumps(item.problem, ensure_ascii=False).encode()
            problem = self._key.seal(raw, _aad(batch, item.index))
        connection.execute(
            insert(bank_batch_items).values(
                batch=batch, number=item.index, time=now, result=result, problem=problem
            )
        )
        return state_of(connection, batch) != CANCELLED

    def problem(self, batch: bytes, number: int, sealed: bytes) -> dict[str, dict[str, Any]]:
        """A problem document in each language, as `put` sealed it."""
        found: dict[str, dict[str, Any]] = json.loads(
            self._key.open(sealed, _aad(batch, number)),
        )
        return found


def state_of(connection: Connection, batch: bytes) -> str | None:
    """`running`, `done` or `cancelled`; None for a batch that is not there."""
    return connection.scalar(select(bank_batches.c.state).where(bank_batches.c.id == batch))


def cancel(connection: Connection, batch: bytes) -> bool:
    """No further question of a batch is asked; false for one that does not run."""
    columns = bank_batches.c
    changed = connection.execute(
        update(bank_batches)
        .where(columns.id == batch, columns.state == RUNNING)
        .values(state=CANCELLED)
    )
    return changed.rowcount == 1


def standing(connection: Connection, batch: bytes, officer: bytes) -> Standing | None:
    """How far a batch has come that this officer (a tag) uploaded; None for any other."""
    columns, item = bank_batches.c, bank_batch_items.c
    row = connection.execute(
        select(columns.state, columns.created, columns.size).where(
            columns.id == batch, columns.officer == officer
        )
    ).one_or_none()
    if row is None:
        return None
    counts = connection.execute(
        select(
            func.count(item.result),
            func.count(item.problem),
            func.min(item.time),
            func.max(item.time),
        ).where(item.batch == batch)
    ).one()
    answered, failed, first, last = counts
    return Standing(row.state, row.created, row.size or 0, answered, failed, first, last)


def _aad(batch: bytes, number: int) -> bytes:
    return b"yinxin/bank/batch-item/v1\x00" + batch + number.to_bytes(4, "big")
