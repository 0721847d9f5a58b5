"""A batch before it is begun: every line that would fail, with its number, and no use spent.

What is looked at is what the bank can see by itself and cheaply: the line's form, its purpose, that
an enterprise signed the consent, for this bank, and that it holds now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from federation.membership import TrustRoot
from node.bank.agent import Agent
from node.bank.asking import Ask, check_pseudonym, purpose_of, read_consent
from node.bank.batches import MOST_ITEMS
from node.bank.errors import BankError
from node.bank.lines import Line, examine
from node.bank.texts import Code

_AT_ONCE: Final = 200


@dataclass(frozen=True)
class CheckedBatch:
    """The questions of a file, asked by one officer, and the lines that are wrong."""

    asks: tuple[Ask, ...] = field(repr=False)
    wrong: tuple[tuple[int, BankError], ...]


async def check_batch(agent: Agent, text: str, officer: str) -> CheckedBatch:
    """The questions of an officer's file, and what is wrong with each line. A line names this
    officer or none. Raises BankError for a file that has no lines, too many, or no form at all.
    """
    lines = await asyncio.to_thread(examine, text)
    if not 1 <= len(lines) <= MOST_ITEMS:
        reason = f"has {len(lines)} items, from 1 to {MOST_ITEMS} are taken"
        raise BankError(Code.BODY_INVALID, "items", reason=reason)
    roots = [view.root for view in await agent.chains.views()]
    models: dict[str, BankError | None] = {}
    asks: list[Ask] = []
    wrong: list[tuple[int, BankError]] = []
    for start in range(0, len(lines), _AT_ONCE):
        part = lines[start : start + _AT_ONCE]
        found = await asyncio.to_thread(_check, part, agent, roots, officer)
        for line, result in zip(part, found, strict=True):
            if not isinstance(result, Ask):
                wrong.append((line.number, result))
                continue
            if result.model not in models:
                models[result.model] = await _model(agent, result.model)
            unknown = models[result.model]
            if unknown is None:
                asks.append(result)
            else:
                wrong.append((line.number, unknown))
    return CheckedBatch(tuple(asks), tuple(wrong))


def _check(
    lines: Sequence[Line], agent: Agent, roots: Sequence[TrustRoot], officer: str
) -> list[Ask | BankError]:
    found: list[Ask | BankError] = []
    for line in lines:
        try:
            found.append(_line(line, agent, roots, officer))
        except BankError as error:
            found.append(error)
    return found


def _line(line: Line, agent: Agent, roots: Sequence[TrustRoot], officer: str) -> Ask:
    if line.error is not None or line.ask is None:
        raise line.error or BankError(Code.BATCH_INVALID, "batch", line=line.number, reason="–")
    ask = line.ask
    if ask.officer not in ("", officer):
        reason = "officer is another one; leave it empty"
        raise BankError(Code.BATCH_INVALID, "batch", line=line.number, reason=reason)
    purpose = purpose_of(ask.purpose)
    check_pseudonym(ask.reference, "reference")
    failed: BankError | None = None
    for root in roots:
        try:
            consent = read_consent(ask.consent, root, agent.now())
        except BankError as error:
            failed = failed or error
            continue
        if consent.bank != agent.id:
            raise BankError(Code.CONSENT_WRONG_BANK, "consent.aud", bank=str(consent.bank))
        if consent.purpose != purpose:
            raise BankError(
                Code.CONSENT_WRONG_PURPOSE,
                "consent.purpose",
                given=consent.purpose.value,
                asked=purpose,
            )
        return replace(ask, officer=officer)
    raise failed or BankError(Code.CONSENT_MALFORMED, "consent")


async def _model(agent: Agent, reference: str) -> BankError | None:
    """What is wrong with a reference to a model, whichever chain it is of."""
    try:
        matches = await agent.matching(reference)
    except BankError as error:
        return error
    if not any(matches.values()):
        return BankError(Code.MODEL_UNKNOWN, "model", model=reference or "–")
    return None
