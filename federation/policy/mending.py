"""Changes to a scorecard that keep its score as near as can be: the means of `remedy`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from federation.policy.atoms import rare
from federation.policy.thresholds import PolicyThresholds
from scoring.catalogue import Catalogue, Feature
from scoring.rounding import RealPoints, round_points
from scoring.scorecard import FeaturePoints, Scorecard

Key = tuple[str, str]
"""(holder, feature)."""
Points = tuple[int, ...]


def feature_of(scorecard: Scorecard, catalogue: Catalogue, entry: FeaturePoints) -> Feature:
    """What the catalogue says of a feature of the scorecard."""
    return catalogue.feature(scorecard.kind_of(entry.holder), entry.feature)


def with_points(
    scorecard: Scorecard, catalogue: Catalogue, points: Mapping[Key, Points]
) -> Scorecard:
    """The scorecard with other points of some features, and the same mean score."""
    entries = [
        entry.model_copy(update={"points": points[entry.holder, entry.feature]})
        if (entry.holder, entry.feature) in points
        else entry
        for entry in scorecard.points
    ]
    return _centred(scorecard, catalogue, {"points": entries})


def rerounded(
    scorecard: Scorecard, catalogue: Catalogue, field: str, thresholds: PolicyThresholds
) -> Scorecard:
    """The scorecard with the points of one field rounded to rule b.

    Raises ScorecardError where they cannot be.
    """
    entries = [entry for entry in scorecard.points if entry.field == field]
    return _rounded(scorecard, catalogue, entries, field, thresholds)


def merged(
    scorecard: Scorecard, catalogue: Catalogue, field: str, into: str, thresholds: PolicyThresholds
) -> Scorecard:
    """The scorecard with one field less, its features in `into`, rounded to rule b.

    Raises ScorecardError where they cannot be.
    """
    entries = [entry for entry in scorecard.points if entry.field in (field, into)]
    return _rounded(scorecard, catalogue, entries, into, thresholds, gone=field)


def _rounded(
    scorecard: Scorecard,
    catalogue: Catalogue,
    entries: Sequence[FeaturePoints],
    field: str,
    thresholds: PolicyThresholds,
    gone: str = "",
) -> Scorecard:
    steps = {one.name: one.step for one in scorecard.fields}
    real = [_real(scorecard, catalogue, entry, field, steps[entry.field]) for entry in entries]
    rounded = round_points(real, thresholds.most_levels, thresholds.jump_support)
    new = {(e.holder, e.feature): rounded.points[e.holder, e.feature] for e in entries}
    points = [
        entry.model_copy(update={"field": field, "points": new[entry.holder, entry.feature]})
        if (entry.holder, entry.feature) in new
        else entry
        for entry in scorecard.points
    ]
    step = {"step": float(f"{rounded.steps[field]:.6g}")}
    fields = [
        one.model_copy(update=step) if one.name == field else one
        for one in scorecard.fields
        if one.name != gone
    ]
    return _centred(scorecard, catalogue, {"points": points, "fields": fields})


def _real(
    scorecard: Scorecard, catalogue: Catalogue, entry: FeaturePoints, field: str, step: float
) -> RealPoints:
    feature = feature_of(scorecard, catalogue, entry)
    return RealPoints(
        holder=entry.holder,
        feature=entry.feature,
        field=field,
        public=feature.public,
        points=step * np.array(entry.points, dtype=np.float64),
        frequencies=_shares(feature),
    )


def _centred(
    scorecard: Scorecard, catalogue: Catalogue, changes: Mapping[str, object]
) -> Scorecard:
    """The scorecard with changes, and an offset that keeps its mean score over firms."""
    draft = Scorecard.build({**dict(scorecard), **changes})
    offset = scorecard.scale.offset + _mean(scorecard, catalogue) - _mean(draft, catalogue)
    scale = draft.scale.model_copy(update={"offset": round(offset, 4)})
    return Scorecard.build({**dict(draft), "scale": scale})


def _shares(feature: Feature) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The published frequencies; equal ones where there are none."""
    count = feature.bin_count
    return np.array(feature.frequencies or (1 / count,) * count, dtype=np.float64)


def _worth(scorecard: Scorecard) -> dict[Key, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Score points a bin of every feature."""
    steps = {field.name: field.step for field in scorecard.fields}
    return {
        (entry.holder, entry.feature): steps[entry.field] * np.array(entry.points, dtype=np.float64)
        for entry in scorecard.points
    }


def _mean(scorecard: Scorecard, catalogue: Catalogue) -> float:
    worth = _worth(scorecard)
    return math.fsum(
        float(worth[entry.holder, entry.feature] @ _shares(feature_of(scorecard, catalogue, entry)))
        for entry in scorecard.points
    )


def shift(before: Scorecard, after: Scorecard, catalogue: Catalogue) -> float:
    """Root of the mean square change of a firm's score, features taken as independent."""
    old, new = _worth(before), _worth(after)
    variance = 0.0
    for entry in before.points:
        shares = _shares(feature_of(before, catalogue, entry))
        change = new[entry.holder, entry.feature] - old[entry.holder, entry.feature]
        variance += float(np.average((change - change @ shares) ** 2, weights=shares))
    return math.sqrt(variance)


def ladder(points: Points, first: Sequence[int] = ()) -> Iterator[Points]:
    """Ever narrower points of a feature: the widest gap between used values is lowered by one, and
    again, down to equal points. A gap lowered to 0 joins the bins on its two sides.

    Gaps above the values in `first` go before all others, so that what has to be hidden is.
    """
    current = list(points)
    wanted = set(first)
    while len(used := sorted(set(current))) > 1:
        gaps = list(itertools.pairwise(used))
        low, _ = max(gaps, key=lambda gap: (gap[0] in wanted, gap[1] - gap[0], -gap[0]))
        # The values above move down, and those that are wanted move with them.
        wanted = {value - (value > low) for value in wanted}
        current = [value - (value > low) for value in current]
        yield tuple(current)


def widened(points: Points, shares: Sequence[float], most: int) -> Iterator[Points]:
    """The points with one bin moved by one, the rarest first of those that rule c counts."""
    left = rare(shares)
    for number in sorted(set(range(len(points))) - left, key=lambda n: (shares[n], n)):
        for step in (1, -1):
            value = points[number] + step
            if 0 <= value <= most:
                yield (*points[:number], value, *points[number + 1 :])
