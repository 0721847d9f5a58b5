"""The mapping file: how a holder's own table becomes the features of the catalogue.

TOML, one file a kind and source:

    format = "yinxin-mapping/1"
    kind = "tax"
    as_of = 2026-05-31                 # the day that the data describe
    key = "纳税人识别号"                # the column that holds the credit code

    [source]
    type = "csv"                       # csv | parquet | sql
    path = "tax.csv"                   # relative to this file

    [features.tax_paid_12m]
    column = "近12月实缴税额(万元)"
    convert = "wan_yuan"
    missing = ["—"]
    range = [0, 1e9]                   # in the catalogue's unit, after conversion

Conversions are a small declared set (`Conversion`), never code. A password belongs in
the file that `url_file` names, so that a mapping can be shown to anybody.
"""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from node.errors import NodeError
from scoring.catalogue import Catalogue, Feature

FORMAT: Final = "yinxin-mapping/1"
_REMEDIES: Final = {
    "missing": "add the key",
    "extra_forbidden": "remove the key, or correct its spelling",
    "union_tag_invalid": "use one of the types that the message lists",
    "union_tag_not_found": 'give the table a "type"',
}


class MappingError(NodeError):
    """A mapping file that cannot be read, or that does not fit the catalogue."""

    def __init__(self, path: Path, key: str, problem: str, remedy: str) -> None:
        """Name the file, the key in it (dotted), what is wrong and what to do."""
        super().__init__(f"{path}: {key}: {problem}; {remedy}")
        self.path, self.key, self.problem, self.remedy = path, key, problem, remedy


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Number(_Table):
    """The cell is the value already."""

    type: Literal["number"] = "number"


class Factor(_Table):
    """Value = cell × factor, for any other unit."""

    type: Literal["factor"] = "factor"
    factor: float

    @model_validator(mode="after")
    def _not_zero(self) -> Self:
        if self.factor == 0:
            raise ValueError("factor is 0, which makes all values equal; give the unit's ratio")
        return self


class Percent(_Table):
    """Value = cell ÷ 100; a trailing % is allowed."""

    type: Literal["percent"] = "percent"


class WanYuan(_Table):
    """Value in yuan = cell in 万元 × 10,000."""

    type: Literal["wan_yuan"] = "wan_yuan"


class MonthsSince(_Table):
    """Value = whole months from the cell's date to the mapping's as-of date."""

    type: Literal["months_since"] = "months_since"
    date_format: str = "%Y-%m-%d"


class Categories(_Table):
    """Value = the catalogue's category that `values` gives for the cell's text.

    A text that is not listed rejects the row, unless `rest` names a category for it.
    """

    type: Literal["categories"] = "categories"
    values: dict[str, str] = Field(min_length=1)
    rest: str | None = None


class Flag(_Table):
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


class FeatureMapping(_Table):
    """Where one feature comes from: source column, conversion, missing markers, range.

    Empty cells are always missing; `missing` lists the other texts that mean it.
    """

    column: str = Field(min_length=1)
    convert: Conversion = Number()
    missing: tuple[str, ...] = Field(default=(), strict=False)
    range: tuple[float, float] | None = Field(default=None, strict=False)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.range is not None and self.range[0] > self.range[1]:
            raise ValueError(f"range {list(self.range)} is upside down; write [lowest, highest]")
        return self


class CsvSource(_Table):
    """A CSV file with a header line (a byte order mark is allowed)."""

    type: Literal["csv"]
    path: str = Field(min_length=1)
    separator: str = Field(default=",", min_length=1, max_length=1)
    encoding: Literal["utf-8", "gb18030"] = "utf-8"


class ParquetSource(_Table):
    """A Parquet file."""

    type: Literal["parquet"]
    path: str = Field(min_length=1)


