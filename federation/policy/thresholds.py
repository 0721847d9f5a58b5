"""The thresholds of certification policy: a regulator's configuration, within bounds."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PolicyThresholds(BaseModel):
    """How strict the rules are.

    The defaults are the protocol's. The bounds keep a chain from configuring a rule away:
    below them the rule would no longer stop the attack that it is there for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fewest_features: int = Field(default=5, ge=3)
    """a: non-public features that have to carry a field."""
    least_share: float = Field(default=0.05, ge=0.01, le=1)
    """a: the share of the field's spread from which a feature carries it."""
    greatest_share: float = Field(default=0.60, gt=0, le=0.80)
    """a: the share of the field's spread that one feature may have."""
    most_levels: int = Field(default=8, ge=2, le=16)
    """b: equally spaced point values of a field."""
    jump_support: int = Field(default=3, ge=2)
    """b: non-public features of a field in which a jump has to occur."""
    isolated_features: int = Field(default=4, ge=2, le=6)
    """c: features, as few as these, that no combination of records may tell of alone."""
    greatest_difference: float = Field(default=0.75, ge=0.60, le=0.90)
    """c: the share of one feature in the spread of any combination of fields with those of one
    earlier scorecard that is over. A half of the firms, told with the other features' normal noise
    beside it, is lifted by 0.6 of the way to certainty at 0.75: what d allows."""
    greatest_gain: float = Field(default=0.60, gt=0, le=0.80)
    """d: how far a record may lift the probability of a set of bins from its prior towards 1."""
    most_valid_models: int = Field(default=2, ge=1, le=3)
    """d: models of a bank and its affiliates that are valid at once: their joint record is judged,
    and its exact distribution grows with a power of their number."""
