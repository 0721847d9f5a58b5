"""Which feature of which holder each characteristic of a tool's card is: `yinxin-map/1`.

Values are converted by `factor`: catalogue value = factor × tool's value (10000 where the tool
counts in 万元 and the catalogue in yuan; negative where the tool's orientation is the opposite).
Products are exact in decimals: 0.07 × 100 is 7, whatever doubles make of it.

`missing` of the catalogue stands for a firm that the holder does not know, too. Its points are
`missing_points`, or those that the card gives to `missing_as` (a code such as -999), or those of
the card's own attribute for missing values. A value that no attribute takes has
`unknown_points`. Where none of these is there, the import is refused: nothing is guessed.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from scoring.cards.card import ToolScale
from scoring.cards.real import RealField
from scoring.catalogue import Name
from scoring.documents import Document
from scoring.errors import ScorecardError, ScoringError
from scoring.scorecard import HolderId, Participant

FORMAT: Literal["yinxin-map/1"] = "yinxin-map/1"
Method = Literal["nearest", "weighted"]


class MappedCharacteristic(Document):
    """One characteristic, and the feature that gives its values."""

    name: str = Field(min_length=1)
    holder: HolderId
    feature: Name
    field: Name
    factor: Annotated[float, Field(description="catalogue value = factor × tool's value")] = 1.0
    whole: bool = False
    """The feature's values are whole numbers: a cut at 0.5 is then one at 1, and costs nothing."""
    categories: dict[str, str] = Field(default_factory=dict)
    """The catalogue's category of a category of the tool; the same name where not listed."""
    missing_as: float | str | None = None
    missing_points: float | None = None
    unknown_points: float | None = None
    """Points, like `missing_points`, on the tool's own scale."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.factor == 0:
            raise ValueError(f"{self.name}: factor: 0 makes all values equal; give the unit's")
        if self.missing_as is not None and self.missing_points is not None:
            raise ValueError(f"{self.name}: missing_as and missing_points: give one of them")
        return self


class CardMapping(Document):
    """How a tool's card becomes a card of one chain's catalogue."""

    error: ClassVar[type[ScoringError]] = ScorecardError

    format: Literal["yinxin-map/1"] = FORMAT
    name: str = Field(min_length=1, max_length=64)
    version: str = Field(min_length=1, max_length=32)
    method: Method = "nearest"
    """A fine bin that a cut divides: the points of its larger part, or the weighted mean."""
    scale: ToolScale | None = None
    """What the tool's scores mean; needed where its file does not say, and goes before it."""
    participants: tuple[Participant, ...]
    fields: tuple[RealField, ...]
    characteristics: tuple[MappedCharacteristic, ...] = Field(min_length=1)
    dropped: dict[str, float] = Field(default_factory=dict)
    """Characteristics that the chain cannot serve, and the points that every firm gets instead."""

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [*(mapped.name for mapped in self.characteristics), *self.dropped]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"characteristics: {', '.join(repeated)} twice; keep one")
        places = [(mapped.holder, mapped.feature) for mapped in self.characteristics]
        if len(set(places)) < len(places):
            raise ValueError(
                "characteristics: two of them read one feature of one holder; merge them in the "
                "tool, since a feature has one number of points a bin"
            )
        return self
