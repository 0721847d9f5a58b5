"""Certification policy: what a regulator demands of a scorecard before it certifies it.

Without it a bank would ask for a code and not for a score (points 1, 6, 36 … read out every
bin), or for one feature under the name of a score. Each rule has a module; `ALONE` and `BESIDE` are
the lists of those that every scorecard has to meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from federation.policy import information, rank, spacing, spread
from federation.policy.history import Earlier, readings
from federation.policy.refining import check_sorts
from federation.policy.report import PolicyError, PolicyItem, PolicyReport
from federation.policy.submission import Rule, Submission
from federation.policy.thresholds import PolicyThresholds
from scoring.catalogue import Catalogue
from scoring.errors import ScoringError
from scoring.scorecard import Scorecard

__all__ = [
    "ALONE",
    "BESIDE",
    "Earlier",
    "PolicyError",
    "PolicyItem",
    "PolicyReport",
    "PolicyThresholds",
    "Submission",
    "certify_policy",
]

ALONE: Final[tuple[Rule, ...]] = (spread.check, spacing.check)
"""a: enough features carry each field; b: the points are no code."""
BESIDE: Final[tuple[Rule, ...]] = (rank.check, information.check)
"""c: no differences isolate a feature; d: a record tells little of one. Both look at what was
certified before."""


def certify_policy(
    scorecard: Scorecard,
    catalogue: Catalogue,
    thresholds: PolicyThresholds,
    earlier: Sequence[Earlier] = (),
) -> PolicyReport:
    """Apply every rule to a scorecard; the report says of each figure whether it passed.

    `earlier` has everything certified for the bank and its affiliates within 24 months, in this
    chain and in peer chains; with several readings of the latter (`federation.policy.history`) the
    report has the figures of the first, and of the others what fails.

    Raises PolicyError when the scorecard cannot be judged: it is of another catalogue, the
    catalogue publishes no frequencies for a feature that it uses, or another chain's catalogue has
    a category under the name of a number.
    """
    try:
        scorecard.check(catalogue)
    except ScoringError as failure:
        raise PolicyError(str(failure)) from failure
    submission = Submission(scorecard, catalogue, thresholds, tuple(earlier))
    check_sorts(submission)
    items = [item for rule in ALONE for item in rule(submission)]
    for number, before in enumerate(readings(scorecard, submission.earlier)):
        beside = replace(submission, earlier=before)
        found = [item for rule in BESIDE for item in rule(beside)]
        items += [item for item in found if not number or (not item.passed and item not in items)]
    return PolicyReport(items=tuple(items), thresholds=thresholds)
