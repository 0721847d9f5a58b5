"""A card of real points as a scorecard of whole points that certification policy allows.

With a sample the points are chosen by integer programming (`scoring.integer`), without one from
the published frequencies alone (`scoring.rounding`). Then policy judges the scorecard. Where its
rule d finds that a record would tell too much of a feature, that feature's real points are drawn
together, so that it spans one level fewer, and the card is rounded again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from federation.policy import (
    Earlier,
    PolicyReport,
    PolicyThresholds,
    Submission,
    certify_policy,
    spread,
)
from scoring.cards.real import RealCard
from scoring.catalogue import Catalogue
from scoring.integer import Sample, round_by_sample
from scoring.rounding import RealPoints, RoundedPoints, round_points
from scoring.scorecard import FeaturePoints, Scale, Scorecard, ScoreField

ATTEMPTS: Final = 12
"""How often features that show too much are drawn together before the verdict is given as it is."""

Points = Mapping[tuple[str, str], tuple[int, ...]]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Rounded:
    """A rounded card. `real` are the points that were rounded last, `tightened` the features that
    rule d made smaller, with the share of their points that is left.
    """

    card: RealCard
    scorecard: Scorecard
    rounded: RoundedPoints
    report: PolicyReport
    tightened: dict[tuple[str, str], float]


def round_card(
    card: RealCard,
    catalogue: Catalogue,
    sample: Sample | None = None,
    *,
    thresholds: PolicyThresholds | None = None,
    earlier: Sequence[Earlier] = (),
    tell: Tell = lambda _: None,
) -> Rounded:
    """Round a card and have it judged; the report says whether policy allows the result.

    Raises ScorecardError for a card, catalogue or sample that do not belong together, and
    PolicyError where the catalogue publishes too little to judge by.
    """
    limits = thresholds or PolicyThresholds()
    real = card.real_points(catalogue)
    left = dict.fromkeys((feature.key for feature in real), 1.0)

    def admits(field: str, points: Points) -> bool:
        """Whether a field passes rule a with these points."""
        alone = _scorecard(card, points, {field: 1.0}, 0.0)
        return all(item.passed for item in spread.check(Submission(alone, catalogue, limits)))

    def attempt() -> Rounded:
        points = [_drawn(feature, left[feature.key]) for feature in real]
        if sample is None:
            rounded = round_points(points, limits.most_levels, limits.jump_support)
        else:
            rounded = round_by_sample(
                points,
                sample,
                admits,
                levels=limits.most_levels,
                support=limits.jump_support,
                tell=tell,
            )
        offset = card.offset + rounded.offset
        scorecard = _scorecard(card, rounded.points, rounded.steps, offset)
        report = certify_policy(scorecard, catalogue, limits, earlier)
        tell(f"policy: {len(report.failures)} / {len(report.items)}")
        tightened = {key: share for key, share in left.items() if share < 1}
        return Rounded(card, scorecard, rounded, report, tightened)

    result = attempt()
    for _ in range(ATTEMPTS):
        shown = {item.feature for item in result.report.failures if item.rule == "d"}
        named = [f.key for f in real if f"{f.holder} {f.feature}" in shown]
        if not named:
            break
        for key in named:
            levels = max(result.rounded.points[key])
            left[key] *= (levels - 1) / levels if levels > 1 else 0.5
        result = attempt()
    return result


def _scorecard(
    card: RealCard, points: Points, steps: Mapping[str, float], offset: float
) -> Scorecard:
    """The scorecard of rounded points; a feature whose points are all 0 is left out."""
    entries = [
        FeaturePoints(
            holder=entry.holder,
            feature=entry.feature,
            field=entry.field,
            points=points[entry.holder, entry.feature],
        )
        for entry in card.features
        if any(points.get((entry.holder, entry.feature), ()))
    ]
    return Scorecard.build(
        {
            "name": card.name,
            "version": card.version,
            "catalogue_version": card.catalogue_version,
            "participants": card.participants,
            "fields": [
                ScoreField(
                    name=field.name,
                    title=field.title,
                    reason=field.reason,
                    step=round(steps[field.name], 6),
                )
                for field in card.fields
                if field.name in steps
            ],
            "points": entries,
            "scale": Scale(offset=round(offset, 6)),
        }
    )


def _drawn(feature: RealPoints, share: float) -> RealPoints:
    """A feature with its points drawn towards their mean, to a share of their range."""
    mean = np.average(feature.points, weights=feature.frequencies)
    return replace(feature, points=mean + share * (feature.points - mean))
