"""The report of an import: what became of every characteristic, and what that costs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scoring.cards.card import ToolScale
from scoring.cards.mapping import Method
from scoring.documents import Document, Text


class Finding(Document):
    """One thing that an import changed or that the user should know."""

    kind: Literal["shifted", "merged", "lost", "boundary", "dropped", "note"]
    characteristic: str
    text: Text
    share: float = Field(default=0.0, ge=0)
    """Share of the roster's firms that it concerns, by published frequencies; 0: not known."""
    expected: float = Field(default=0.0, ge=0)
    """Mean absolute change of the score over all firms, in score points."""


class FeatureReport(Document):
    """What one characteristic became."""

    characteristic: str
    holder: str
    feature: str
    bins: tuple[tuple[str, float, tuple[str, ...]], ...]
    """Each fine bin's label, its score points, and the card's attributes that it is made of."""
    share: float
    expected: float


class SampleCost(Document):
    """Scores before and after on firms whose raw values are known."""

    firms: int
    changed: float
    """Share of firms whose score differs at all."""
    mean_change: float
    largest_change: float
    auc_before: float | None = None
    auc_after: float | None = None
    ks_before: float | None = None
    ks_after: float | None = None


class ImportReport(Document):
    """What an import did."""

    card: str
    tool: str
    method: Method
    scale: ToolScale
    features: tuple[FeatureReport, ...]
    findings: tuple[Finding, ...]
    share: float
    """Share of firms that get another score than in the tool, if features were independent."""
    expected: float
    """The mean absolute change of the score is at most this, in score points."""
    sample: SampleCost | None = None
