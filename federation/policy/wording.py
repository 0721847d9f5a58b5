"""Changes to a scorecard in words, for `remedy`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from federation.policy.mending import Key, Points, feature_of
from federation.policy.submission import Submission
from scoring.documents import Text
from scoring.scorecard import FeaturePoints, jumps

_ZH: Final = {"missing": "缺失", "other": "其他"}


def said_changes(before: Submission, after: Submission, keys: Iterable[Key]) -> tuple[Text, ...]:
    """The new points of these features in words, and which fields were rounded again."""
    old = {(entry.holder, entry.feature): entry for entry in before.scorecard.points}
    new = {(entry.holder, entry.feature): entry for entry in after.scorecard.points}
    chosen = [key for key in keys if old[key].points != new[key].points]
    steps = {field.name: field.step for field in before.scorecard.fields}
    again = [f.name for f in after.scorecard.fields if f.step != steps[f.name]]
    return (
        *(said_points(before, old[key], new[key].points) for key in chosen),
        *(said_round(field) for field in again),
    )


def said_points(submission: Submission, entry: FeaturePoints, points: Points) -> Text:
    """New points of a feature, bin for bin where they differ."""
    feature = feature_of(submission.scorecard, submission.catalogue, entry)
    name = title_of(submission, (entry.holder, entry.feature))
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


def said_round(field: str) -> Text:
    """A field rounded to rule b again."""
    return Text(
        zh=f"将评分项{field}按现有分值重新取整",
        en=f"Round field {field} again on its present points",
    )


def title_of(submission: Submission, key: Key) -> Text:
    """A feature's title and its holder's short name."""
    holder, feature = key
    title = submission.catalogue.feature(submission.scorecard.kind_of(holder), feature).title
    short = holder.rpartition("/")[2]
    return Text(zh=f"“{title.zh}”（{short}）", en=f"“{title.en}” ({short})")
