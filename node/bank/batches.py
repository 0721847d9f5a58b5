"""Batches: many questions, a bounded number at once, each with its own result.

A batch is a list of independent queries under keys that follow from the batch, so that one that
was interrupted goes on where it stopped: what is answered is not asked again, and what was under
way sends the same elements. One question that fails stops no other.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select, update

from federation.canonical import canonical_json, parse_canonical
from federation.errors import FederationError
from node.bank.agent import Agent
from node.bank.asking import Ask
from node.bank.errors import BankError
from node.bank.ledger import ID_BYTES, State
from node.bank.problems import problem_of
from node.bank.queries import Queries
from node.bank.tables import bank_batches
from node.bank.texts import Code
from node.errors import NodeError
from scoring.errors import ScoringError

MOST_ITEMS = 10_000
AT_ONCE = 8
MAX_BATCH_BYTES = 128 << 20

_RUNNING, _DONE = "running", "done"


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


@dataclass
class Batch:
    """A batch and how far it has come."""

    id: bytes
    asks: tuple[Ask, ...] = field(repr=False)
    items: dict[int, Item] = field(default_factory=dict, repr=False)
    done: bool = False


Progress = Callable[[Item, int, int], None]
"""Told an item as it is settled, how many are, and of how many."""


class Batches:
    """Runs batches, and keeps which there are."""

    def __init__(self, agent: Agent, queries: Queries) -> None:
        self._agent = agent
        self._queries = queries
        self._key = agent.runtime.identity.storage

    async def begin(self, asks: Sequence[Ask], key: str) -> Batch:
        """The batch under a key, kept so that it can be continued. Raises BankError for a key
        that was used for other questions, and for none or too many of them.
        """
        if not 1 <= len(asks) <= MOST_ITEMS:
            reason = f"has {len(asks)} items, from 1 to {MOST_ITEMS} are taken"
            raise BankError(Code.BODY_INVALID, "items", reason=reason)
        raw = _content(asks, {})
        body = self._key.tag(b"bank/batch-body", raw)
        tag = self._key.tag(b"bank/batch-key", key.encode())
        identifier = secrets.token_bytes(ID_BYTES)

        def unit(connection: Connection) -> tuple[bytes, bytes]:
            columns = bank_batches.c
            row = connection.execute(
                select(columns.id, columns.body).where(columns.key == tag)
            ).one_or_none()
            if row is not None:
                return bytes(row.id), bytes(row.body)
            connection.execute(
                insert(bank_batches).values(
                    id=identifier,
                    key=tag,
                    body=body,
                    state=_RUNNING,
                    created=self._agent.now(),
                    sealed=self._key.seal(raw, _aad(identifier)),
                )
            )
            return identifier, body

        kept, kept_body = await self._agent.write(unit)
        if kept_body != body:
            raise BankError(Code.KEY_REUSED, "Idempotency-Key")
        return Batch(kept, tuple(asks))

    async def load(self, identifier: bytes) -> Batch:
        """A batch that was begun. Raises BankError(batch_unknown)."""
        row = await self._agent.read(
            lambda c: c.execute(
                select(bank_batches.c.sealed, bank_batches.c.state).where(
                    bank_batches.c.id == identifier
                )
            ).one_or_none()
        )
        if row is None:
            raise BankError(Code.BATCH_UNKNOWN, "batch")
        value = parse_canonical(
            self._key.open(bytes(row.sealed), _aad(identifier)), MAX_BATCH_BYTES
        )
        asks = tuple(Ask.from_json(text.encode()) for text in value["asks"])
        batch = Batch(identifier, asks, done=row.state == _DONE)
        problems = value["problems"]
        answered = await self._agent.read(lambda c: self._answered(c, batch))
        batch.items = {int(n): Item(int(n), problem=said) for n, said in problems.items()}
        batch.items |= {n: Item(n, result) for n, result in answered.items()}
        return batch

    def _answered(self, connection: Connection, batch: Batch) -> dict[int, dict[str, Any]]:
        """The results that are kept of a batch."""
        found = {}
        for index in range(len(batch.asks)):
            row = self._queries.ledger.by_key(connection, self._queries.tag(_key(batch, index)))
            if row is not None and row.state is State.ANSWERED:
                found[index] = row.content["result"]
        return found

    async def unfinished(self) -> list[bytes]:
        """The batches that were interrupted, the oldest first."""
        columns = bank_batches.c
        query = select(columns.id).where(columns.state == _RUNNING).order_by(columns.created)
        return await self._agent.read(
            lambda c: [bytes(identifier) for identifier in c.execute(query).scalars()]
        )

    async def run(
        self, batch: Batch, progress: Progress | None = None, at_once: int = AT_ONCE
    ) -> Batch:
        """Asks every question of a batch that is not answered yet; `at_once` of them at a time."""
        gate = asyncio.Semaphore(at_once)

        async def one(index: int) -> None:
            async with gate:
                item = await self._ask(batch, index)
            batch.items[index] = item
            if progress is not None:
                progress(item, len(batch.items), len(batch.asks))

        async with asyncio.TaskGroup() as group:
            for index in range(len(batch.asks)):
                group.create_task(one(index))
        batch.done = True
        problems = {str(n): i.problem for n, i in batch.items.items() if i.problem is not None}
        sealed = self._key.seal(_content(batch.asks, problems), _aad(batch.id))

        def unit(connection: Connection) -> None:
            connection.execute(
                update(bank_batches)
                .where(bank_batches.c.id == batch.id)
                .values(state=_DONE, sealed=sealed)
            )

        await self._agent.write(unit)
        return batch

    async def _ask(self, batch: Batch, index: int) -> Item:
        try:
            answer = await self._queries.ask(batch.asks[index], _key(batch, index))
        except (NodeError, FederationError, ScoringError) as error:
            problem = problem_of(error)
            return Item(index, problem={lang: problem.to_dict(lang) for lang in ("zh", "en")})
        return Item(index, answer.result)


def read_lines(text: str) -> list[Ask]:
    """The questions of a JSONL file: an object with consent and purpose on each line, and officer,
    reference and model where wanted. Raises BankError naming the line.
    """
    asks = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise _bad_line(number, "is no JSON") from error
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise _bad_line(number, "is no object of texts")
        unknown = set(value) - {"consent", "purpose", "officer", "reference", "model"}
        missing = {"consent", "purpose"} - set(value)
        if unknown or missing:
            reason = f"unknown: {', '.join(sorted(unknown))}" if unknown else "consent and purpose"
            raise _bad_line(number, reason if unknown else f"needs {reason}")
        asks.append(Ask(**value))
    return asks


def _key(batch: Batch, index: int) -> str:
    return f"batch {batch.id.hex()} {index}"


def _content(asks: Sequence[Ask], problems: Mapping[str, object]) -> bytes:
    return canonical_json(
        {"asks": [ask.to_json().decode() for ask in asks], "problems": dict(problems)}
    )


def _bad_line(number: int, reason: str) -> BankError:
    return BankError(Code.BATCH_INVALID, "batch", line=number, reason=reason)


def _aad(identifier: bytes) -> bytes:
    return b"yinxin/bank/batch/v1\x00" + identifier
