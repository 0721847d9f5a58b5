"""The bank's answered queries, as the model desk looks at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np

from node.bank.bank import Bank
from node.bank.ledger import State
from scoring.scorecard import Scorecard
from scoring.scored import Scored

_AT_ONCE: Final = 1_000


@dataclass(frozen=True)
class Result:
    """One answered query: a firm's record under a model in an epoch. It names the firm."""

    id: bytes
    certificate: bytes
    model: str
    """`name@version`."""
    epoch: int
    uscc: str = field(repr=False)
    reference: str
    answered_at: int
    score: int = field(repr=False)
    coverage: int
    fields: Mapping[str, int] = field(repr=False)


async def answered(bank: Bank, tell: Callable[[int, int], None] | None = None) -> list[Result]:
    """Every answered query that is kept, the oldest first; read some at a time. `tell` hears how
    many were read, and how many there are.
    """
    found: list[Result] = []
    after: tuple[int, bytes] = (-1, b"")
    total = (await bank.agent.read(bank.queries.ledger.count))[State.ANSWERED]
    while True:
        rows = await bank.agent.read(
            partial(bank.queries.ledger.answered, after=after, most=_AT_ONCE)
        )
        found += [result_from(row.content["result"]) for row in rows]
        if tell is not None:
            tell(len(found), max(total, len(found)))
        if len(rows) < _AT_ONCE:
            return found
        after = rows[-1].created, rows[-1].id


def result_from(document: Mapping[str, Any]) -> Result:
    """A result from the document that callers get (`node.bank.results`)."""
    return Result(
        id=bytes.fromhex(document["id"]),
        certificate=bytes.fromhex(document["certificate"]),
        model=document["model"],
        epoch=document["epoch"],
        uscc=document["uscc"],
        reference=document["reference"],
        answered_at=document["answered_at"],
        score=document["profile"]["score"],
        coverage=document["record"]["coverage"],
        fields=document["record"]["fields"],
    )


def scored_of(results: Sequence[Result], scorecard: Scorecard) -> Scored:
    """The results of one model as arrays, in their order."""
    return Scored(
        fields={
            f.name: np.array([r.fields[f.name] for r in results], dtype=np.int64)
            for f in scorecard.fields
        },
        coverage=np.array([r.coverage for r in results], dtype=np.int64),
        scores=np.array([r.score for r in results], dtype=np.int64),
    )


def latest(results: Sequence[Result]) -> list[Result]:
    """One result a firm, the latest: a firm that is asked about often counts once."""
    by_firm = {result.uscc: result for result in sorted(results, key=lambda r: r.answered_at)}
    return list(by_firm.values())
