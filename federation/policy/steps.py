"""The steps of `remedy`: each looks for changes that meet its rules, and says them in words."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from federation.policy import rank, spacing, spread
from federation.policy.linear import random_prime
from federation.policy.mending import (
    Key,
    Points,
    feature_of,
    ladder,
    merged,
    rerounded,
    widened,
    with_points,
)
from federation.policy.report import PolicyItem, PolicyReport
from federation.policy.submission import Submission, name_of
from scoring.documents import Text
from scoring.errors import ScorecardError
from scoring.scorecard import FeaturePoints, Scorecard, jumps

MOST_RUNGS: Final = 64
"""Narrower points of a feature that are tried."""
MOST_REPEATS: Final = 6
_ZH: Final = {"missing": "缺失", "other": "其他"}


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


# --- a and b -----------------------------------------------------------------------------------


def mend(submission: Submission) -> Step | None:
    """Changes with which rules a and b hold."""
    changes: tuple[Text, ...] = ()
    while failing := plain_failures(submission):
        for card, said in _options(submission, failing):
            option = replace(submission, scorecard=card)
            if len(plain_failures(option)) < len(failing) and not any(
                item.field == failing[0].field for item in plain_failures(option)
            ):
                submission, changes = option, (*changes, *said)
                break
        else:
            return None
    return Step(submission, changes)


def _options(submission: Submission, failing: Sequence[PolicyItem]) -> Iterator[Option]:
    """Changes to the first field that fails, the smaller before the larger."""
    field = failing[0].field
    own = [item for item in failing if item.field == field]
    again = _said_round(field)
    if any(item.rule == "b" for item in own):
        yield from _rounded(submission, field, again)
    for entry, points in _narrower(submission, field, own):
        said = _said_points(submission, entry, points)
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
                zh=f"将字段{field}并入{into}，并按现有分值重新取整",
                en=f"Join field {field} with {into}, and round the present points again",
            ),
        ),
    )


# --- c -----------------------------------------------------------------------------------------


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
    stacked, prime = rank.stack(submission), random_prime()
    dropped: set[int] = set()
    for number in range(1, 1 + len(submission.earlier)):
        if rank.lost(stacked.without(dropped | {number}), features, prime):
            dropped.add(number)
    return [n for n in range(1, 1 + len(submission.earlier)) if n not in dropped]


def _disguises(
    submission: Submission, item: PolicyItem
) -> Iterator[tuple[Submission, tuple[Text, ...]]]:
    about = [(h, f) for h, _, f in (name.rpartition(" ") for name in item.about or ())]
    for number in drivers(submission, about):
        yield from _as_before(submission, number - 1, about)
    yield from _more_features(submission, about)


def _as_before(
    submission: Submission, number: int, about: Sequence[Key]
) -> Iterator[tuple[Submission, tuple[Text, ...]]]:
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
        names = [_name(submission, key) for key in points]
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


def _more_features(
    submission: Submission, about: Sequence[Key]
) -> Iterator[tuple[Submission, tuple[Text, ...]]]:
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
                changes.append(_said_points(submission, entry, points))
                option = moved
                break
    if len(changes) == wanted:
        yield option, tuple(changes)


# --- words -------------------------------------------------------------------------------------


def said_changes(before: Submission, after: Submission, keys: Iterable[Key]) -> tuple[Text, ...]:
    """The new points of these features in words, and which fields were rounded again."""
    old = {(entry.holder, entry.feature): entry for entry in before.scorecard.points}
    new = {(entry.holder, entry.feature): entry for entry in after.scorecard.points}
    chosen = [key for key in keys if old[key].points != new[key].points]
    steps = {field.name: field.step for field in before.scorecard.fields}
    again = [f.name for f in after.scorecard.fields if f.step != steps[f.name]]
    return (
        *(_said_points(before, old[key], new[key].points) for key in chosen),
        *(_said_round(field) for field in again),
    )


def _said_points(submission: Submission, entry: FeaturePoints, points: Points) -> Text:
    feature = feature_of(submission.scorecard, submission.catalogue, entry)
    name = _name(submission, (entry.holder, entry.feature))
    moved = [
        (label, old, new)
        for label, old, new in zip(feature.bin_labels, entry.points, points, strict=True)
        if old != new
    ]
    en_list = ", ".join(f"{label}: {old}→{new}" for label, old, new in moved)
    zh_list = "、".join(f"{_ZH.get(label, label)} {old}→{new}" for label, old, new in moved)
    gaps = max(jumps(entry.points), default=0), max(jumps(points), default=0)
    fewer = len(set(entry.points)) - len(set(points))
    zh, en = f"{name.zh}的分值改为：{zh_list}", f"Points of {name.en}: {en_list}"
    if gaps[0] != gaps[1]:
        zh += f"（最大间隔由{gaps[0]}变为{gaps[1]}）"
        en += f" (widest gap from {gaps[0]} to {gaps[1]})"
    if fewer > 0:
        zh += f"，少区分{fewer}档"
        en += f"; {fewer} fewer values told apart"
    return Text(zh=zh, en=en)


def _said_round(field: str) -> Text:
    return Text(
        zh=f"将字段{field}按现有分值重新取整",
        en=f"Round field {field} again on its present points",
    )


def _name(submission: Submission, key: Key) -> Text:
    holder, feature = key
    title = submission.catalogue.feature(submission.scorecard.kind_of(holder), feature).title
    short = holder.rpartition("/")[2]
    return Text(zh=f"“{title.zh}”（{short}）", en=f"“{title.en}” ({short})")
