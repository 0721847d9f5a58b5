"""Champion and challenger: two certified models of one bank, asked side by side or in turns.

A trial is a small document, `yinxin-trial/1`, that the bank keeps with its procedures:

* mode `both`: every consented firm is asked with both models, two uses of its consent, in the
  same epoch; the champion decides. Records of both were judged together when the second was
  certified (policy c and d), so a trial tells the bank nothing that certification did not allow;
* mode `split`: each firm is asked with one model. Which is a keyed hash of the trial's name and
  the firm's code (HMAC under the node's storage key): the same for the same firm at any time, not
  to be foreseen by an applicant, and of `share` of the firms the challenger.

Both models have to be certified, valid, and not withdrawn: the policy's cap on valid models and
its two years of history count them like all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from federation.consent import read_unverified
from node.bank.asking import Ask
from node.bank.bank import Bank
from node.bank.errors import BankError
from node.bank.records import Model
from node.bank.results import Answer
from node.bank.texts import Code
from node.keys import KeyEncryptionKey
from node.models.comparison import compare
from node.models.production.outcomes import Outcome
from node.models.production.results import Result, latest, scored_of
from node.models.production.watching import quality
from scoring.documents import Document
from scoring.errors import ScorecardError, ScoringError


class Trial(Document):
    """A trial of two models; both by certificate hash or `name@version`."""

    error: ClassVar[type[ScoringError]] = ScorecardError

    format: Literal["yinxin-trial/1"]
    name: str = Field(min_length=1, max_length=64)
    champion: str = Field(min_length=1)
    challenger: str = Field(min_length=1)
    mode: Literal["both", "split"]
    share: float = Field(default=0.5, gt=0, lt=1)
    """Of the firms, in mode `split`, for the challenger."""
    since: date
    """Answers from this day on (UTC) count."""

    @model_validator(mode="after")
    def _two(self) -> Self:
        if self.champion == self.challenger:
            raise ValueError("challenger: is the champion; name two models")
        return self


def assigned(trial: Trial, key: KeyEncryptionKey, uscc: str) -> tuple[str, ...]:
    """The models to ask about a firm, the one that decides first."""
    if trial.mode == "both":
        return trial.champion, trial.challenger
    tag = key.tag(b"bank/trial", f"{trial.name}\x00{uscc}".encode())
    drawn = int.from_bytes(tag[:8], "big") / 2**64
    return (trial.challenger if drawn < trial.share else trial.champion,)


async def models_of(bank: Bank, trial: Trial) -> tuple[Model, Model]:
    """Champion and challenger, both certified, valid now and not withdrawn.

    Raises BankError or Refusal for one that is not, and BankError where both are one.
    """
    found = []
    for reference in (trial.champion, trial.challenger):
        model = await bank.agent.model(reference)
        certificate, now = await bank.agent.certificate(model.hash), bank.agent.now()
        if not certificate.not_before <= now < certificate.not_after:
            raise BankError(Code.MODEL_UNKNOWN, "trial", model=f"{reference} (expired)")
        found.append(model)
    first, second = found
    if first.hash == second.hash:
        raise BankError(Code.MODEL_AMBIGUOUS, "trial", model=trial.challenger)
    return first, second


async def ask(bank: Bank, trial: Trial, question: Ask, key: str | None = None) -> list[Answer]:
    """Ask about a firm as the trial says; the first answer is the one that decides.

    With `key` each model's question has its own key, `KEY champion` and `KEY challenger`, so that
    a repetition after a failure costs no further use. Raises as `Queries.ask` does.
    """
    await models_of(bank, trial)
    # Only which model is asked hangs on this: the question itself is verified before it is sent.
    uscc = str(read_unverified(question.consent).uscc)
    answers = []
    for model in assigned(trial, bank.agent.runtime.identity.storage, uscc):
        role = "champion" if model == trial.champion else "challenger"
        own = None if key is None else f"{key} {role}"
        answers.append(await bank.queries.ask(replace(question, model=model), own))
    return answers


def report(
    trial: Trial,
    models: tuple[Model, Model],
    results: Sequence[Result],
    outcomes: Mapping[bytes, Outcome],
    cut_offs: Sequence[int],
) -> dict[str, Any]:
    """What the trial has shown: on the same firms in mode `both`, on two groups in `split`."""
    begin = datetime.combine(trial.since, time(), UTC).timestamp()
    sides = [
        latest([r for r in results if r.certificate == m.hash and r.answered_at >= begin])
        for m in models
    ]
    found: dict[str, Any] = {
        "trial": trial.name,
        "mode": trial.mode,
        "since": trial.since.isoformat(),
        "models": [
            {
                "model": model.name,
                "role": role,
                "firms": len(side),
                "mean": float(np.mean([r.score for r in side])) if side else None,
                "outcomes": quality([r for r in side if r.id in outcomes], outcomes),
            }
            for model, role, side in zip(models, ("champion", "challenger"), sides, strict=True)
        ],
    }
    first, second = ({(r.uscc, r.epoch): r for r in side} for side in sides)
    shared = sorted(first.keys() & second.keys())
    if trial.mode == "both" and shared:
        pairs = [first[k] for k in shared], [second[k] for k in shared]
        cards = models[0].scorecard, models[1].scorecard
        scored = scored_of(pairs[0], cards[0]), scored_of(pairs[1], cards[1])
        found["comparison"] = compare(cards, scored, None, cut_offs)
        known = [
            i for i, r in enumerate(pairs[0]) if r.id in outcomes or pairs[1][i].id in outcomes
        ]
        if known:
            bad: NDArray[np.bool_] = np.array(
                [(outcomes.get(pairs[0][i].id) or outcomes[pairs[1][i].id]).bad for i in known]
            )
            scored = (
                scored_of([pairs[0][i] for i in known], cards[0]),
                scored_of([pairs[1][i] for i in known], cards[1]),
            )
            found["with_outcomes"] = compare(cards, scored, bad, cut_offs)
    return found
