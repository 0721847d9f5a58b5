"""Batches: many questions, a bounded number at once, each with its own result.

A batch is a list of independent queries under keys that follow from the batch, so that one that
was interrupted goes on where it stopped: what is answered is not asked again, and what was under
way sends the same elements. One question that fails stops no other. Each goes to the chain that
enrols its firm.

A question that fails because a chain or one of its holders is away has not failed: the batch waits
and tries again by itself, with the same elements, for as long as the consent holds. It spends no
second use of a consent, whatever happens to it.
"""

from __future__ import annotations

import asyncio
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
from node.bank.items import CANCELLED, DONE, RUNNING, BatchItems, Item, cancel, state_of
from node.bank.joint import Joint
from node.bank.ledger import ID_BYTES, State
from node.bank.problems import Problem, problem_of
from node.bank.queries import Queries
from node.bank.tables import bank_batches
from node.bank.texts import Code
from node.bank.waiting import Backoff, Waiting
from node.errors import NodeError
from scoring.errors import ScoringError

MOST_ITEMS = 10_000
AT_ONCE = 8
MAX_BATCH_BYTES = 128 << 20

_FAILURES = (NodeError, FederationError, ScoringError)


@dataclass
class Batch:
    """A batch and how far it has come."""

    id: bytes
    asks: tuple[Ask, ...] = field(repr=False)
    items: dict[int, Item] = field(default_factory=dict, repr=False)
    done: bool = False
    cancelled: bool = False
    """No further question is asked."""
    waiting: dict[str, Waiting] = field(default_factory=dict, repr=False)
    """What it waits for now, by chain."""

    def settle(self, item: Item) -> None:
        """One more item that is settled."""
        self.items[item.index] = item


Progress = Callable[[Item, int, int], None]
"""Told an item as it is settled, how many are, and of how many."""
Waits = Callable[[Mapping[str, Waiting]], None]
"""Told what the batch waits for, by chain, whenever that changes."""


