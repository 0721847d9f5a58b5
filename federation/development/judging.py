"""Judging labels: each line by itself, which workers can share, and then all of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from federation.development.consent import verify_development_consent
from federation.development.verdict import LabelProblem, RefusedLabel
from federation.errors import Reason, Refusal
from federation.identity import SpiffeId
from federation.uscc import Uscc

_OF_REASON = {
    Reason.MALFORMED: LabelProblem.MALFORMED,
    Reason.NO_CONSENT: LabelProblem.NO_CONSENT,
    Reason.EXPIRED: LabelProblem.EXPIRED,
    Reason.NOT_YET_VALID: LabelProblem.NOT_YET_VALID,
    Reason.WRONG_BANK: LabelProblem.WRONG_BANK,
    Reason.WRONG_CHAIN: LabelProblem.WRONG_CHAIN,
}


@dataclass(frozen=True)
class Judged:
    """What some lines say: outcome (0 or 1) by firm, in order, and the lines that are refused."""

    firms: tuple[tuple[int, Uscc, int], ...] = field(repr=False)
    """Line number, firm, outcome."""
    refused: tuple[RefusedLabel, ...]


def judge_lines(
    lines: Sequence[bytes], first: int, authority_cert: bytes, bank: SpiffeId, chain: str, now: int
) -> Judged:
    """Each line by itself: its form, its outcome, its consent. `first` is the first one's number.

    What a line takes is one signature and one certificate to verify. Whether a firm stands in
    several lines, or in the roster at all, `settle` judges.
    """
    firms, refused = [], []
    for number, line in enumerate(lines, first):
        outcome, _, consent = line.partition(b" ")
        try:
            if outcome not in (b"0", b"1"):
                refused.append(_refused(number, LabelProblem.OUTCOME))
                continue
            found = verify_development_consent(
                consent.decode("ascii"), authority_cert, bank, chain, now
            )
            firms.append((number, found.uscc, int(outcome)))
        except UnicodeDecodeError:
            refused.append(_refused(number, LabelProblem.MALFORMED))
        except Refusal as refusal:
            problem = _OF_REASON.get(refusal.reason, LabelProblem.MALFORMED)
            refused.append(_refused(number, problem))
    return Judged(tuple(firms), tuple(refused))


def settle(
    judged: Iterable[Judged], row_of: Callable[[Uscc], int | None]
) -> tuple[dict[int, int], list[RefusedLabel]]:
    """Outcome by roster row, and all refused lines in order.

    `row_of` is the roster's row of a firm. A firm's second line, and one of a firm without a row,
    are refused.
    """
    outcomes: dict[int, int] = {}
    seen: set[Uscc] = set()
    refused: list[RefusedLabel] = []
    for part in judged:
        refused += part.refused
        for number, firm, outcome in part.firms:
            if firm in seen:
                refused.append(_refused(number, LabelProblem.FIRM_TWICE))
                continue
            seen.add(firm)
            row = row_of(firm)
            if row is None:
                refused.append(_refused(number, LabelProblem.UNKNOWN_FIRM))
            else:
                outcomes[row] = outcome
    return outcomes, sorted(refused, key=lambda r: r.line)


def _refused(line: int, problem: LabelProblem) -> RefusedLabel:
    return RefusedLabel(line=line, problem=problem.value)
