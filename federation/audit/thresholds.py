"""The thresholds of the audit: a regulator's configuration, within bounds.

Days and hours are those of China (UTC+8, no daylight saving), whatever the machine is set to.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

HOUR = 3_600
DAY = 86_400

Hour = Annotated[int, Field(ge=0, le=23)]


class AuditThresholds(BaseModel):
    """How strict the checks are. Times are in seconds where the name does not say otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_skew: int = Field(default=300, ge=30, le=3_600)
    """How far the clocks of two members may be apart."""
    permit_grace: int = Field(default=60, ge=1, le=600)
    """How long after an unlock the hub's entry of its permit may be missing; 60 s is promised."""
    bank_grace: int = Field(default=7_200, ge=1, le=7 * DAY)
    """How long after the permit the bank may have logged neither result nor failure. A permit is
    good for an hour, and a bank that was restarted goes on within it."""

    quiet_from: Hour = 22
    """First hour of the night, 0 … 23."""
    quiet_until: Hour = 6
    """First hour after the night, 0 … 23; equal to `quiet_from` for no night."""
    holidays: frozenset[date] = frozenset()
    """Days off besides the statutory ones, which the State Council announces each autumn."""
    working_days: frozenset[date] = frozenset()
    """Statutory holidays that are no days off for all that."""

    volume_hour: int = Field(default=50, ge=1, le=100_000)
    """The most queries of a user within 60 minutes."""
    volume_sigmas: float = Field(default=3.0, ge=1.0, le=10.0)
    """A day's queries of a user may exceed its mean by so many standard deviations."""
    volume_days: int = Field(default=30, ge=7, le=90)
    """The days before, of which mean and deviation are taken."""
    volume_history: int = Field(default=7, ge=2, le=30)
    """How many days ago a user's first query of these must be before a day is compared."""
    volume_floor: int = Field(default=10, ge=1, le=1_000)
    """A day with no more queries than this is never unusual: deviations of small numbers are."""

    same_firm_days: int = Field(default=7, ge=1, le=90)
    same_firm_user: int = Field(default=3, ge=2, le=100)
    """Queries about one firm by one user within the days: from this one on, each is found."""
    same_firm_banks: int = Field(default=4, ge=2, le=100)
    """Institutions that asked about one firm within the days: from this one on, each is found."""

    application_days: int = Field(default=30, ge=1, le=180)
    """How long after a query of purpose 02 or 24 its application may be opened."""
    application_share: float = Field(default=0.60, gt=0, lt=1)
    """The share of an institution's such queries of a month that may have no application."""
    application_minimum: int = Field(default=10, ge=1, le=10_000)
    """Months with fewer such queries are not judged."""

    administrator_days: int = Field(default=365, ge=1, le=1_825)
    """How long an account counts as an administrator's after its last administrator's action."""

    probing_days: int = Field(default=30, ge=1, le=180)
    probing_share: float = Field(default=0.05, gt=0, le=0.5)
    """Two models are near-identical when at most this share of their columns has other points."""

    development_bank_epsilon: float = Field(default=3.0, ge=0.1, le=10)
    """ε at δ = 10⁻⁶ that counts for one bank may cost a firm within 365 days: of all holders as the
    regulator certified them, and of each holder as it released them."""
    development_holder_epsilon: float = Field(default=6.0, ge=0.1, le=12)
    """The same of one holder for all banks together."""
