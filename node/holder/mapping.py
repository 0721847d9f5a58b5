"""The mapping file: how a holder's own table becomes the features of the catalogue.

TOML, one file a kind and source:

    format = "yinxin-mapping/1"
    kind = "tax"
    as_of = 2026-05-31                 # the day that the data describe; a caller may give it
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
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from node.errors import NodeError
from node.holder.units import Categories, Conversion, Number, Table
from scoring.catalogue import Catalogue, Feature

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


class FeatureMapping(Table):
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


class CsvSource(Table):
    """A CSV file with a header line (a byte order mark is allowed)."""

    type: Literal["csv"]
    path: str = Field(min_length=1)
    separator: str = Field(default=",", min_length=1, max_length=1)
    encoding: Literal["utf-8", "gb18030"] = "utf-8"


class ParquetSource(Table):
    """A Parquet file."""

    type: Literal["parquet"]
    path: str = Field(min_length=1)


class SqlSource(Table):
    """One SELECT on any SQLAlchemy URL, given here or in the file `url_file`.

    The query may name two parameters: `:as_of`, a date, and `:as_of_month`, text such as
    2026-05.
    """

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


class Limits(Table):
    """When ingest fails as a whole, and how many rows are read at a time."""

    rejected_share: float = Field(default=0.02, ge=0, le=1)
    batch_rows: int = Field(default=50_000, ge=1, le=1_000_000)


class HolderMapping(Table):
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


def load_mapping(
    path: Path, catalogue: Catalogue | None = None, *, as_of: date | None = None
) -> HolderMapping:
    """Read a mapping file and, where `catalogue` is given, check it against it.

    `as_of` takes the place of the file's, so that one file serves every night. Raises
    MappingError naming file, key and remedy.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MappingError(path, "(file)", error.strerror or str(error), "check the path") from None
    except UnicodeDecodeError as error:
        raise MappingError(path, "(file)", str(error), "correct the TOML") from None
    mapping, problems = examine(text, path, catalogue, as_of=as_of)
    if mapping is None or problems:
        raise problems[0]
    return mapping


def examine(
    text: str, path: Path, catalogue: Catalogue | None = None, *, as_of: date | None = None
) -> tuple[HolderMapping | None, list[MappingError]]:
    """What the text of a mapping file says, and everything that is wrong with it: as
    `load_mapping`, which stops at the first. The mapping is None where it cannot be read at all.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return None, [MappingError(path, "(file)", str(error), "correct the TOML")]
    if "file" in document:
        return None, [MappingError(path, "file", "not a key of a mapping", "remove the key")]
    if as_of is not None:
        document["as_of"] = as_of
    try:
        mapping = HolderMapping.model_validate({**document, "file": path})
    except ValidationError as error:
        return None, [
            MappingError(
                path,
                ".".join(str(part) for part in one["loc"]) or "(file)",
                one["msg"],
                _REMEDIES.get(one["type"], "correct the value"),
            )
            for one in error.errors()
        ]
    return mapping, [] if catalogue is None else list(_faults(mapping, catalogue))


def _faults(mapping: HolderMapping, catalogue: Catalogue) -> Iterator[MappingError]:
    if mapping.kind not in catalogue.kinds:
        known = ", ".join(catalogue.kinds)
        yield mapping.error("kind", f"{mapping.kind} is not in the catalogue", f"use {known}")
        return
    features = {feature.name: feature for feature in catalogue.features_of(mapping.kind)}
    for name, item in mapping.features.items():
        if name in features:
            yield from _faults_of(mapping, f"features.{name}", item, features[name])
            continue
        yield mapping.error(
            f"features.{name}",
            f"the catalogue's {mapping.kind} has no such feature",
            f"use {', '.join(features)}",
        )


def _faults_of(
    mapping: HolderMapping, key: str, item: FeatureMapping, feature: Feature
) -> Iterator[MappingError]:
    convert = item.convert
    if feature.type == "number":
        if isinstance(convert, Categories):
            yield mapping.error(
                f"{key}.convert", "the feature is a number", "use a conversion to a number"
            )
        return
    if not isinstance(convert, Categories):
        yield mapping.error(
            f"{key}.convert", "the feature is a category", 'use type = "categories"'
        )
        return
    if item.range is not None:
        yield mapping.error(f"{key}.range", "a category has no range", "remove the key")
    allowed = (*feature.bins.categories, "other")
    given = (*convert.values.values(), *([convert.rest] if convert.rest else []))
    for category in dict.fromkeys(given):
        if category not in allowed:
            yield mapping.error(
                f"{key}.convert",
                f"the catalogue has no category {category!r} here",
                f"use {', '.join(allowed)}",
            )
