"""The distribution that a model is compared with later: its scores on the sample it came from."""

from __future__ import annotations

from scoring.integer import Sample
from scoring.scorecard import Scorecard
from scoring.scored import Scored, score_bins
from scoring.stability import Distribution, distribution_of


def development(scorecard: Scorecard, sample: Sample) -> Distribution:
    """The distribution of a sample's scores, in tenths of the sample; raises ScorecardError."""
    return counted(scorecard, score_bins(scorecard, sample.bins))


def counted(scorecard: Scorecard, scored: Scored, cuts: tuple[int, ...] = ()) -> Distribution:
    """The distribution of scored firms, in tenths of them or by `cuts`; raises ScorecardError."""
    return distribution_of(
        f"{scorecard.name}@{scorecard.version}",
        scored,
        {field.name: field.maximum for field in scorecard.layout().fields},
        len(scorecard.participants),
        cuts,
    )
