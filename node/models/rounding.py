"""A card of real points as a scorecard of whole points that certification policy allows.

With a sample the points are chosen by integer programming (`scoring.integer`), without one from
the published frequencies alone (`scoring.rounding`). Then policy judges the scorecard. Where its
rule d finds that a record would tell too much of some of a feature's bins, the real points on
either side of those bins are moved together by a level's worth, and the card is rounded again; by
more in every fourth attempt, as narrowing one feature lets the record tell more of others.
"""

from __future__ import annotations

import itertools
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
from scoring.errors import ScorecardError
from scoring.integer import Memo, Sample, round_by_sample
from scoring.rounding import RealPoints, RoundedPoints, round_points
from scoring.scorecard import Scorecard

ATTEMPTS: Final = 16
"""How often cuts that show too much are narrowed before the verdict is given as it is."""

Points = Mapping[tuple[str, str], tuple[int, ...]]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Rounded:
    """A rounded card, policy's verdict, and by how many score points rule d narrowed features."""

    card: RealCard
    scorecard: Scorecard
    rounded: RoundedPoints
    report: PolicyReport
    narrowed: dict[tuple[str, str], float]


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
    labels = {
        feature.key: found.bin_labels
        for feature, found in zip(real, card.catalogued(catalogue), strict=True)
    }

    memo: Memo = {}

    def admits(field: str, points: Points) -> bool:
        """Whether a field passes rule a with these points."""
        alone = card.whole(points, {field: 1.0}, 0.0)
        return all(item.passed for item in spread.check(Submission(alone, catalogue, limits)))

    def attempt(points: Sequence[RealPoints]) -> Rounded:
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
                memo=memo,
                target=sample.total({f.key: f.points for f in real}),
            )
        offset = card.offset + rounded.offset
        scorecard = card.whole(rounded.points, rounded.steps, offset)
        report = certify_policy(scorecard, catalogue, limits, earlier)
        tell(f"policy: {len(report.failures)} / {len(report.items)}")
        narrowed = {
            before.key: float(np.ptp(before.points) - np.ptp(after.points))
            for before, after in zip(real, points, strict=True)
            if np.ptp(after.points) < np.ptp(before.points)
        }
        return Rounded(card, scorecard, rounded, report, narrowed)

    points = real
    result = attempt(points)
    for number in range(ATTEMPTS):
        told = _told(result.report)
        if not told:
            break
        points = [
            _narrowed(feature, labels[feature.key], sets, result.rounded, 1 + number // 4)
            if (sets := told.get(f"{feature.holder} {feature.feature}"))
            else feature
            for feature in points
        ]
        try:
            result = attempt(points)
        except ScorecardError:  # a field has too few features left: the last verdict stands
            break
    return result


def _told(report: PolicyReport) -> dict[str, list[frozenset[str]]]:
    """The sets of bins, by `holder feature`, of which rule d finds that a record tells too much."""
    told: dict[str, list[frozenset[str]]] = {}
    for item in report.failures:
        if item.rule == "d" and item.feature:
            told.setdefault(item.feature, []).append(frozenset(item.bins or ()))
    return told


def _narrowed(
    feature: RealPoints,
    labels: Sequence[str],
    told: Sequence[frozenset[str]],
    rounded: RoundedPoints,
    levels: int,
) -> RealPoints:
    """The feature with the cuts around the bins of `told` narrowed by `levels`' worth of points.

    A set without bins (a move between two months) may be any cut's doing, and narrows all. The
    mean stays.
    """
    whole = np.array(rounded.points[feature.key])
    step, points = rounded.steps[feature.field], feature.points.copy()
    for low, high in itertools.pairwise(np.unique(whole).tolist()):
        sides = [
            {labels[i] in bins for i in np.flatnonzero((whole == low) | (whole == high)).tolist()}
            for bins in told
        ]
        if all(bins and len(side) == 1 for bins, side in zip(told, sides, strict=True)):
            continue
        above = whole >= high
        gap = float(points[above].min() - points[~above].max())
        points[above] -= min(levels * step, max(gap, 0.0))
    points += np.average(feature.points - points, weights=feature.frequencies)
    # Cuts that are closed are closed to the last bit: what differs at all may be told apart.
    return replace(feature, points=np.round(points, 9))
