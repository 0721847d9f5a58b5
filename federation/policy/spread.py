"""Rule a: every field rests on at least five non-public features, and none dominates it.

The spread of a feature is the standard deviation of its points under the published
frequencies. The spread of a field is that of a sum whose joint distribution is not published.
Between features that support each other or have nothing in common it lies between two figures:
the root of the sum of squares (independent features), and the plain sum (features in step).
The rule takes, each time, the figure that makes it harder to pass:

* a feature *carries* the field from 5 % of the **sum** over all its features;
* a feature *dominates* the field above 60 % of the **root of the sum of squares** over its
  non-public features. The bank knows the public ones and can subtract them, so that they hide
  nothing: counting them would let a bank drown the figure in the registry's entries.

Public features themselves may have any spread: what they tell is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from federation.policy.report import PolicyError, PolicyItem
from federation.policy.submission import Submission, name_of
from scoring.catalogue import Feature
from scoring.documents import Text
from scoring.scorecard import FeaturePoints


def spread(entry: FeaturePoints, feature: Feature) -> float:
    """The standard deviation of a feature's points under its published frequencies.

    Raises PolicyError if the points vary and no frequencies are published.
    """
    if len(set(entry.points)) == 1:
        return 0.0
    if feature.frequencies is None:
        raise PolicyError(
            f"catalogue: {feature.id} has no published frequencies; publish them before a "
            "scorecard uses it"
        )
    points, shares = np.array(entry.points, dtype=float), np.array(feature.frequencies)
    mean = np.average(points, weights=shares)
    return math.sqrt(float(np.average((points - mean) ** 2, weights=shares)))


def check(submission: Submission) -> Iterator[PolicyItem]:
    """The items of rule a: one a field for its support, one a non-public feature for its share."""
    for field in submission.scorecard.fields:
        yield from _field(submission, field.name)


def _field(submission: Submission, field: str) -> Iterator[PolicyItem]:
    limits = submission.thresholds
    members = submission.field(field)
    spreads = [(name_of(entry), feature, spread(entry, feature)) for entry, feature in members]
    own = [(name, size) for name, feature, size in spreads if not feature.public]
    in_step = sum(size for _, _, size in spreads)
    independent = math.hypot(*(size for _, size in own))

    carrying = sum(size > 0 and size >= limits.least_share * in_step for _, size in own)
    least = f"{limits.least_share:.0%}"
    yield PolicyItem(
        rule="a",
        field=field,
        figure=carrying,
        limit=limits.fewest_features,
        passed=carrying >= limits.fewest_features,
        text=Text(
            zh=f"评分项{field}有{carrying}个非公开特征的离散度不低于评分项的{least}，"
            f"至少须有{limits.fewest_features}个；不足时请增加特征或合并评分项",
            en=f"Field {field}: {carrying} non-public features have at least {least} of its "
            f"spread, and {limits.fewest_features} must; if short, add features or merge fields",
        ),
    )
    for name, size in own:
        if size == 0:
            continue
        share = size / independent
        yield PolicyItem(
            rule="a",
            field=field,
            feature=name,
            figure=share,
            limit=limits.greatest_share,
            passed=share <= limits.greatest_share,
            text=Text(
                zh=f"{name}占评分项{field}离散度的{share:.0%}，"
                f"上限{limits.greatest_share:.0%}；超出时请降低其分值或移到其他评分项",
                en=f"{name} has {share:.0%} of the spread of field {field}, at most "
                f"{limits.greatest_share:.0%} is allowed; if over, lower its points or move it",
            ),
        )
