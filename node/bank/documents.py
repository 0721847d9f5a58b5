"""Signed and logged documents as JSON values: in the database, and in exported evidence."""

from __future__ import annotations

from collections.abc import Sequence

from federation.canonical import canonical_json, parse_canonical
from federation.entries import Logged
from federation.errors import DocumentError
from federation.signed import MAX_SIGNED_BYTES, Signed

MAX_KEPT_BYTES = 4 << 20


def logged_value(logged: Logged) -> dict[str, object]:
    """A logged document as a JSON value."""
    return {
        "document": signed_value(logged.document),
        "entry": parse_canonical(logged.entry, MAX_KEPT_BYTES),
        "promise": signed_value(logged.promise),
    }


def logged_from(value: object) -> Logged:
    """What `logged_value` gave. Raises DocumentError."""
    if not isinstance(value, dict) or set(value) != {"document", "entry", "promise"}:
        raise DocumentError("logged", "must have document, entry and promise only")
    return Logged(
        signed_from(value["document"]),
        canonical_json(value["entry"]),
        signed_from(value["promise"]),
    )


def signed_value(signed: Signed) -> object:
    """A signed document as a JSON value: DSSE's own form."""
    return parse_canonical(signed.to_json(), MAX_SIGNED_BYTES)


def signed_from(value: object) -> Signed:
    """What `signed_value` gave; not verified. Raises DocumentError."""
    return Signed.from_json(canonical_json(value))


def write_logged(logged: Logged) -> bytes:
    """A logged document as canonical JSON."""
    return canonical_json(logged_value(logged))


def read_logged(raw: bytes) -> Logged:
    """What `write_logged` wrote."""
    return logged_from(parse_canonical(raw, MAX_KEPT_BYTES))


def write_documents(documents: Sequence[Signed]) -> bytes:
    """Signed documents as one JSON list."""
    return canonical_json([signed_value(document) for document in documents])


def read_documents(raw: bytes) -> tuple[Signed, ...]:
    """What `write_documents` wrote."""
    value = parse_canonical(raw, MAX_KEPT_BYTES)
    if not isinstance(value, list):
        raise DocumentError("documents", "is not a list")
    return tuple(signed_from(item) for item in value)
