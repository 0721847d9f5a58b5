"""The declared set of conversions that a mapping file may name, each a small document."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class Table(BaseModel):
    """A TOML table: no unknown keys, no guessed types, no infinities."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Number(Table):
    """The cell is the value already."""

    type: Literal["number"] = "number"


class Factor(Table):
    """Value = cell × factor, for any other unit."""

    type: Literal["factor"] = "factor"
    factor: float

    @model_validator(mode="after")
    def _not_zero(self) -> Self:
        if self.factor == 0:
            raise ValueError("factor is 0, which makes all values equal; give the unit's ratio")
        return self


class Percent(Table):
    """Value = cell ÷ 100; a trailing % is allowed."""

    type: Literal["percent"] = "percent"


class WanYuan(Table):
    """Value in yuan = cell in 万元 × 10,000."""

    type: Literal["wan_yuan"] = "wan_yuan"


class MonthsSince(Table):
    """Value = whole months from the cell's date to the mapping's as-of date."""

    type: Literal["months_since"] = "months_since"
    date_format: str = "%Y-%m-%d"


class Categories(Table):
    """Value = the catalogue's category that `values` gives for the cell's text.

    A text that is not listed rejects the row, unless `rest` names a category for it.
    """

    type: Literal["categories"] = "categories"
    values: dict[str, str] = Field(min_length=1)
    rest: str | None = None


class Flag(Table):
    """Value = 1 for the texts in `yes`, 0 for those in `no`; any other rejects the row."""

    type: Literal["flag"] = "flag"
    yes: tuple[str, ...] = Field(min_length=1, strict=False)
    no: tuple[str, ...] = Field(min_length=1, strict=False)

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        if both := sorted(set(self.yes) & set(self.no)):
            raise ValueError(f"{both} stand for yes and for no; keep each in one list")
        return self


def _shorthand(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


Conversion = Annotated[
    Annotated[
        Number | Factor | Percent | WanYuan | MonthsSince | Categories | Flag,
        Field(discriminator="type"),
    ],
    BeforeValidator(_shorthand),
]
