"""The chain's catalogue: which holder kinds know which features, in which fixed fine bins.

The catalogue is common to all banks, so it says nothing of any bank's model. One (holder,
feature, bin) is one column of the blind evaluation; the order of features and bins here is
the order of columns, and is stable within a version.

A feature's bins, by index:

* 0: `missing`: the holder does not know the firm, or not this feature of it;
* then the special values, each a bin of its own (a number such as exactly 0);
* then, for numbers, the intervals between the edges, left-closed: [a, b), the outer two
  unbounded; for categories, one bin a category and a last bin `other`.

Units: money in yuan, shares and changes as ratios (0.25 is 25 %), flags as 0 and 1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from scoring.documents import Document, Text
from scoring.errors import CatalogueError, ScoringError

FORMAT: Literal["yinxin-catalogue/1"] = "yinxin-catalogue/1"
MISSING = 0
"""The index of every feature's bin for a value, or a firm, that the holder does not know."""

SMALLEST_FREQUENCY = 0.0001
"""Published frequencies are multiples of this: finer ones would single out firms."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
"""A name in documents: snake_case English, at most 48 characters."""


def _label(number: float) -> str:
    return f"{number:,.10g}"


class Bins(Document):
    """The fixed fine bins of a feature; `missing` is implied."""

    specials: tuple[float, ...] = ()
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_family(self) -> Self:
        if bool(self.edges) == bool(self.categories):
            raise ValueError("give either edges (a number) or categories, not both and not neither")
        if self.categories and self.specials:
            raise ValueError("specials: a category needs none, add the value to the categories")
        if any(a >= b for a, b in itertools.pairwise(self.edges)):
            raise ValueError("edges: must increase strictly; sort them and drop repeats")
        if len(set(self.specials)) < len(self.specials):
            raise ValueError("specials: a value stands twice; drop the repeat")
        if len(set(self.categories)) < len(self.categories):
            raise ValueError("categories: a value stands twice; drop the repeat")
        if any(not category or category == "other" for category in self.categories):
            raise ValueError("categories: '' means missing and 'other' is implied; drop them")
        return self

    @property
    def count(self) -> int:
        """How many bins, `missing` and `other` included."""
        if self.categories:
            return 1 + len(self.categories) + 1
        return 1 + len(self.specials) + len(self.edges) + 1

    @property
    def labels(self) -> tuple[str, ...]:
        """A short label a bin, in the order of the indices."""
        if self.categories:
            return ("missing", *self.categories, "other")
        inner = (f"[{_label(a)}, {_label(b)})" for a, b in itertools.pairwise(self.edges))
        first, last = f"< {_label(self.edges[0])}", f"≥ {_label(self.edges[-1])}"
        specials = (f"= {_label(value)}" for value in self.specials)
        return ("missing", *specials, first, *inner, last)


class Feature(Document):
    """One feature that holders of a kind can give, never leaving them but as a blinded total."""

    kind: Name
    name: Name
    title: Text
    unit: str
    type: Literal["number", "category"]
    public: bool
    """Anyone can look it up (registry entries, published court lists)."""
    bins: Bins
    sense: Literal["better", "worse"] | None = None
    """What a larger index says of a firm, where it says either. The common factor of a holder's
    features has no sign of its own; by this the factors of all holders point the same way."""
    frequencies: tuple[float, ...] | None = None
    """Share of the roster's firms a bin; a firm unknown to the holder counts as `missing`."""
    loading: float | None = Field(default=None, ge=-1, le=1)
    """Loading on the common factor, for certification (policy d): the correlation of the factor
    with the normal score of the feature's bin, in the order of the indices, `missing` left out."""
    transitions: tuple[tuple[float, ...], ...] | None = None
    """Row i, column j: the share of the firms in bin i that are in bin j a month later."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.type == "category") != bool(self.bins.categories):
            raise ValueError(f"{self.id}: bins: a {self.type} has the other sort of bins")
        self._check_transitions()
        if self.frequencies is None:
            return self
        if len(self.frequencies) != self.bin_count:
            raise ValueError(
                f"{self.id}: frequencies: {len(self.frequencies)} for {self.bin_count} bins; "
                "give one for every bin, missing first"
            )
        if any(share < 0 for share in self.frequencies):
            raise ValueError(f"{self.id}: frequencies: a share is negative; give shares 0–1")
        if abs(math.fsum(self.frequencies) - 1) > SMALLEST_FREQUENCY:
            raise ValueError(f"{self.id}: frequencies: they add up to something other than 1")
        return self

    def _check_transitions(self) -> None:
        rows = self.transitions
        if rows is None:
            return
        if len(rows) != self.bin_count or any(len(row) != self.bin_count for row in rows):
            raise ValueError(
                f"{self.id}: transitions: not {self.bin_count} rows of {self.bin_count}; give a "
                "row and a column for every bin, missing first"
            )
        if any(share < 0 for row in rows for share in row):
            raise ValueError(f"{self.id}: transitions: a share is negative; give shares 0–1")
        if any(abs(math.fsum(row) - 1) > SMALLEST_FREQUENCY for row in rows):
            raise ValueError(f"{self.id}: transitions: a row adds up to something other than 1")

    @property
    def id(self) -> str:
        """`kind.name`, as consents and scorecards name a disclosed feature."""
        return f"{self.kind}.{self.name}"

    @property
    def bin_count(self) -> int:
        """How many bins, `missing` included."""
        return self.bins.count

    @property
    def bin_labels(self) -> tuple[str, ...]:
        """A short label a bin, in the order of the indices."""
        return self.bins.labels


class HolderKind(Document):
    """A kind of data holder, and how often its data are refreshed."""

    kind: Name
    title: Text
    refresh: str


class Recognition(Document):
    """How many of the roster's firms one holder knows, for certification (policy d)."""

    holder: str = Field(pattern=r"^spiffe://[a-z0-9._-]+/holder/[A-Za-z0-9._-]+$")
    kind: Name
    share: float = Field(gt=0, le=1)


