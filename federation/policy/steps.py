"""The step of `remedy` for rules a and b, and what the steps for c and d need to keep those."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from federation.policy import spacing, spread
from federation.policy.mending import (
    Key,
    Points,
    ladder,
    merged,
    rerounded,
    with_points,
)
from federation.policy.report import PolicyItem, PolicyReport
from federation.policy.submission import Submission, name_of
from federation.policy.wording import said_points, said_round
from scoring.documents import Text
from scoring.errors import ScorecardError
from scoring.scorecard import FeaturePoints, Scorecard

MOST_RUNGS: Final = 64
"""Narrower points of a feature that are tried."""


@dataclass(frozen=True, slots=True)
class Step:
    """A changed submission, the changes in words, and the report on it where it was judged."""

    submission: Submission
    changes: tuple[Text, ...]
    report: PolicyReport | None = None


Option = tuple[Scorecard, tuple[Text, ...]]


def plain_failures(submission: Submission) -> list[PolicyItem]:
    """The figures of rules a and b that fail."""
    items = itertools.chain(spread.check(submission), spacing.check(submission))
    return [item for item in items if not item.passed]


def tidied(submission: Submission) -> Submission | None:
    """A submission that meets rules a and b: itself, or with the fields that fail rounded again."""
    for field in sorted({item.field for item in plain_failures(submission)}):
        rounded = next(_rounded(submission, field), None)
        if rounded is None:
            return None
        submission = replace(submission, scorecard=rounded[0])
    return None if plain_failures(submission) else submission


def rungs(submission: Submission, entry: FeaturePoints, first: Sequence[int] = ()) -> list[Points]:
    """A feature's points as they are, and ever narrower ones with which rules a and b can hold."""
    found = [entry.points]
    for points in itertools.islice(ladder(entry.points, first), MOST_RUNGS):
        option = with_changes(submission, {(entry.holder, entry.feature): points})
        if option is not None and tidied(option) is not None:
            found.append(points)
    return found


def with_changes(submission: Submission, points: dict[Key, Points]) -> Submission | None:
    """The submission with other points; None where they are those of no scorecard."""
    try:
        card = with_points(submission.scorecard, submission.catalogue, points)
    except ScorecardError:
        return None  # a field that is 0 for every firm
    return replace(submission, scorecard=card)


def mend(submission: Submission) -> Step | None:
    """Changes with which rules a and b hold."""
    changes: tuple[Text, ...] = ()
    while failing := plain_failures(submission):
        for card, said in _options(submission, failing):
            option = replace(submission, scorecard=card)
            left = plain_failures(option)
            if len(left) < len(failing) and all(i.field != failing[0].field for i in left):
                submission, changes = option, (*changes, *said)
                break
        else:
            return None
    return Step(submission, changes)


def _options(submission: Submission, failing: Sequence[PolicyItem]) -> Iterator[Option]:
    """Changes to the first field that fails, the smaller before the larger."""
    field = failing[0].field
    own = [item for item in failing if item.field == field]
    again = said_round(field)
    if any(item.rule == "b" for item in own):
        yield from _rounded(submission, field, again)
    for entry, points in _narrower(submission, field, own):
        said = said_points(submission, entry, points)
        option = with_changes(submission, {(entry.holder, entry.feature): points})
        # Rounding takes a second: only points that meet rule a are rounded again.
        if option is not None and all(item.passed for item in spread.check(option)):
            yield option.scorecard, (said,)
            yield from _rounded(option, field, said, again)
    for other in submission.scorecard.fields:
        if other.name != field:
            yield from _joined(submission, field, other.name)


def _rounded(submission: Submission, field: str, *said: Text) -> Iterator[Option]:
    try:
        card = rerounded(submission.scorecard, submission.catalogue, field, submission.thresholds)
    except ScorecardError:
        return  # too few features that vary: joining it with another field is left
    yield card, said


def _narrower(
    submission: Submission, field: str, failing: Sequence[PolicyItem]
) -> Iterator[tuple[FeaturePoints, Points]]:
    """Narrower points of the feature that dominates, or of the widest, beside which others do not
    carry the field.
    """
    members = submission.field(field)
    named = {item.feature for item in failing if item.rule == "a" and item.feature}
    chosen = [entry for entry, _ in members if name_of(entry) in named]
    if not chosen and any(item.rule == "a" for item in failing):
        widest = max(members, key=lambda member: spread.spread(*member), default=None)
        chosen = [widest[0]] if widest else []
    for entry in chosen:
        for points in itertools.islice(ladder(entry.points), MOST_RUNGS):
            yield entry, points


def _joined(submission: Submission, field: str, into: str) -> Iterator[Option]:
    thresholds = submission.thresholds
    try:
        card = merged(submission.scorecard, submission.catalogue, field, into, thresholds)
    except ScorecardError:
        return
    yield (
        card,
        (
            Text(
                zh=f"将评分项{field}并入{into}，并按现有分值重新取整",
                en=f"Join field {field} with {into}, and round the present points again",
            ),
        ),
    )
