"""The scorecard: a bank's model as a versioned JSON document, `yinxin-scorecard/1`.

Every column gets a whole number of points, larger is better; all bins of a feature lie in one
field. The firm's record holds the sum of points a field; the bank turns it into

    score = clamp(round(scale.offset + Σ step_f · field_f), 300, 850)

where 600 means odds of 20 good to 1 bad and 40 points double the odds. A feature that the
scorecard does not name has zero points. A firm that a holder does not know has the points of
`missing` in each of that holder's features, and one less in the coverage field.

Offsets and widths are computed, never written: a field is as wide as the largest possible sum
over the participants' features needs, so that no field can overflow into the next.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Annotated, ClassVar, Final, Literal, Protocol, Self

from pydantic import Field, StringConstraints, model_validator

from scoring.catalogue import Catalogue, Name
from scoring.documents import Document, Text
from scoring.errors import CatalogueError, ScorecardError, ScoringError
from scoring.record import COVERAGE, RECORD_BITS, FieldLayout, RecordLayout

FORMAT: Literal["yinxin-scorecard/1"] = "yinxin-scorecard/1"
FEWEST_PARTICIPANTS = 3
"""With two, the bank and one holder would know the other's part."""

BASE_SCORE: Final = 600
BASE_ODDS: Final = 20
POINTS_TO_DOUBLE_ODDS: Final = 40
FACTOR: Final = POINTS_TO_DOUBLE_ODDS / math.log(2)
"""Score points a unit of log odds."""

AcrossRule = Literal["lowest", "highest", "mean"]
"""What the scores of one firm in several chains come to (`scoring.across`)."""

HolderId = Annotated[
    str,
    StringConstraints(pattern=r"^spiffe://[a-z0-9._-]+/holder/[A-Za-z0-9._-]+$"),
]
"""The SPIFFE id of a holder: `spiffe://<trust domain>/holder/<name>`."""


class Participant(Document):
    """A holder whose features the scorecard may use, and its kind in the catalogue."""

    holder: HolderId
    kind: Name


def kind_among(participants: Iterable[Participant], holder: str, remedy: str) -> str:
    """The kind of a participant; raises ScorecardError, with the remedy, for any other holder."""
    for participant in participants:
        if participant.holder == holder:
            return participant.kind
    raise ScorecardError(f"participants: {holder} is none; {remedy}")


class ScoreField(Document):
    """One field of the record, and what the profile makes of it: a dimension."""

    name: Name
    title: Text
    reason: str = Field(pattern=r"^R(0[1-9]|1[01])$")
    """The reason given when this dimension is weak, R01–R11 (R12 is for coverage)."""
    step: float = Field(gt=0)
    """Score points a unit of the field."""


class FeaturePoints(Document):
    """The points of one feature of one holder, a number for each bin, `missing` first."""

    holder: HolderId
    feature: Name
    field: Name
    points: tuple[Annotated[int, Field(ge=0, lt=1 << RECORD_BITS, strict=True)], ...] = Field(
        min_length=1
    )


def jumps(points: Iterable[int]) -> frozenset[int]:
    """The differences between neighbouring used values of a feature's points."""
    used = sorted(set(points))
    return frozenset(b - a for a, b in itertools.pairwise(used))


class Coverage(Document):
    """The coverage field: how many holders knew the firm."""

    title: Text = Text(zh="数据覆盖", en="Coverage")


