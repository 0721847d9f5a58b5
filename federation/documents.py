"""The base of every signed document: a frozen model, its canonical payload, its type.

A document class names its payload type; `sign` and `open_` are the only ways in and out, so
that nothing is parsed before its signature verified, and bytes that are not the canonical form
of the document are refused (they would give one document two hashes).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, ValidationError

from federation import signed as dsse
from federation.canonical import b64, canonical_json, parse_canonical, unb64
from federation.errors import DocumentError, IdentityError
from federation.identity import SpiffeId
from federation.signed import Signed, SigningKey

MAX_DOCUMENT_BYTES = 2 * 1024 * 1024


def _bytes(value: object) -> object:
    # Inside pydantic an error has to be a ValueError to be reported with its field's path.
    if isinstance(value, str):
        try:
            return unb64(value)
        except DocumentError as error:
            raise ValueError(str(error)) from error
    return value


def _spiffe(value: object) -> object:
    if isinstance(value, str):
        try:
            return SpiffeId.parse(value)
        except IdentityError as error:
            raise ValueError(str(error)) from error
    return value


def _tuple(value: object) -> object:
    # JSON has arrays only; strict mode would refuse a list where the model has a tuple.
    return tuple(value) if isinstance(value, list) else value


_FROM_TEXT = BeforeValidator(_bytes)
_TO_TEXT = PlainSerializer(b64, return_type=str)

Bytes = Annotated[bytes, _FROM_TEXT, _TO_TEXT]
Bytes16 = Annotated[bytes, _FROM_TEXT, Field(min_length=16, max_length=16), _TO_TEXT]
Bytes32 = Annotated[bytes, _FROM_TEXT, Field(min_length=32, max_length=32), _TO_TEXT]
Bytes64 = Annotated[bytes, _FROM_TEXT, Field(min_length=64, max_length=64), _TO_TEXT]
Id = Annotated[SpiffeId, BeforeValidator(_spiffe), PlainSerializer(str, return_type=str)]
Array = BeforeValidator(_tuple)
"""Put it on every tuple field: `Annotated[tuple[X, ...], Array]`."""
Time = Annotated[int, Field(ge=1_000_000_000, lt=10_000_000_000)]
"""Unix seconds. Ten digits always, so that documents do not vary in length."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Part(BaseModel):
    """A part of a document: immutable, no unknown members, no conversion of types."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True
    )


class Document(Part):
    """A document that somebody signs."""

    TYPE: ClassVar[str]

    @classmethod
    def payload_type(cls) -> str:
        """The DSSE payload type of this kind of document, its version included."""
        return f"application/vnd.yinxin.{cls.TYPE}.v1+json"

    def payload(self) -> bytes:
        """The canonical bytes of the document: what is signed and hashed."""
        return canonical_json(self.model_dump(mode="json"))

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the payload; the signature does not enter it."""
        return hashlib.sha256(self.payload()).digest()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, which would take the hash of the original along."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("hash", None)
        return copied

    def sign(self, key: SigningKey) -> Signed:
        """The document signed by `key`."""
        return dsse.sign(self.payload_type(), self.payload(), key)

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Reads a payload whose origin is established already.

        Raises DocumentError with the path of the first member that is wrong.
        """
        value = parse_canonical(payload, MAX_DOCUMENT_BYTES)
        try:
            document = cls.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(str(part) for part in first["loc"]) or "document"
            raise DocumentError(f"{cls.TYPE}.{path}", first["msg"]) from error
        if document.payload() != payload:
            raise DocumentError(cls.TYPE, "is not in canonical form")
        document.__dict__["hash"] = hashlib.sha256(payload).digest()
        return document

    @classmethod
    def open_(cls, signed: Signed, public: bytes) -> Self:
        """The document, once its signature by `public` (Ed25519, 32 bytes) is established.

        Raises SignatureInvalid, or DocumentError for a signed document that is malformed.
        """
        return cls.parse(dsse.verify(signed, public, cls.payload_type()))
