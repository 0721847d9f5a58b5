"""What policy found: one item a figure, in both languages.

The report quotes the scorecard, so it goes to the bank sealed, with a salt; the certificate
carries only the salted hash (`federation.exchange.regulator.PolicyVerdict`).
"""

from __future__ import annotations

from federation.errors import FederationError
from federation.policy.thresholds import PolicyThresholds
from scoring.documents import Document, Text


class PolicyError(FederationError):
    """A submission that policy cannot judge."""


class PolicyItem(Document):
    """One figure of one rule: passed or not, and in words."""

    rule: str
    """The letter of the rule, a–d."""
    field: str
    feature: str | None = None
    """`holder feature` where the figure is about one feature."""
    figure: float
    limit: float
    passed: bool
    text: Text
    bins: tuple[str, ...] | None = None
    """Labels of the bins of the feature that the figure is about (d)."""
    prior: float | None = None
    """The share of firms in those bins (d)."""
    event: Text | None = None
    """Of a figure on two successive months: in which month, or whether points rise or fall (d)."""
    about: tuple[str, ...] | None = None
    """All features that the figure names together, `holder feature` each (c)."""


class PolicyReport(Document):
    """Every figure of every rule."""

    items: tuple[PolicyItem, ...]
    thresholds: PolicyThresholds | None = None
    """The thresholds that were in force; absent in reports of before they were kept."""

    @property
    def passed(self) -> bool:
        """Whether every rule is met."""
        return bool(self.items) and all(item.passed for item in self.items)

    @property
    def failures(self) -> tuple[PolicyItem, ...]:
        """The items that have to be mended before the scorecard can be certified."""
        return tuple(item for item in self.items if not item.passed)
