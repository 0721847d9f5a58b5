"""A scorecard of real points over the catalogue's fine bins: the document `yinxin-card/1`.

What an import makes and rounding takes: everything a `Scorecard` has but whole points and
steps. Points are score points on the chain's scale (600 at odds of 20 good to 1 bad, 40 points
double the odds), larger is better:

    score = offset + Σ points of the firm's bin of every feature

A firm that a holder does not know has the points of `missing` of that holder's features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from scoring.catalogue import Catalogue, Feature, Name
from scoring.documents import Document, Text
from scoring.errors import CatalogueError, ScorecardError, ScoringError
from scoring.rounding import RealPoints
from scoring.scorecard import (
    FEWEST_PARTICIPANTS,
    FeaturePoints,
    HolderId,
    Participant,
    Scale,
    Scorecard,
    ScoreField,
    check_entries,
    kind_among,
)

FORMAT: Literal["yinxin-card/1"] = "yinxin-card/1"

Floats = NDArray[np.float64]


class RealField(Document):
    """A field of the record to come: a dimension of the profile, without its step."""

    name: Name
    title: Text
    reason: str = Field(pattern=r"^R(0[1-9]|1[01])$")
    """The reason given when this dimension is weak, R01–R11."""


class RealFeature(Document):
    """The score points of one feature of one holder, a number for each bin, `missing` first."""

    holder: HolderId
    feature: Name
    field: Name
    points: tuple[float, ...] = Field(min_length=1)


class RealCard(Document):
    """A model of real points for one set of participants and one catalogue version."""

    error: ClassVar[type[ScoringError]] = ScorecardError

    format: Literal["yinxin-card/1"] = FORMAT
    name: str = Field(min_length=1, max_length=64)
    version: str = Field(min_length=1, max_length=32)
    catalogue_version: str = Field(min_length=1, max_length=32)
    participants: tuple[Participant, ...] = Field(min_length=FEWEST_PARTICIPANTS)
    fields: tuple[RealField, ...] = Field(min_length=1)
    features: tuple[RealFeature, ...] = Field(min_length=1)
    offset: float
    """The score of a firm whose points are all 0."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_entries(self.participants, self.fields, self.features, "features:")
        return self

    def kind_of(self, holder: str) -> str:
        """The kind of a participant; raises ScorecardError for any other holder."""
        return kind_among(self.participants, holder, "add it to participants")

    def catalogued(self, catalogue: Catalogue) -> tuple[Feature, ...]:
        """The catalogue's feature of each entry, in the order of `features`.

        Raises ScorecardError for another version, an unknown feature or other bins.
        """
        if self.catalogue_version != catalogue.version:
            raise ScorecardError(
                f"catalogue_version: {self.catalogue_version!r}, and the chain's catalogue is "
                f"{catalogue.version!r}; import the model for that version"
            )
        found = []
        for entry in self.features:
            try:
                feature = catalogue.feature(self.kind_of(entry.holder), entry.feature)
            except CatalogueError as failure:
                raise ScorecardError(f"features: {failure}") from None
            if len(entry.points) != feature.bin_count:
                raise ScorecardError(
                    f"features: {entry.holder} {entry.feature}: {len(entry.points)} numbers for "
                    f"{feature.bin_count} bins; give one for each of "
                    f"{', '.join(feature.bin_labels)}"
                )
            found.append(feature)
        return tuple(found)

    def real_points(self, catalogue: Catalogue) -> list[RealPoints]:
        """The features as `scoring.rounding` takes them, with the published frequencies.

        Raises ScorecardError as `catalogued` does, and for a feature without frequencies.
        """
        real = []
        for entry, feature in zip(self.features, self.catalogued(catalogue), strict=True):
            if feature.frequencies is None:
                raise ScorecardError(
                    f"features: {feature.id}: the catalogue publishes no frequencies of it; take "
                    "a catalogue with statistics"
                )
            real.append(
                RealPoints(
                    holder=entry.holder,
                    feature=entry.feature,
                    field=entry.field,
                    public=feature.public,
                    points=np.array(entry.points, dtype=np.float64),
                    frequencies=np.array(feature.frequencies, dtype=np.float64),
                )
            )
        return real

    @classmethod
    def of(
        cls,
        real: Sequence[RealPoints],
        *,
        name: str,
        version: str,
        catalogue_version: str,
        participants: Sequence[Participant],
        fields: Sequence[RealField],
        offset: float,
    ) -> Self:
        """The card of a list of `RealPoints`; raises ScorecardError where it is no card."""
        return cls.build(
            {
                "name": name,
                "version": version,
                "catalogue_version": catalogue_version,
                "participants": tuple(participants),
                "fields": tuple(fields),
                "features": tuple(
                    RealFeature(
                        holder=item.holder,
                        feature=item.feature,
                        field=item.field,
                        points=tuple(item.points.tolist()),
                    )
                    for item in real
                ),
                "offset": offset,
            }
        )

    def whole(
        self,
        points: Mapping[tuple[str, str], tuple[int, ...]],
        steps: Mapping[str, float],
        offset: float,
    ) -> Scorecard:
        """The scorecard of rounded points by (holder, feature), with each field's step.

        Fields without a step and features whose points are all 0 are left out. Raises
        ScorecardError where what is left is no scorecard.
        """
        return Scorecard.build(
            {
                "name": self.name,
                "version": self.version,
                "catalogue_version": self.catalogue_version,
                "participants": self.participants,
                "fields": [
                    ScoreField(
                        name=field.name,
                        title=field.title,
                        reason=field.reason,
                        step=round(steps[field.name], 6),
                    )
                    for field in self.fields
                    if field.name in steps
                ],
                "points": [
                    FeaturePoints(
                        holder=entry.holder,
                        feature=entry.feature,
                        field=entry.field,
                        points=points[entry.holder, entry.feature],
                    )
                    for entry in self.features
                    if any(points.get((entry.holder, entry.feature), ()))
                ],
                "scale": Scale(offset=round(offset, 6)),
            }
        )

    def scores(self, bins: Mapping[tuple[str, str], NDArray[np.uint16]]) -> Floats:
        """The scores, unrounded and unclamped, shape (firms,), of firms' bins by
        (holder, feature).

        Features are added in their order here, so that one firm and a million agree to the
        last bit. Raises ScorecardError for a feature without bins, or a bin out of range.
        """
        total: Floats | None = None
        for entry in self.features:
            chosen = bins.get((entry.holder, entry.feature))
            if chosen is None or (len(chosen) and int(chosen.max()) >= len(entry.points)):
                raise ScorecardError(
                    f"bins of {entry.holder} {entry.feature}: missing, or beyond the last of "
                    f"{len(entry.points)}; give every firm's bin"
                )
            if total is None:
                total = np.full(len(chosen), self.offset)
            total = total + np.array(entry.points, dtype=np.float64)[chosen]
        if total is None:
            raise ScorecardError("features: none; give the card at least one")
        return total