class SqlSource(_Table):
    """One SELECT on any SQLAlchemy URL, given here or in the file `url_file`."""

    type: Literal["sql"]
    url: str | None = None
    url_file: str | None = None
    query: str = Field(pattern=r"(?is)^\s*(select|with)\b")

    @model_validator(mode="after")
    def _one_url(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("give either url or url_file (the latter where it holds a password)")
        return self


Source = Annotated[CsvSource | ParquetSource | SqlSource, Field(discriminator="type")]


class Limits(_Table):
    """When ingest fails as a whole, and how many rows are read at a time."""

    rejected_share: float = Field(default=0.02, ge=0, le=1)
    batch_rows: int = Field(default=50_000, ge=1, le=1_000_000)


class HolderMapping(_Table):
    """A mapping file; its relative paths start from the folder of `file`."""

    format: Literal["yinxin-mapping/1"]
    kind: str = Field(min_length=1)
    as_of: date
    key: str = Field(min_length=1)
    source: Source
    limits: Limits = Limits()
    features: dict[str, FeatureMapping] = Field(min_length=1)
    file: Path = Field(default=Path("mapping.toml"), exclude=True)

    def resolve(self, path: str) -> Path:
        """Return `path` seen from the mapping file's folder."""
        return self.file.parent / path

    def error(self, key: str, problem: str, remedy: str) -> MappingError:
        """Return (not raise) the error that names this file and `key`."""
        return MappingError(self.file, key, problem, remedy)

    def columns(self) -> list[str]:
        """Return the source columns that ingest reads, key first, each once."""
        return list(dict.fromkeys([self.key, *(f.column for f in self.features.values())]))


def load_mapping(path: Path, catalogue: Catalogue | None = None) -> HolderMapping:
    """Read a mapping file and, where `catalogue` is given, check it against it.

    Raises MappingError naming file, key and remedy.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(path, "(file)", error.strerror or str(error), "check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(path, "(file)", str(error), "correct the TOML") from None
    if "file" in document:
        raise MappingError(path, "file", "not a key of a mapping", "remove the key")
    try:
        mapping = HolderMapping.model_validate({**document, "file": path})
    except ValidationError as error:
        first = error.errors()[0]
        raise MappingError(
            path,
            ".".join(str(part) for part in first["loc"]) or "(file)",
            first["msg"],
            _REMEDIES.get(first["type"], "correct the value"),
        ) from None
    if catalogue is not None:
        _check(mapping, catalogue)
    return mapping


def _check(mapping: HolderMapping, catalogue: Catalogue) -> None:
    if mapping.kind not in catalogue.kinds:
        known = ", ".join(catalogue.kinds)
        raise mapping.error("kind", f"{mapping.kind} is not in the catalogue", f"use {known}")
    features = {feature.name: feature for feature in catalogue.features_of(mapping.kind)}
    for name, item in mapping.features.items():
        if name not in features:
            raise mapping.error(
                f"features.{name}",
                f"the catalogue's {mapping.kind} has no such feature",
                f"use {', '.join(features)}",
            )
        _check_feature(mapping, f"features.{name}", item, features[name])


def _check_feature(
    mapping: HolderMapping, key: str, item: FeatureMapping, feature: Feature
) -> None:
    convert = item.convert
    if feature.type == "number":
        if isinstance(convert, Categories):
            raise mapping.error(
                f"{key}.convert", "the feature is a number", "use a conversion to a number"
            )
        return
    if not isinstance(convert, Categories):
        raise mapping.error(
            f"{key}.convert", "the feature is a category", 'use type = "categories"'
        )
    if item.range is not None:
        raise mapping.error(f"{key}.range", "a category has no range", "remove the key")
    allowed = (*feature.bins.categories, "other")
    for category in (*convert.values.values(), *([convert.rest] if convert.rest else [])):
        if category not in allowed:
            raise mapping.error(
                f"{key}.convert",
                f"the catalogue has no category {category!r} here",
                f"use {', '.join(allowed)}",
            )
