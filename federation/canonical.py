"""Canonical JSON: one byte string for one value, so that a hash or signature is of a value.

The subset of RFC 8785 (JCS) without floating-point numbers: objects with string keys sorted by
UTF-16 code units (section 3.2.3), arrays, strings, whole numbers within ±2^53, booleans and
null. Every number that the protocol signs is whole, so the delicate part of RFC 8785, the
printing of doubles, has nothing to do here and is refused.

Parsing is strict: bytes that are not the canonical form of the value they parse to are refused.
Duplicate keys, whitespace, other escapes, floats and non-UTF-8 all fail that single test.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Never

from federation.errors import DocumentError

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

MAX_INTEGER = 2**53
MAX_DEPTH = 32


def canonical_json(value: object) -> bytes:
    """The RFC 8785 form of `value`, UTF-8. Tuples are written as arrays.

    Raises DocumentError with the path of the first value that has no canonical form: a float,
    a whole number beyond ±2^53, a key that is not a string, a lone surrogate, an object of
    another type, or nesting deeper than 32.
    """
    try:
        # json escapes exactly what RFC 8785 section 3.2.2.2 escapes when ASCII is not forced.
        return _ENCODER.encode(_ordered(value, None, 0)).encode("utf-8")
    except UnicodeEncodeError as error:  # a key or value with a lone surrogate
        raise DocumentError("$", "text holds a lone surrogate") from error


def parse_canonical(raw: bytes, max_bytes: int) -> Any:
    """The value of which `raw` is the canonical form.

    Raises DocumentError when `raw` is longer than `max_bytes`, is no JSON, or is not exactly
    what `canonical_json` writes for the value.
    """
    if len(raw) > max_bytes:
        raise DocumentError("document", f"is {len(raw)} bytes long, at most {max_bytes} allowed")
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_no_float,
            parse_constant=_no_float,
        )
    except (ValueError, RecursionError) as error:
        # ValueError covers bad UTF-8, bad JSON and integers of absurd length.
        raise DocumentError("document", f"is not JSON of this protocol ({error})") from error
    if canonical_json(value) != raw:
        raise DocumentError("document", "is not in canonical form", "write it with RFC 8785 rules")
    return value


def b64(raw: bytes) -> str:
    """base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def unb64(text: str, field: str = "base64url") -> bytes:
    """The bytes of which `text` is the only base64url form: no padding, no stray bits.

    Raises DocumentError naming `field`.
    """
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (UnicodeEncodeError, binascii.Error, ValueError) as error:
        raise DocumentError(field, "is not base64url") from error
    # Python's decoder skips foreign characters and ignores stray bits: compare the round trip.
    if b64(raw) != text:
        raise DocumentError(field, "is not base64url without padding")
    return raw


_Path = tuple[Any, str | int] | None
"""Where a value stands: the path of what holds it, and its key or index there."""


def _ordered(value: object, path: _Path, depth: int) -> object:
    """A copy with every object's members in order (RFC 8785 section 3.2.3), once it is plain."""
    if depth > MAX_DEPTH:
        raise DocumentError(_text(path), f"is nested deeper than {MAX_DEPTH}")
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise DocumentError(_text(path), "is a number beyond ±2^53", "write it as a string")
        return value
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise DocumentError(
                    _text(path), f"has a key of type {type(key).__name__}", "use strings"
                )
        keys = sorted(value, key=_utf16)
        return {key: _ordered(value[key], (path, key), depth + 1) for key in keys}
    if isinstance(value, list | tuple):
        return [_ordered(item, (path, index), depth + 1) for index, item in enumerate(value)]
    raise DocumentError(
        _text(path),
        f"has type {type(value).__name__}, which has no canonical form",
        "use whole numbers, strings, booleans, null, arrays and objects",
    )


def _text(path: _Path) -> str:
    if path is None:
        return "$"
    holder, place = path
    return _text(holder) + (f"[{place}]" if isinstance(place, int) else f".{place}")


def _utf16(key: str) -> bytes:
    # Big-endian bytes compare as code units do; surrogatepass leaves the error to the encoder.
    return key.encode("utf-16-be", "surrogatepass")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _no_float(_: str) -> Never:
    raise ValueError("a number is not whole")
