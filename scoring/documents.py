"""Published documents of `scoring`: frozen, strict, and one canonical JSON form.

The canonical form is RFC 8785 (JSON Canonicalization Scheme) for the documents this package
has: objects with ASCII keys, strings, booleans, integers within ±2^53 and finite doubles.
"""

from __future__ import annotations

import hashlib
import json
import math
from decimal import Decimal
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from scoring.errors import ScoringError

_LARGEST_EXACT_INTEGER = 1 << 53


def _number(value: float) -> str:
    """A double as ECMAScript writes it (ECMA-262, Number::toString), which RFC 8785 demands."""
    if not math.isfinite(value):
        raise ScoringError(f"{value} has no JSON form; leave the number out or correct it")
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    if not isinstance(exponent, int):
        raise ScoringError(f"{value} has no JSON form; leave the number out or correct it")
    point = len(text) + exponent  # the decimal point's place, counted from the first digit
    minus = "-" if sign else ""
    if len(text) <= point <= 21:
        return minus + text + "0" * (point - len(text))
    if 0 < point <= 21:
        return minus + text[:point] + "." + text[point:]
    if -6 < point <= 0:
        return minus + "0." + "0" * -point + text
    fraction = "." + text[1:] if len(text) > 1 else ""
    return f"{minus}{text[0]}{fraction}e{point - 1:+d}"


def canonical_json(value: object) -> str:
    """The canonical JSON text of plain data: dict, list, str, bool, None, int, float.

    Raises ScoringError for anything else, for integers beyond ±2^53 and for infinities.
    """
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > _LARGEST_EXACT_INTEGER:
            raise ScoringError(f"the integer {value} is beyond 2^53; no JSON reader keeps it exact")
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dict):
        # RFC 8785 sorts by UTF-16 units, which for ASCII keys is the order of Python.
        members = (f"{json.dumps(key)}:{canonical_json(value[key])}" for key in sorted(value))
        return "{" + ",".join(members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(canonical_json(item) for item in value) + "]"
    raise ScoringError(f"{type(value).__name__} has no JSON form; use plain data")


class Document(BaseModel):
    """Base of every published document: unknown members are refused, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    error: ClassVar[type[ScoringError]] = ScoringError
    """What `from_json` and `build` raise."""

    @classmethod
    def from_json(cls, raw: str | bytes) -> Self:
        """Parse a document; raises `cls.error` naming every field that is wrong and why."""
        try:
            return cls.model_validate_json(raw)
        except ValidationError as failure:
            raise cls.error(describe(cls.__name__, failure)) from None

    @classmethod
    def build(cls, data: Any) -> Self:
        """Make a document from plain data (dicts and lists); raises `cls.error` as above."""
        try:
            return cls.model_validate(data)
        except ValidationError as failure:
            raise cls.error(describe(cls.__name__, failure)) from None

    def to_json(self) -> str:
        """The canonical JSON text; members that are null are left out."""
        return canonical_json(self.model_dump(mode="json", exclude_none=True))

    def digest(self) -> bytes:
        """SHA-256 of the canonical JSON text in UTF-8, 32 bytes."""
        return hashlib.sha256(self.to_json().encode()).digest()


class Text(Document):
    """One text in Chinese and in English."""

    zh: str
    en: str


def describe(document: str, failure: ValidationError) -> str:
    """Pydantic's findings as one line: `Document: fields.0.step: …; points.3: …`."""
    findings = []
    for finding in failure.errors(include_url=False, include_input=False):
        path = ".".join(str(part) for part in finding["loc"]) or "document"
        findings.append(f"{path}: {finding['msg'].removeprefix('Value error, ')}")
    return f"{document}: " + "; ".join(findings)
