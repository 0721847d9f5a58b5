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

MAX_INTEGER = 2**53
MAX_DEPTH = 32


def canonical_json(value: object) -> bytes:
    """The RFC 8785 form of `value`, UTF-8. Tuples are written as arrays.

    Raises DocumentError with the path of the first value that has no canonical form: a float,
    a whole number beyond ±2^53, a key that is not a string, a lone surrogate, an object of
    another type, or nesting deeper than 32.
    """
    parts: list[str] = []
    _write(value, "$", 0, parts)
    try:
        return "".join(parts).encode("utf-8")
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


def _write(value: object, path: str, depth: int, parts: list[str]) -> None:
    if depth > MAX_DEPTH:
        raise DocumentError(path, f"is nested deeper than {MAX_DEPTH}")
    if value is None or isinstance(value, bool):
        parts.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, str):
        parts.append(_quote(value))
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise DocumentError(path, "is a number beyond ±2^53", "write it as a string")
        parts.append(int.__repr__(value))
    elif isinstance(value, dict):
        _write_object(value, path, depth, parts)
    elif isinstance(value, list | tuple):
        parts.append("[")
        for index, item in enumerate(value):
            if index:
                parts.append(",")
            _write(item, f"{path}[{index}]", depth + 1, parts)
        parts.append("]")
    else:
        raise DocumentError(
            path,
            f"has type {type(value).__name__}, which has no canonical form",
            "use whole numbers, strings, booleans, null, arrays and objects",
        )


def _write_object(value: dict[Any, Any], path: str, depth: int, parts: list[str]) -> None:
    for key in value:
        if not isinstance(key, str):
            raise DocumentError(path, f"has a key of type {type(key).__name__}", "use strings")
    parts.append("{")
    for index, key in enumerate(sorted(value, key=_utf16)):
        if index:
            parts.append(",")
        parts.append(_quote(key))
        parts.append(":")
        _write(value[key], f"{path}.{key}", depth + 1, parts)
    parts.append("}")


def _utf16(key: str) -> bytes:
    # Big-endian bytes compare as code units do; surrogatepass leaves the error to the encoder.
    return key.encode("utf-16-be", "surrogatepass")


def _quote(text: str) -> str:
    # json.dumps escapes exactly what RFC 8785 section 3.2.2.2 escapes when ASCII is not forced.
    return json.dumps(text, ensure_ascii=False)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _no_float(_: str) -> Never:
    raise ValueError("a number is not whole")
