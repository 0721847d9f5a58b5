"""Certification policy: what a regulator demands of a scorecard before it certifies it.

Without it a bank would ask for a code and not for a score (points 1, 6, 36 … read out every
bin), or for one feature under the name of a score. Each rule has a module; `RULES` is the list
of those that every scorecard has to meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from federation.policy import information, rank, spacing, spread
from federation.policy.history import Earlier
from federation.policy.report import PolicyError, PolicyItem, PolicyReport
from federation.policy.submission import Rule, Submission
from federation.policy.thresholds import PolicyThresholds
from scoring.catalogue import Catalogue
from scoring.errors import ScoringError
from scoring.scorecard import Scorecard

__all__ = [
    "RULES",
    "Earlier",
    "PolicyError",
    "PolicyItem",
    "PolicyReport",
    "PolicyThresholds",
    "Submission",
    "certify_policy",
]

RULES: Final[tuple[Rule, ...]] = (
    spread.check,
    spacing.check,
    rank.check,
    information.check,
)
"""a: enough features carry each field; b: the points are no code; c: no differences isolate a
feature; d: a record tells little of one."""


def certify_policy(
    scorecard: Scorecard,
    catalogue: Catalogue,
    thresholds: PolicyThresholds,
    earlier: Sequence[Earlier] = (),
) -> PolicyReport:
    """Apply every rule to a scorecard; the report says of each figure whether it passed.

    `earlier` has everything certified for the bank and its affiliates within 24 months.

    Raises PolicyError when the scorecard cannot be judged: it is of another catalogue, or the
    catalogue publishes no frequencies for a feature that it uses.
    """
    try:
        scorecard.check(catalogue)
    except ScoringError as failure:
        raise PolicyError(str(failure)) from failure
    submission = Submission(scorecard, catalogue, thresholds, tuple(earlier))
    items = tuple(item for rule in RULES for item in rule(submission))
    return PolicyReport(items=items, thresholds=thresholds)
