"""What a credit officer reads: the record as score, grade, dimensions and reasons.

A record tells nothing of single features, so reasons are given for dimensions: those whose
field is furthest, in score points, below the most it can be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Final

from pydantic import Field

from scoring.documents import Document, Text
from scoring.errors import RecordError, ScorecardError
from scoring.record import Record
from scoring.scorecard import BASE_ODDS, BASE_SCORE, POINTS_TO_DOUBLE_ODDS, Scorecard

LOWEST, HIGHEST = 300, 850
MOST_REASONS: Final = 4
THIN_DATA: Final = "R12"

GRADES: Final = (
    (760, "AAA"),
    (720, "AA"),
    (680, "A"),
    (640, "BBB"),
    (600, "BB"),
    (560, "B"),
    (520, "CCC"),
    (LOWEST, "C"),
)
"""The lowest score of each grade, best first."""

REASONS: Final[Mapping[str, Text]] = {
    "R01": Text(zh="企业成立时间短", en="Young firm"),
    "R02": Text(zh="纳税下降", en="Tax falling"),
    "R03": Text(zh="用电量下降", en="Electricity use falling"),
    "R04": Text(zh="开票中断", en="Gap in invoices"),
    "R05": Text(zh="客户集中", en="Customer concentration"),
    "R06": Text(zh="员工流失", en="Staff leaving"),
    "R07": Text(zh="公用事业欠费", en="Utility arrears"),
    "R08": Text(zh="被强制执行", en="Under enforcement"),
    "R09": Text(zh="授信机构多", en="Many lenders"),
    "R10": Text(zh="查询频繁", en="Many enquiries"),
    "R11": Text(zh="重复质押", en="Repeated pledge"),
    THIN_DATA: Text(zh="数据不足", en="Thin data"),
}


class Reason(Document):
    """Why the score is no higher: a code, R01–R12, and its text."""

    code: str
    text: Text


class Dimension(Document):
    """One field of the record on a scale of 0 (the least it can be) to 100 (the most)."""

    name: str
    title: Text
    value: int = Field(ge=0, le=100)


class Profile(Document):
    """One firm's profile, as one record gives it."""

    score: int = Field(ge=LOWEST, le=HIGHEST)
    grade: str
    probability_of_default: float = Field(gt=0, lt=1)
    """What the score means by the scale's odds; a statement about the model, not a promise."""
    dimensions: tuple[Dimension, ...]
    reasons: tuple[Reason, ...] = Field(max_length=MOST_REASONS)
    coverage: int
    """How many holders know the firm,"""
    participants: int
    """of how many."""
    as_of: Mapping[str, date]
    """The date of each holder's data, by SPIFFE id."""


def grade_of(score: int) -> str:
    """AAA (from 760) to C (below 520); raises RecordError outside 300–850."""
    if not LOWEST <= score <= HIGHEST:
        raise RecordError(f"score: {score} is not in {LOWEST}–{HIGHEST}; clamp it first")
    return next(grade for least, grade in GRADES if score >= least)


def probability_of_default(score: float) -> float:
    """The share of bad firms at a score: odds are 20 at 600 and double every 40 points."""
    odds = BASE_ODDS * math.exp2((score - BASE_SCORE) / POINTS_TO_DOUBLE_ODDS)
    return 1 / (1 + odds)


def score_of(scorecard: Scorecard, record: Record) -> int:
    """The score of a record, 300–850; half a point rounds up."""
    total = math.fsum(
        (scorecard.scale.offset, *(f.step * record.values[f.name] for f in scorecard.fields))
    )
    return min(max(math.floor(total + 0.5), LOWEST), HIGHEST)


def build_profile(scorecard: Scorecard, record: Record, as_of: Mapping[str, date]) -> Profile:
    """The profile of a record that this scorecard's layout unpacked.

    `as_of` gives the date of each participant's data. Raises RecordError for a record of another
    layout, ScorecardError when a participant's date is missing or a stranger's is given.
    """
    scorecard.layout().pack(record)  # refuses fields of another layout
    holders = {participant.holder for participant in scorecard.participants}
    if as_of.keys() != holders:
        wrong = ", ".join(sorted(as_of.keys() ^ holders))
        raise ScorecardError(f"as_of: give a date for exactly the participants; check {wrong}")
    score = score_of(scorecard, record)
    return Profile(
        score=score,
        grade=grade_of(score),
        probability_of_default=probability_of_default(score),
        dimensions=_dimensions(scorecard, record),
        reasons=_reasons(scorecard, record),
        coverage=record.coverage,
        participants=len(holders),
        as_of=dict(as_of),
    )


def _dimensions(scorecard: Scorecard, record: Record) -> tuple[Dimension, ...]:
    dimensions = []
    for field in scorecard.fields:
        least, most = scorecard.minimum(field.name), scorecard.maximum(field.name)
        above = max(record.values[field.name] - least, 0)
        # A field of one possible value cannot be better than it is.
        value = math.floor(100 * above / (most - least) + 0.5) if most > least else 100
        dimensions.append(Dimension(name=field.name, title=field.title, value=value))
    return tuple(dimensions)


def points_of(scorecard: Scorecard, record: Record) -> dict[str, tuple[float, float]]:
    """By field: the score points that the record has above the least it can, and the most that
    there are to have.
    """
    found = {}
    for field in scorecard.fields:
        least, most = scorecard.minimum(field.name), scorecard.maximum(field.name)
        gained = max(record.values[field.name] - least, 0)
        found[field.name] = field.step * gained, field.step * (most - least)
    return found


def shortfalls(scorecard: Scorecard, record: Record) -> dict[str, float]:
    """By reason code, R01–R11: the score points that its furthest field lacks of the most it can
    have.
    """
    found: dict[str, float] = {}
    for field in scorecard.fields:
        points = field.step * (scorecard.maximum(field.name) - record.values[field.name])
        found[field.reason] = max(found.get(field.reason, 0), points)
    return found


def _reasons(scorecard: Scorecard, record: Record) -> tuple[Reason, ...]:
    lacking = shortfalls(scorecard, record)
    codes = sorted(
        (code for code, points in lacking.items() if points > 0),
        key=lambda code: (-lacking[code], code),
    )
    if record.coverage < len(scorecard.participants):
        codes = [*codes[: MOST_REASONS - 1], THIN_DATA]
    return tuple(Reason(code=code, text=REASONS[code]) for code in codes[:MOST_REASONS])
