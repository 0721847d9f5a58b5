"""How models do in use, computed once in a while and kept: a bank has more answers than a page can
open. Sealed, as what it is computed from.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from node.bank.bank import Bank
from node.bank.ledger import State
from node.bank.tables import bank_watches
from node.days import DAY
from node.models.production.outcomes import Outcome, OutcomeRecords
from node.models.production.results import Result, answered
from node.models.production.watching import watch
from scoring.scorecard import Scorecard
from scoring.stability import Distribution

Tell = Callable[[int, int], None]
"""Told how many answers were read, and how many there are."""


@dataclass(frozen=True)
class Watched:
    """A model's view as `watch` makes it, when it was computed, and from how many answers of all
    models.
    """

    certificate: bytes
    computed: int
    answers: int
    view: Mapping[str, Any] = field(repr=False)


async def gather(
    bank: Bank, tell: Tell | None = None
) -> tuple[list[Result], dict[bytes, Scorecard], dict[bytes, Outcome]]:
    """Answered queries, scorecards by certificate hash, and outcomes by query."""
    listed = await bank.agent.read(bank.agent.records.models)
    cards = {digest: (await bank.agent.model_of(digest)).scorecard for digest, *_ in listed}
    records = OutcomeRecords(bank.agent.runtime.identity.storage)
    return await answered(bank, tell), cards, await bank.agent.read(records.all)


async def compute(
    bank: Bank, development: Mapping[str, Distribution] | None = None, tell: Tell | None = None
) -> list[dict[str, Any]]:
    """Every model's view, as `watch` makes it, from all answers; kept for `kept`."""
    results, cards, outcomes = await gather(bank, tell)
    found = await asyncio.to_thread(watch, results, cards, outcomes, development or {})
    key, now = bank.agent.runtime.identity.storage, bank.agent.now()
    rows = []
    for view in found:
        certificate = bytes.fromhex(view["certificate"])
        sealed = key.seal(json.dumps(view).encode(), _aad(certificate))
        rows.append(
            {
                "certificate": certificate,
                "computed": now,
                "answers": len(results),
                "sealed": sealed,
            }
        )

    def unit(connection: Connection) -> None:
        connection.execute(delete(bank_watches))
        if rows:
            connection.execute(insert(bank_watches), rows)

    await bank.agent.write(unit)
    return found


async def watch_daily(bank: Bank) -> None:
    """Computes anew what is older than a day, where there are answers since."""
    latest = await bank.agent.read(
        lambda c: c.execute(
            select(func.max(bank_watches.c.computed), func.max(bank_watches.c.answers))
        ).one()
    )
    if latest[0] is not None and bank.agent.now() < latest[0] + DAY:
        return
    answers = (await bank.agent.read(bank.queries.ledger.count))[State.ANSWERED]
    if answers > (latest[1] or 0):
        await compute(bank)


async def kept(bank: Bank) -> Sequence[Watched]:
    """What was last computed, the model that was certified last first."""
    key = bank.agent.runtime.identity.storage
    order = [one.hash for one in await bank.agent.read(bank.agent.records.models)]

    def look(connection: Connection) -> list[Watched]:
        found = []
        for row in connection.execute(select(bank_watches)):
            certificate = bytes(row.certificate)
            view = json.loads(key.open(bytes(row.sealed), _aad(certificate)))
            found.append(Watched(certificate, row.computed, row.answers, view))
        return found

    found = {one.certificate: one for one in await bank.agent.read(look)}
    return [found[digest] for digest in order if digest in found]


def _aad(certificate: bytes) -> bytes:
    return b"yinxin/bank/watch/v1\x00" + certificate
