"""Rule b: the points of a field are no code that its sum could be read back from.

* At most 8 equally spaced point values a field: points 1, 6, 36 … would read out every bin.
* The field is no wider than such points need: ⌈log₂(1 + 7·features)⌉ bits. So the spacing is
  small; with a spacing of 1 it always holds.
* Every jump between neighbouring used values of a feature occurs in at least three non-public
  features of the field: a jump of its own (one feature in steps of 1, one in steps of 2, one in
  steps of 4) would name its feature within the sum.

Public features obey the same grid and jumps, and do not count as support.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from federation.policy.report import PolicyItem
from federation.policy.submission import Submission, name_of
from scoring.documents import Text
from scoring.scorecard import jumps


def check(submission: Submission) -> Iterator[PolicyItem]:
    """The items of rule b: levels and width a field, and one for every jump in it."""
    for field in submission.scorecard.fields:
        yield _levels(submission, field.name)
        yield _width(submission, field.name)
        yield from _jumps(submission, field.name)


def _levels(submission: Submission, field: str) -> PolicyItem:
    values = {value for entry, _ in submission.field(field) for value in entry.points}
    spacing = math.gcd(*(value - min(values) for value in values))
    levels = (max(values) - min(values)) // spacing + 1 if spacing else 1
    limit = submission.thresholds.most_levels
    return PolicyItem(
        rule="b",
        field=field,
        figure=levels,
        limit=limit,
        passed=levels <= limit,
        text=Text(
            zh=f"评分项{field}的分值跨{levels}个等距档位，上限{limit}；超出时请用取整工具重新取整",
            en=f"Field {field}: points span {levels} equally spaced values, at most {limit} are "
            "allowed; if over, round the scorecard with the rounding tool",
        ),
    )


def _width(submission: Submission, field: str) -> PolicyItem:
    members = submission.field(field)
    # ⌈log₂(1 + m)⌉ is the bit length of m, exactly.
    limit = ((submission.thresholds.most_levels - 1) * len(members)).bit_length()
    width = submission.scorecard.maximum(field).bit_length()
    return PolicyItem(
        rule="b",
        field=field,
        figure=width,
        limit=limit,
        passed=width <= limit,
        text=Text(
            zh=f"评分项{field}宽{width}位，上限{limit}位；超出时请将分值减去最小值并除以公约数",
            en=f"Field {field} is {width} bits wide, at most {limit} are allowed; if over, "
            "subtract the least points of each feature and divide by the common factor",
        ),
    )


def _jumps(submission: Submission, field: str) -> Iterator[PolicyItem]:
    users: dict[int, list[str]] = {}
    support: dict[int, int] = {}
    for entry, feature in submission.field(field):
        for jump in jumps(entry.points):
            users.setdefault(jump, []).append(name_of(entry))
            support[jump] = support.get(jump, 0) + (not feature.public)
    limit = submission.thresholds.jump_support
    for jump, names in sorted(users.items()):
        listed = ", ".join(names)
        yield PolicyItem(
            rule="b",
            field=field,
            feature=names[0] if len(names) == 1 else None,
            figure=support[jump],
            limit=limit,
            passed=support[jump] >= limit,
            text=Text(
                zh=f"评分项{field}中相差{jump}的跳变出现在{support[jump]}个非公开特征中"
                f"（{listed}），至少须有{limit}个；不足时请用取整工具重新取整",
                en=f"Field {field}: a jump of {jump} occurs in {support[jump]} non-public "
                f"features ({listed}), and must in {limit}; if short, use the rounding tool",
            ),
        )
