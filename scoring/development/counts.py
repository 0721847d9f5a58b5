"""What the holders returned about a bank's labelled firms: the document `yinxin-counts/1`.

One number of good and one of bad firms for every bin but `missing`, of every feature of every
participant, each with the holder's own discrete Gaussian noise of deviation σ. A number may be
negative, and those of a feature need not add up: noise is never cut off, as cutting biases.
`missing` follows from the totals, which the bank knows exactly: they are its own labels.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from scoring.catalogue import Catalogue, Name
from scoring.documents import Document
from scoring.errors import CatalogueError, ScorecardError, ScoringError
from scoring.scorecard import HolderId, Participant, kind_among

FORMAT: Literal["yinxin-counts/1"] = "yinxin-counts/1"


class FeatureCounts(Document):
    """Noisy counts of one feature of one holder, in the order of its bins, `missing` left out."""

    holder: HolderId
    feature: Name
    good: tuple[int, ...] = Field(min_length=1)
    bad: tuple[int, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if len(self.good) != len(self.bad):
            raise ValueError(
                f"{self.holder} {self.feature}: {len(self.good)} counts of good firms and "
                f"{len(self.bad)} of bad; give both for every bin but `missing`"
            )
        return self

    @property
    def key(self) -> tuple[str, str]:
        """(holder, feature)."""
        return self.holder, self.feature


class Counts(Document):
    """All counts of one development certificate, as the bank decrypted them.

    `epsilon_micro` is the whole release's ε in millionths, over all participants, at
    δ = 10^-`delta_exponent`; both are None where `sigma_milli` (σ in thousandths) is 0: counts
    that the bank made of data that it may see.
    """

    error: ClassVar[type[ScoringError]] = ScorecardError

    format: Literal["yinxin-counts/1"] = FORMAT
    name: str = Field(min_length=1, max_length=64)
    catalogue_version: str = Field(min_length=1, max_length=32)
    catalogue_digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    participants: tuple[Participant, ...] = Field(min_length=1)
    good: int = Field(ge=1)
    """Labelled firms that paid, exactly."""
    bad: int = Field(ge=1)
    """Labelled firms that defaulted, exactly."""
    sigma_milli: int = Field(ge=0)
    epsilon_micro: int | None = Field(default=None, ge=1)
    delta_exponent: int | None = Field(default=None, ge=1, le=30)
    certificate: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Hash of the development certificate, where there is one."""
    epoch: int | None = Field(default=None, ge=0)
    features: tuple[FeatureCounts, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        holders = [participant.holder for participant in self.participants]
        if len(set(holders)) < len(holders):
            raise ValueError("participants: a holder stands twice; drop the repeat")
        keys = [entry.key for entry in self.features]
        if len(set(keys)) < len(keys):
            raise ValueError("features: one stands twice; a certificate is answered once")
        strangers = {entry.holder for entry in self.features} - set(holders)
        if strangers:
            raise ValueError(f"features: {sorted(strangers)} are no participants; add or drop them")
        stated = (self.epsilon_micro is not None, self.delta_exponent is not None)
        if stated != (self.sigma_milli > 0,) * 2:
            raise ValueError("epsilon_micro, delta_exponent: give both exactly where σ is above 0")
        return self

    @property
    def sigma(self) -> float:
        """The deviation of the noise of each number, in firms."""
        return self.sigma_milli / 1000

    @property
    def epsilon(self) -> float | None:
        """The ε of the whole release, or None for counts without noise."""
        return None if self.epsilon_micro is None else self.epsilon_micro / 1e6

    def kind_of(self, holder: str) -> str:
        """The kind of a participant; raises ScorecardError for any other holder."""
        return kind_among(self.participants, holder, "add it to participants")

    def check(self, catalogue: Catalogue) -> None:
        """Raise ScorecardError unless the counts are of this catalogue, bin for bin."""
        if self.catalogue_version != catalogue.version or (
            self.catalogue_digest != catalogue.digest().hex()
        ):
            raise ScorecardError(
                f"catalogue: the counts are of version {self.catalogue_version!r} with digest "
                f"{self.catalogue_digest[:16]}…, not of this {catalogue.version!r}; give that one"
            )
        for entry in self.features:
            try:
                feature = catalogue.feature(self.kind_of(entry.holder), entry.feature)
            except CatalogueError as failure:
                raise ScorecardError(f"features: {failure}") from None
            if len(entry.good) != feature.bin_count - 1:
                raise ScorecardError(
                    f"features: {entry.holder} {entry.feature}: {len(entry.good)} counts for "
                    f"{feature.bin_count - 1} bins besides `missing`; give one for each"
                )
