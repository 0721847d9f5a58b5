"""The step of `remedy` for rule c: no sum or difference with earlier scorecards tells of a few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from federation.policy import rank
from federation.policy.linear import random_prime
from federation.policy.mending import Key, Points, feature_of, widened
from federation.policy.report import PolicyItem
from federation.policy.steps import Step, plain_failures, with_changes
from federation.policy.submission import Submission
from federation.policy.wording import said_points, title_of
from scoring.documents import Text

MOST_REPEATS: Final = 6

Option = tuple[Submission, tuple[Text, ...]]
"""A changed submission, and the changes in words."""


def disguise(submission: Submission) -> Step | None:
    """Changes with which rule c holds, and rules a and b as before."""
    changes: tuple[Text, ...] = ()
    for _ in range(MOST_REPEATS):
        failing = [item for item in rank.check(submission) if not item.passed]
        if not failing:
            return Step(submission, changes)
        for option, said in _disguises(submission, failing[0]):
            left = [item for item in rank.check(option) if not item.passed]
            if len(left) < len(failing) and not plain_failures(option):
                submission, changes = option, (*changes, *said)
                break
        else:
            return None
    return None


def drivers(submission: Submission, features: Sequence[Key]) -> list[int]:
    """The earlier scorecards, by number, that a smallest combination telling of these features
    takes; there may be others as small.
    """
    stacked, prime = rank.telling(submission, features), random_prime()
    dropped: set[int] = set()
    for number in range(1, 1 + len(submission.earlier)):
        if rank.lost(stacked.without(dropped | {number}), features, prime):
            dropped.add(number)
    return [n for n in range(1, 1 + len(submission.earlier)) if n not in dropped]


def _disguises(submission: Submission, item: PolicyItem) -> Iterator[Option]:
    about = [(h, f) for h, _, f in (name.rpartition(" ") for name in item.about or ())]
    for number in drivers(submission, about):
        yield from _as_before(submission, number - 1, about)
    yield from _more_features(submission, about)


def _as_before(submission: Submission, number: int, about: Sequence[Key]) -> Iterator[Option]:
    """The points that an earlier scorecard had, for these features."""
    earlier = submission.earlier[number].scorecard
    before = {(entry.holder, entry.feature): entry for entry in earlier.points}
    points: dict[Key, Points] = {}
    for entry in submission.scorecard.points:
        key = entry.holder, entry.feature
        bins = len(entry.points)
        old = before[key].points if key in before else (0,) * bins
        if key in about and len(old) == bins and old != entry.points:
            points[key] = old
    option = with_changes(submission, points) if points else None
    if option is not None:
        names = [title_of(submission, key) for key in points]
        card = f"{earlier.name}@{earlier.version}"
        yield (
            option,
            (
                Text(
                    zh=f"{'、'.join(n.zh for n in names)}沿用{card}的分值",
                    en=f"Keep the points of {card} for {', '.join(n.en for n in names)}",
                ),
            ),
        )


def _more_features(submission: Submission, about: Sequence[Key]) -> Iterator[Option]:
    """One bin of further features moved by one, until more are in play than the rule names."""
    wanted = submission.thresholds.isolated_features + 1 - len(about)
    fields = {e.field for e in submission.scorecard.points if (e.holder, e.feature) in about}
    option, changes = submission, list[Text]()
    for entry in submission.scorecard.points:
        key = entry.holder, entry.feature
        feature = feature_of(submission.scorecard, submission.catalogue, entry)
        if entry.field not in fields or key in about or feature.public or len(changes) == wanted:
            continue
        shares = feature.frequencies or (1.0,) * len(entry.points)
        grid = max(max(e.points) for e in option.scorecard.points if e.field == entry.field)
        for points in widened(entry.points, shares, grid):
            moved = with_changes(option, {key: points})
            if moved is not None and not plain_failures(moved):
                changes.append(said_points(submission, entry, points))
                option = moved
                break
    if len(changes) == wanted:
        yield option, tuple(changes)
