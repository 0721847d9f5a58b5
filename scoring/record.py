"""The score record: 48 bits, of which at most 40 are named unsigned fields.

From bit 0 upwards: the scorecard's fields, then the coverage count (how many holders knew the
firm). Whatever lies above, and the 8 check bits on top in any case, is zero in every honest
record, so a wrong pad or mask shows: garbage passes with probability 2^-8 at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import Field, model_validator

from scoring.catalogue import Name
from scoring.documents import Document
from scoring.errors import RecordError, ScoringError
from scoring.words import MODULUS

RECORD_BITS = 40
"""Bits that fields and coverage may use together."""

COVERAGE = "coverage"
"""The name of the coverage field; no other field may bear it."""


class FieldLayout(Document):
    """One unsigned field: bits [offset, offset + width), with values of 0 to `maximum`."""

    name: Name
    offset: int = Field(ge=0, lt=RECORD_BITS)
    width: int = Field(ge=1, le=RECORD_BITS)
    maximum: int = Field(ge=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.offset + self.width > RECORD_BITS:
            raise ValueError(
                f"{self.name}: ends at bit {self.offset + self.width} of {RECORD_BITS}; "
                "use fewer fields, fewer features or smaller points"
            )
        if self.maximum >> self.width:
            raise ValueError(
                f"{self.name}: {self.maximum} does not fit in {self.width} bits; widen the field"
            )
        return self

    @property
    def mask(self) -> int:
        """The field's bits within the word."""
        return ((1 << self.width) - 1) << self.offset


@dataclass(frozen=True, slots=True)
class Record:
    """An opened record: the value of every field, and how many holders knew the firm."""

    values: Mapping[str, int]
    coverage: int


class RecordLayout(Document):
    """Where the fields of a record lie, and their certified maxima."""

    error: ClassVar[type[ScoringError]] = RecordError

    fields: tuple[FieldLayout, ...] = Field(min_length=1)
    coverage: FieldLayout

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        taken = 0
        for field in self.everything:
            if taken & field.mask:
                raise ValueError(f"{field.name}: overlaps another field; move its offset")
            taken |= field.mask
        names = [field.name for field in self.everything]
        if len(set(names)) < len(names) or self.coverage.name != COVERAGE:
            raise ValueError(f"fields: names must differ, and only coverage is named {COVERAGE!r}")
        return self

    @property
    def everything(self) -> tuple[FieldLayout, ...]:
        """The fields in order, coverage last."""
        return (*self.fields, self.coverage)

    def unpack(self, word: int) -> Record:
        """The record in a 48-bit word.

        Raises RecordError, which never shows the word, if a bit outside the fields is set, a
        field exceeds its maximum, or coverage exceeds |P|: then it is no record at all.
        """
        if not 0 <= word < MODULUS:
            raise RecordError("record: not a word of 48 bits; pass the sum modulo 2**48")
        used = 0
        for field in self.everything:
            used |= field.mask
        if word & ~used:
            raise RecordError(
                "record: a check bit is set, so tables and model do not belong together; "
                "report it to the regulator, do not retry"
            )
        values = {}
        for field in self.everything:
            value = (word & field.mask) >> field.offset
            if value > field.maximum:
                raise RecordError(
                    f"record: {field.name} exceeds its certified maximum of {field.maximum}; "
                    "report it to the regulator, do not retry"
                )
            values[field.name] = value
        return Record(coverage=values.pop(COVERAGE), values=values)

    def pack(self, record: Record) -> int:
        """The word of a record; raises RecordError for a missing, unknown or excessive field."""
        values = {**record.values, COVERAGE: record.coverage}
        names = {field.name for field in self.everything}
        if COVERAGE in record.values or values.keys() != names:
            raise RecordError(f"record: fields {sorted(record.values)}; give {sorted(names)}")
        word = 0
        for field in self.everything:
            value = values[field.name]
            if not 0 <= value <= field.maximum:
                raise RecordError(f"record: {field.name}: {value} is not in 0–{field.maximum}")
            word |= value << field.offset
        return word