class Scale(Document):
    """The score scale. Base score, odds and doubling are the chain's, written for the reader."""

    base_score: Literal[600] = BASE_SCORE
    base_odds: Literal[20] = BASE_ODDS
    points_to_double_odds: Literal[40] = POINTS_TO_DOUBLE_ODDS
    offset: float
    """The score of a record of zeros."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class _Entry(Protocol):
    @property
    def holder(self) -> str: ...

    @property
    def feature(self) -> str: ...

    @property
    def field(self) -> str: ...


def check_entries(
    participants: Sequence[Participant],
    fields: Sequence[_Named],
    entries: Sequence[_Entry],
    what: str,
) -> None:
    """Raise ValueError unless the features are of participants, once each, and lie in a field."""
    holders = [participant.holder for participant in participants]
    if len(set(holders)) < len(holders):
        raise ValueError("participants: a holder stands twice; drop the repeat")
    names = [field.name for field in fields]
    if len(set(names)) < len(names) or COVERAGE in names:
        raise ValueError(f"fields: names must differ, and none may be {COVERAGE!r}; rename")
    seen = set()
    for entry in entries:
        where = f"{what} {entry.holder} {entry.feature}"
        if entry.holder not in holders:
            raise ValueError(f"{where}: the holder is no participant; add it or drop the entry")
        if entry.field not in names:
            raise ValueError(f"{where}: field {entry.field!r} does not exist; add it to fields")
        if (entry.holder, entry.feature) in seen:
            raise ValueError(f"{where}: stands twice; all bins of a feature lie in one field")
        seen.add((entry.holder, entry.feature))


class Scorecard(Document):
    """A model of one bank for one set of participants and one catalogue version."""

    error: ClassVar[type[ScoringError]] = ScorecardError

    format: Literal["yinxin-scorecard/1"] = FORMAT
    name: str = Field(min_length=1, max_length=64)
    version: str = Field(min_length=1, max_length=32)
    catalogue_version: str = Field(min_length=1, max_length=32)
    participants: tuple[Participant, ...] = Field(min_length=FEWEST_PARTICIPANTS)
    fields: tuple[ScoreField, ...] = Field(min_length=1)
    points: tuple[FeaturePoints, ...] = Field(min_length=1)
    coverage: Coverage = Coverage()
    scale: Scale
    disclosed: tuple[str, ...] = ()
    """Features, as `kind.name`, that consents under this model must name."""
    across: AcrossRule | None = Field(default=None, exclude_if=lambda rule: rule is None)
    """How the scores of one firm in several chains are combined; they are not unless it is said."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_entries(self.participants, self.fields, self.points, "points of")
        if list(self.disclosed) != sorted(set(self.disclosed)):
            raise ValueError("disclosed: sort the features and drop repeats")
        self._fits()
        return self

    def _fits(self) -> None:
        widths = {}
        for field in self.fields:
            maximum = self.maximum(field.name)
            if maximum == 0:
                raise ValueError(
                    f"fields: {field.name} is 0 for every firm; give it points or drop it"
                )
            widths[field.name] = maximum.bit_length()
        coverage = len(self.participants).bit_length()
        total = sum(widths.values()) + coverage
        if total > RECORD_BITS:
            listed = ", ".join(f"{name} {width}" for name, width in widths.items())
            raise ValueError(
                f"fields: {total} bits ({listed}, coverage {coverage}), and a record has "
                f"{RECORD_BITS}; use fewer fields, fewer features or smaller points"
            )

    @cached_property
    def _by_feature(self) -> dict[tuple[str, str], FeaturePoints]:
        return {(entry.holder, entry.feature): entry for entry in self.points}

    def maximum(self, field: str) -> int:
        """The largest possible sum of a field over the participants' features."""
        return sum(max(entry.points) for entry in self.points if entry.field == field)

    def minimum(self, field: str) -> int:
        """The smallest possible sum of a field over the participants' features."""
        return sum(min(entry.points) for entry in self.points if entry.field == field)

    def layout(self) -> RecordLayout:
        """The record's layout: fields from bit 0 in order, then coverage."""
        return self._layout

    @cached_property
    def _layout(self) -> RecordLayout:
        fields, offset = [], 0
        for field in self.fields:
            maximum = self.maximum(field.name)
            width = maximum.bit_length()
            fields.append(FieldLayout(name=field.name, offset=offset, width=width, maximum=maximum))
            offset += width
        holders = len(self.participants)
        coverage = FieldLayout(
            name=COVERAGE, offset=offset, width=holders.bit_length(), maximum=holders
        )
        return RecordLayout(fields=tuple(fields), coverage=coverage)

    def kind_of(self, holder: str) -> str:
        """The kind of a participant; raises ScorecardError for any other holder."""
        return kind_among(self.participants, holder, "certify a model that has it")

    def points_for(self, catalogue: Catalogue, holder: str) -> tuple[tuple[int, ...], ...]:
        """Points a bin of every feature of a holder, in column order; zeros where unused.

        Raises ScorecardError for another catalogue version, or points that do not match it.
        """
        self.check(catalogue)
        points = []
        for feature in catalogue.features_of(self.kind_of(holder)):
            entry = self._by_feature.get((holder, feature.name))
            points.append(entry.points if entry else (0,) * feature.bin_count)
        return tuple(points)

    def weights(self, catalogue: Catalogue, holder: str) -> list[int]:
        """The packed weight of every column of a holder: points << the field's offset.

        Zeros too, so that all banks' bundles look alike. Raises as `points_for` does.
        """
        offsets = {field.name: field.offset for field in self.layout().fields}
        weights: list[int] = []
        for feature, points in zip(
            catalogue.features_of(self.kind_of(holder)),
            self.points_for(catalogue, holder),
            strict=True,
        ):
            entry = self._by_feature.get((holder, feature.name))
            offset = offsets[entry.field] if entry else 0
            weights.extend(value << offset for value in points)
        return weights

    def check(self, catalogue: Catalogue) -> None:
        """Raise ScorecardError unless every feature here is in this catalogue, bin for bin."""
        if self.catalogue_version != catalogue.version:
            raise ScorecardError(
                f"catalogue_version: {self.catalogue_version!r}, and the chain's catalogue is "
                f"{catalogue.version!r}; map the scorecard to that version"
            )
        known: set[str] = set()
        try:
            for participant in self.participants:
                known.update(f.id for f in catalogue.features_of(participant.kind))
            for entry in self.points:
                feature = catalogue.feature(self.kind_of(entry.holder), entry.feature)
                if len(entry.points) != feature.bin_count:
                    raise ScorecardError(
                        f"points of {entry.holder} {entry.feature}: {len(entry.points)} numbers "
                        f"for {feature.bin_count} bins; give one for each of "
                        f"{', '.join(feature.bin_labels)}"
                    )
        except CatalogueError as failure:
            raise ScorecardError(f"scorecard: {failure}") from None
        unknown = sorted(set(self.disclosed) - known)
        if unknown:
            raise ScorecardError(
                f"disclosed: {', '.join(unknown)}: no participant has it; drop it or fix the name"
            )
