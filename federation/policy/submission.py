"""What a rule judges, and what a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from federation.policy.history import Earlier
from federation.policy.report import PolicyItem
from federation.policy.thresholds import PolicyThresholds
from scoring.catalogue import Catalogue, Feature
from scoring.scorecard import FeaturePoints, Scorecard


@dataclass(frozen=True, slots=True)
class Submission:
    """A scorecard to judge, the catalogue it is of, the thresholds, and what came before.

    The scorecard has been checked against the catalogue.
    """

    scorecard: Scorecard
    catalogue: Catalogue
    thresholds: PolicyThresholds
    earlier: tuple[Earlier, ...] = ()

    def field(self, name: str) -> tuple[tuple[FeaturePoints, Feature], ...]:
        """The features of a field: their points, and what the catalogue says of them."""
        return tuple(
            (entry, self.catalogue.feature(self.scorecard.kind_of(entry.holder), entry.feature))
            for entry in self.scorecard.points
            if entry.field == name
        )


Rule = Callable[[Submission], Iterator[PolicyItem]]


def name_of(entry: FeaturePoints) -> str:
    """`holder feature`, as the report names a feature of a scorecard."""
    return f"{entry.holder} {entry.feature}"
