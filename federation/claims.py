"""Reading the claims of a signed statement: each by its name, with its type checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from federation.canonical import parse_canonical, unb64
from federation.compact import MAX_COMPACT_BYTES
from federation.errors import DocumentError, IdentityError
from federation.identity import SpiffeId
from federation.uscc import Uscc


class Claims:
    """The claims of a canonical JSON payload. Every method raises DocumentError."""

    def __init__(self, payload: bytes, names: Iterable[str]) -> None:
        expected = set(names)
        value = parse_canonical(payload, MAX_COMPACT_BYTES)
        if not isinstance(value, dict) or set(value) != expected:
            raise DocumentError("claims", f"are not exactly {', '.join(sorted(expected))}")
        self._value: dict[str, Any] = value

    def text(self, name: str) -> str:
        """A string."""
        value = self._value[name]
        if not isinstance(value, str):
            raise DocumentError(name, "must be a string")
        return value

    def number(self, name: str) -> int:
        """A whole number."""
        value = self._value[name]
        if not isinstance(value, int) or isinstance(value, bool):
            raise DocumentError(name, "must be a whole number")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self._value[name]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise DocumentError(name, "must be a list of strings")
        return tuple(value)

    def raw(self, name: str, size: int) -> bytes:
        """Exactly `size` bytes, from base64url."""
        value = unb64(self.text(name), name)
        if len(value) != size:
            raise DocumentError(name, f"has {len(value)} bytes, not {size}")
        return value

    def uscc(self, name: str) -> Uscc:
        """A credit code in normal form."""
        text = self.text(name)
        code = Uscc.parse(text)
        if code != text:
            raise DocumentError(name, "is not in normal form")
        return code

    def spiffe_id(self, name: str) -> SpiffeId:
        """A SPIFFE id."""
        return _spiffe_id(name, self.text(name))

    def spiffe_ids(self, name: str) -> tuple[SpiffeId, ...]:
        """A list of SPIFFE ids."""
        return tuple(_spiffe_id(name, text) for text in self.texts(name))


def _spiffe_id(name: str, text: str) -> SpiffeId:
    try:
        return SpiffeId.parse(text)
    except IdentityError as error:
        raise DocumentError(name, f"holds no SPIFFE id ({error})") from error