class Batches:
    """Runs batches, and keeps which there are."""

    def __init__(self, agent: Agent, queries: Queries, joint: Joint) -> None:
        self._agent = agent
        self._queries = queries
        self._joint = joint
        self._key = agent.runtime.identity.storage
        self.items = BatchItems(self._key)

    async def begin(self, asks: Sequence[Ask], key: str, officer: str | None = None) -> Batch:
        """The batch under a key, kept so that it can be continued; `officer` is whose it is on the
        pages. Raises BankError for a key that was used for other questions, and for none or too
        many of them.
        """
        if not 1 <= len(asks) <= MOST_ITEMS:
            reason = f"has {len(asks)} items, from 1 to {MOST_ITEMS} are taken"
            raise BankError(Code.BODY_INVALID, "items", reason=reason)
        raw = _content(asks, {})
        body = self._key.tag(b"bank/batch-body", raw)
        tag = self._key.tag(b"bank/batch-key", key.encode())
        identifier = secrets.token_bytes(ID_BYTES)
        owner = None if officer is None else self._queries.ledger.index.officer(officer)

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
                    state=RUNNING,
                    created=self._agent.now(),
                    sealed=self._key.seal(raw, _aad(identifier)),
                    officer=owner,
                    size=len(asks),
                )
            )
            return identifier, body

        kept, kept_body = await self._agent.write(unit)
        if kept_body != body:
            raise BankError(Code.KEY_REUSED, "Idempotency-Key")
        return Batch(kept, tuple(asks))

    async def interrupted(self, asks: Sequence[Ask]) -> Batch | None:
        """The batch of just these questions that was begun and is not done, the newest one."""
        body = self._key.tag(b"bank/batch-body", _content(asks, {}))
        columns = bank_batches.c
        query = (
            select(columns.id)
            .where(columns.body == body, columns.state == RUNNING)
            .order_by(columns.created.desc())
        )
        found = await self._agent.read(lambda c: c.execute(query).scalars().first())
        return None if found is None else Batch(bytes(found), tuple(asks))

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
        cancelled = row.state == CANCELLED
        batch = Batch(identifier, asks, done=row.state == DONE or cancelled, cancelled=cancelled)
        problems = value["problems"]
        answered = await self._agent.read(lambda c: self._answered(c, batch))
        batch.items = {int(n): Item(int(n), problem=said) for n, said in problems.items()}
        batch.items |= {n: Item(n, result) for n, result in answered.items()}
        return batch

    def _answered(self, connection: Connection, batch: Batch) -> dict[int, dict[str, Any]]:
        """The results that are kept of a batch."""
        found = {}
        for index in range(len(batch.asks)):
            key = _key(batch, index)
            if batch.asks[index].joint:
                result = self._joint.kept(connection, key)
                if result is not None:
                    found[index] = result
                continue
            row = self._queries.ledger.by_key(connection, self._queries.tag(key))
            if row is not None and row.state is State.ANSWERED:
                found[index] = row.content["result"]
        return found

    async def unfinished(self) -> list[bytes]:
        """The batches that were interrupted, the oldest first."""
        columns = bank_batches.c
        query = select(columns.id).where(columns.state == RUNNING).order_by(columns.created)
        return await self._agent.read(
            lambda c: [bytes(identifier) for identifier in c.execute(query).scalars()]
        )

    async def run(
        self,
        batch: Batch,
        progress: Progress | None = None,
        at_once: int = AT_ONCE,
        waits: Waits | None = None,
    ) -> Batch:
        """Asks every question of a batch that is not answered yet, until it is cancelled; `at_once`
        of them at a time.
        """
        pending, backoff = list(range(len(batch.asks))), Backoff()
        while pending and not batch.cancelled:
            waiting = await self._round(batch, pending, progress, at_once)
            moved = len(waiting) < len(pending)
            pending = sorted(waiting)
            self._tell(batch, waiting, waits)
            if pending:
                await asyncio.sleep(backoff.after(progress=moved))
                state = await self._agent.read(lambda c: state_of(c, batch.id))
                batch.cancelled = state == CANCELLED
        batch.done = True
        problems = {str(n): i.problem for n, i in batch.items.items() if i.problem is not None}
        sealed = self._key.seal(_content(batch.asks, problems), _aad(batch.id))

        def unit(connection: Connection) -> None:
            connection.execute(
                update(bank_batches)
                .where(bank_batches.c.id == batch.id)
                .values(state=CANCELLED if batch.cancelled else DONE, sealed=sealed)
            )

        await self._agent.write(unit)
        return batch

    async def cancel(self, identifier: bytes) -> bool:
        """Ends a batch before its end: questions under way are answered, the others are not asked.
        False for a batch that does not run.
        """
        return await self._agent.write(lambda c: cancel(c, identifier))

    async def _round(
        self, batch: Batch, pending: Sequence[int], progress: Progress | None, at_once: int
    ) -> dict[int, tuple[str, Problem]]:
        """Asks what is not settled, once. What has to wait, with the chain and the reason: a chain
        that was away for one question is not tried with the others.
        """
        gate = asyncio.Semaphore(at_once)
        waiting: dict[int, tuple[str, Problem]] = {}
        away: dict[str, Problem] = {}

        async def one(index: int) -> None:
            async with gate:
                if batch.cancelled:
                    return
                chain = await self._chain(batch.asks[index])
                problem = away.get(chain)
                item = None if problem is not None else await self._ask(batch, index)
            if isinstance(item, Problem):
                problem = item
                if chain:
                    away[chain] = item
            if problem is not None:
                waiting[index] = problem.chain or chain, problem
            elif isinstance(item, Item):
                now, settled = self._agent.now(), item
                goes_on = await self._agent.write(
                    lambda c: self.items.put(c, batch.id, settled, now)
                )
                if not goes_on:
                    batch.cancelled = True
                batch.settle(item)
                if progress is not None:
                    progress(item, len(batch.items), len(batch.asks))

        async with asyncio.TaskGroup() as group:
            for index in pending:
                group.create_task(one(index))
        return waiting

    def _tell(
        self, batch: Batch, waiting: Mapping[int, tuple[str, Problem]], waits: Waits | None
    ) -> None:
        now, before = self._agent.now(), batch.waiting
        batch.waiting = {}
        for chain, problem in waiting.values():
            kept = batch.waiting.get(chain)
            since = before[chain].since if chain in before else now
            items = 1 if kept is None else kept.items + 1
            batch.waiting[chain] = Waiting(chain, items, since, problem)
        if waits is not None and batch.waiting != before:
            waits(batch.waiting)

    async def _chain(self, ask: Ask) -> str:
        """Which chain a question waits for when it has to; empty for one to several chains."""
        if ask.joint:
            return ""
        try:
            return (await self._queries.targets.of(ask)).view.name
        except _FAILURES:
            return self._agent.root.chain  # what is wrong with it, asking will say

    async def _ask(self, batch: Batch, index: int) -> Item | Problem:
        """What became of a question, or the problem that passes by itself."""
        ask, key = batch.asks[index], _key(batch, index)
        try:
            if ask.joint:
                result = await self._joint.ask(ask, key, anew=False)
            else:
                result = (await self._queries.ask(ask, key, anew=False)).result
        except _FAILURES as error:
            problem = problem_of(error)
            if problem.passes:
                return problem
            return Item(index, problem={lang: problem.to_dict(lang) for lang in ("zh", "en")})
        return Item(index, result)


def _key(batch: Batch, index: int) -> str:
    return f"batch {batch.id.hex()} {index}"


def _content(asks: Sequence[Ask], problems: Mapping[str, object]) -> bytes:
    return canonical_json(
        {"asks": [ask.to_json().decode() for ask in asks], "problems": dict(problems)}
    )


def _aad(identifier: bytes) -> bytes:
    return b"yinxin/bank/batch/v1\x00" + identifier