class Catalogue(Document):
    """The published list of features of a chain, one version."""

    error: ClassVar[type[ScoringError]] = CatalogueError

    format: Literal["yinxin-catalogue/1"] = FORMAT
    version: str = Field(min_length=1, max_length=32)
    name: Text
    holders: tuple[HolderKind, ...]
    features: tuple[Feature, ...]
    recognition: tuple[Recognition, ...] | None = None
    """The holders' shares of firms known, in order of their ids. The frequencies of a kind that
    several holders are of are the mean over these; what they say of the firms that a holder
    knows holds for each of them."""

    @field_validator("recognition")
    @classmethod
    def _holders_once(
        cls, recognition: tuple[Recognition, ...] | None
    ) -> tuple[Recognition, ...] | None:
        holders = [known.holder for known in recognition or ()]
        if holders != sorted(set(holders)):
            raise ValueError("recognition: sort the holders by id and drop repeats")
        return recognition

    @field_validator("features")
    @classmethod
    def _features_once(cls, features: tuple[Feature, ...]) -> tuple[Feature, ...]:
        ids = [feature.id for feature in features]
        repeated = {name for name in ids if ids.count(name) > 1}
        if repeated:
            raise ValueError(f"{', '.join(sorted(repeated))}: stands twice; drop the repeat")
        return features

    @model_validator(mode="after")
    def _kinds_known(self) -> Self:
        if len(set(self.kinds)) < len(self.kinds):
            raise ValueError("holders: a kind stands twice; drop the repeat")
        strangers = {feature.kind for feature in self.features} - set(self.kinds)
        strangers |= {known.kind for known in self.recognition or ()} - set(self.kinds)
        if strangers:
            raise ValueError(
                f"kinds {sorted(strangers)} of features or recognition are not among the holders"
            )
        return self

    @cached_property
    def _by_kind(self) -> Mapping[str, tuple[Feature, ...]]:
        return {
            kind: tuple(feature for feature in self.features if feature.kind == kind)
            for kind in self.kinds
        }

    @property
    def kinds(self) -> tuple[str, ...]:
        """The holder kinds, in the catalogue's order."""
        return tuple(holder.kind for holder in self.holders)

    def features_of(self, kind: str) -> tuple[Feature, ...]:
        """The features of a kind in column order; raises CatalogueError for an unknown kind."""
        try:
            return self._by_kind[kind]
        except KeyError:
            raise CatalogueError(
                f"kind: {kind!r} is not in the catalogue; it has {', '.join(self.kinds)}"
            ) from None

    def feature(self, kind: str, name: str) -> Feature:
        """One feature; raises CatalogueError when the kind has none of that name."""
        for feature in self.features_of(kind):
            if feature.name == name:
                return feature
        names = ", ".join(feature.name for feature in self.features_of(kind))
        raise CatalogueError(f"feature: {kind} has no {name!r}; it has {names}")

    def mean_recognition(self, kind: str) -> float:
        """The mean share of firms known over a kind's holders; raises CatalogueError for none."""
        shares = [known.share for known in self.recognition or () if known.kind == kind]
        if not shares:
            raise CatalogueError(
                f"recognition: none is published for holders of kind {kind}; publish it first"
            )
        return math.fsum(shares) / len(shares)

    def recognition_of(self, holder: str) -> float:
        """The share of firms that a holder knows; raises CatalogueError where none is published."""
        for known in self.recognition or ():
            if known.holder == holder:
                return known.share
        raise CatalogueError(
            f"recognition: none is published for {holder}; publish its statistics first"
        )

    def bins_per_feature(self, kind: str) -> tuple[int, ...]:
        """The number of bins of each feature of a kind; their sum is its number of columns."""
        return tuple(feature.bin_count for feature in self.features_of(kind))

    def with_frequencies(self, frequencies: Mapping[str, Sequence[float]]) -> Catalogue:
        """The same catalogue with counts or shares a bin, by feature id (`tax.sales_12m`).

        Any non-negative numbers do: they are scaled to 1 and rounded to multiples of 0.0001,
        a bin that occurs keeping at least one. Features not named keep what they have.
        Raises CatalogueError for an unknown feature, a wrong length, or nothing to scale.
        """
        known = {feature.id for feature in self.features}
        for name in frequencies:
            if name not in known:
                raise CatalogueError(f"frequencies: {name!r} is no feature of this catalogue")
        features = tuple(
            feature.model_copy(update={"frequencies": _published(feature, frequencies[feature.id])})
            if feature.id in frequencies
            else feature
            for feature in self.features
        )
        return Catalogue(
            version=self.version,
            name=self.name,
            holders=self.holders,
            features=features,
            recognition=self.recognition,
        )


def _published(feature: Feature, counts: Sequence[float]) -> tuple[float, ...]:
    """Counts or shares as published frequencies, which add up to exactly 1."""
    if len(counts) != feature.bin_count:
        raise CatalogueError(
            f"frequencies of {feature.id}: {len(counts)} for {feature.bin_count} bins; "
            "give one for every bin, missing first"
        )
    numbers = [float(count) for count in counts]
    total = math.fsum(numbers)
    if not math.isfinite(total) or total <= 0 or min(numbers) < 0:
        raise CatalogueError(
            f"frequencies of {feature.id}: give finite counts of 0 or more, not all 0"
        )
    units_in_one = round(1 / SMALLEST_FREQUENCY)
    units = [max(1, round(units_in_one * n / total)) if n > 0 else 0 for n in numbers]
    # The largest bin takes what rounding leaves over; relative to it the change is smallest.
    units[units.index(max(units))] += units_in_one - sum(units)
    return tuple(unit / units_in_one for unit in units)
