"""A scorecard as its tool has it, exactly: the document `yinxin-tool-card/1`.

A **characteristic** reads one value of the firm; the first of its **attributes** that takes the
value gives its points; the score is `initial` plus the points of every characteristic. Values
are in the tool's own units and orientation: mapping them onto the chain's catalogue is a step
of its own (`scoring.cards.mapping`).

What an attribute takes:

* `intervals`: numbers, each end open, closed or unbounded;
* `values`: single numbers (special values such as -999), or categories;
* `missing`: no value: None, NaN, and empty text unless an attribute names it;
* `default`: any other value that is there.

A value that no attribute takes has no score: that is an error, never a guess. Readers write
what their tool does then as an attribute, and a note where it may surprise.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from scoring.documents import Document, Text
from scoring.errors import ScorecardError, ScoringError
from scoring.scorecard import BASE_ODDS, BASE_SCORE, POINTS_TO_DOUBLE_ODDS

FORMAT: Literal["yinxin-tool-card/1"] = "yinxin-tool-card/1"


class Interval(Document):
    """Numbers between two ends; an end that is null is unbounded."""

    low: float | None = None
    high: float | None = None
    low_closed: bool = True
    high_closed: bool = False

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if self.low is None or self.high is None:
            return self
        if self.low > self.high or (
            self.low == self.high and not (self.low_closed and self.high_closed)
        ):
            raise ValueError(f"{self}: holds no number; exchange or correct the ends")
        return self

    def __str__(self) -> str:
        left = "[" if self.low is not None and self.low_closed else "("
        right = "]" if self.high is not None and self.high_closed else ")"
        low = "-inf" if self.low is None else repr(self.low)
        high = "inf" if self.high is None else repr(self.high)
        return f"{left}{low}, {high}{right}"


class Attribute(Document):
    """One row of a characteristic: the values that it takes, and their partial score."""

    label: str
    points: float
    intervals: tuple[Interval, ...] = ()
    values: tuple[float | str, ...] = ()
    missing: bool = False
    default: bool = False
    reason: str | None = None
    """Reason code; where it is null that of the characteristic holds."""


class Characteristic(Document):
    """One input of the card, and its attributes: the first that takes a value gives its points."""

    name: str = Field(min_length=1)
    type: Literal["number", "category"]
    attributes: tuple[Attribute, ...] = Field(min_length=1)
    reason: str | None = None
    baseline: float | None = None
    """The partial score that reasons are measured from."""

    @model_validator(mode="after")
    def _one_type(self) -> Self:
        for attribute in self.attributes:
            where = f"{self.name}: attribute {attribute.label!r}"
            if self.type == "category" and (
                attribute.intervals or any(isinstance(v, float) for v in attribute.values)
            ):
                raise ValueError(f"{where}: numbers in a category; make the type `number`")
            if self.type == "number" and any(isinstance(v, str) for v in attribute.values):
                raise ValueError(f"{where}: text in a number; make the type `category`")
        if sum(attribute.default for attribute in self.attributes) > 1:
            raise ValueError(f"{self.name}: two attributes take everything else; keep one")
        return self


class ToolScale(Document):
    """What a score means: at `score` there are `odds` good firms to one bad, and `pdo` points
    double the odds, for the better or, where `better` is `smaller`, downwards.
    """

    score: float
    odds: float = Field(gt=0)
    pdo: float = Field(gt=0)
    better: Literal["larger", "smaller"] = "larger"

    @property
    def slope(self) -> float:
        """Points of the chain's scale that a point of this one is worth."""
        sign = 1 if self.better == "larger" else -1
        return sign * POINTS_TO_DOUBLE_ODDS / self.pdo

    def on_chain(self, score: float) -> float:
        """A score of this scale on the chain's: 600 at odds of 20, 40 points double them."""
        base = BASE_SCORE + POINTS_TO_DOUBLE_ODDS * math.log2(self.odds / BASE_ODDS)
        return base + self.slope * (score - self.score)


class ToolCard(Document):
    """A scorecard of a modelling tool."""

    error: ClassVar[type[ScoringError]] = ScorecardError

    format: Literal["yinxin-tool-card/1"] = FORMAT
    name: str = Field(min_length=1)
    tool: str = Field(min_length=1)
    initial: float = 0.0
    characteristics: tuple[Characteristic, ...] = Field(min_length=1)
    scale: ToolScale | None = None
    """Null where the tool's file does not say; the mapping then has to."""
    reason_algorithm: Literal["pointsBelow", "pointsAbove"] | None = None
    """Null: no reason codes are used."""
    notes: tuple[Text, ...] = ()
    """What a reader found that the user should know."""

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [characteristic.name for characteristic in self.characteristics]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"characteristics: {', '.join(repeated)} twice; rename or drop one")
        return self
