"""Documents: one byte form, one type, one signer; nothing is parsed before it verifies."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from federation.canonical import b64, canonical_json
from federation.documents import (
    MAX_DOCUMENT_BYTES,
    Array,
    Bytes,
    Bytes16,
    Bytes32,
    Bytes64,
    Document,
    Id,
    Name,
    Part,
    Time,
)
from federation.epoch import Descriptor
from federation.errors import DocumentError, SignatureInvalid
from federation.identity import Role, SpiffeId
from federation.signed import SigningKey, pae, sign


class Line(Part):
    text: str
    number: int


class Sample(Document):
    TYPE: ClassVar[str] = "sample"

    name: Name
    holder: Id
    at: Time
    raw: Bytes
    short: Bytes16
    digest: Bytes32
    signature: Bytes64
    lines: Annotated[tuple[Line, ...], Array]


class Other(Sample):
    TYPE: ClassVar[str] = "other"


HOLDER = SpiffeId("csj.yinxin.example", Role.HOLDER, "tax-1")
KEY, STRANGER = SigningKey.from_bytes(bytes(32)), SigningKey.from_bytes(b"\1" * 32)


def sample(**changes: Any) -> Sample:
    fields: dict[str, Any] = {
        "name": "alpha",
        "holder": HOLDER,
        "at": 1_800_000_000,
        "raw": b"\xff\x00",
        "short": bytes(16),
        "digest": bytes(range(32)),
        "signature": bytes(64),
        "lines": (Line(text="甲", number=1), Line(text="b", number=-2)),
    }
    return Sample(**(fields | changes))


def test_payload_is_canonical_json_with_text_forms() -> None:
    value = json.loads(sample().payload())
    assert value["raw"] == "_wA" and value["holder"] == str(HOLDER)
    assert value["lines"] == [{"text": "甲", "number": 1}, {"text": "b", "number": -2}]
    assert sample().payload() == canonical_json(value)
    assert sample().hash == hashlib.sha256(sample().payload()).digest()


def test_round_trip() -> None:
    document = sample()
    assert Sample.parse(document.payload()) == document
    assert Sample.open_(document.sign(KEY), KEY.public) == document


@given(raw=st.binary(max_size=80), text=st.text(max_size=20), number=st.integers(-(2**53), 2**53))
def test_round_trip_of_any_content(raw: bytes, text: str, number: int) -> None:
    if any(0xD800 <= ord(character) < 0xE000 for character in text):
        return
    document = sample(raw=raw, lines=(Line(text=text, number=number),))
    assert Sample.parse(document.payload()) == document


def test_hash_leaves_the_signature_out() -> None:
    document = sample()
    assert document.sign(KEY).payload_hash == document.sign(STRANGER).payload_hash == document.hash


def test_wrong_signer() -> None:
    signed = sample().sign(STRANGER)
    with pytest.raises(SignatureInvalid):
        Sample.open_(signed, KEY.public)
    Sample.open_(signed, STRANGER.public)


def test_wrong_type() -> None:
    """The same payload, signed by the right key as another kind of document."""
    assert Sample.payload_type() == "application/vnd.yinxin.sample.v1+json"
    signed = Other.parse(sample().payload()).sign(KEY)
    assert signed.payload == sample().payload()
    with pytest.raises(SignatureInvalid, match="other"):
        Sample.open_(signed, KEY.public)
    forged = type(signed)(Sample.payload_type(), signed.payload, signed.key_id, signed.signature)
    with pytest.raises(SignatureInvalid):
        Sample.open_(forged, KEY.public)
    assert pae(signed.payload_type, b"") != pae(Sample.payload_type(), b"")


def test_nothing_is_parsed_before_the_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    monkeypatch.setattr(Sample, "parse", classmethod(lambda cls, raw: parsed.append(raw)))
    with pytest.raises(SignatureInvalid):
        Sample.open_(sign(Sample.payload_type(), b"{", STRANGER), KEY.public)
    assert parsed == []
    Sample.open_(sign(Sample.payload_type(), b"{", KEY), KEY.public)
    assert parsed == [b"{"]


def test_signed_document_may_still_be_malformed() -> None:
    with pytest.raises(DocumentError):
        Sample.open_(sign(Sample.payload_type(), b"{}", KEY), KEY.public)


def rewritten(**changes: Any) -> bytes:
    value = json.loads(sample().payload()) | changes
    return canonical_json({name: item for name, item in value.items() if item is not ...})


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a member missing": ({"at": ...}, "sample.at"),
    "a member too many": ({"extra": 1}, "sample.extra"),
    "text for a number": ({"at": "1800000000"}, "sample.at"),
    "a number for text": ({"name": 1}, "sample.name"),
    "true for a number": ({"at": True}, "sample.at"),
    "null": ({"name": None}, "sample.name"),
    "nine digits of time": ({"at": 999_999_999}, "sample.at"),
    "eleven digits of time": ({"at": 10_000_000_000}, "sample.at"),
    "a name with a blank": ({"name": "a b"}, "sample.name"),
    "a name with a newline": ({"name": "ab\n"}, "sample.name"),
    "a long name": ({"name": "a" * 65}, "sample.name"),
    "no name": ({"name": ""}, "sample.name"),
    "no SPIFFE id": ({"holder": "tax-1"}, "sample.holder"),
    "a SPIFFE id in capitals": ({"holder": "spiffe://CSJ/holder/a"}, "sample.holder"),
    "31 bytes": ({"digest": b64(bytes(31))}, "sample.digest"),
    "33 bytes": ({"digest": b64(bytes(33))}, "sample.digest"),
    "15 bytes": ({"short": b64(bytes(15))}, "sample.short"),
    "65 bytes": ({"signature": b64(bytes(65))}, "sample.signature"),
    "padding": ({"raw": "_wA="}, "sample.raw"),
    "stray bits": ({"raw": "_wB"}, "sample.raw"),
    "base64 of the other alphabet": ({"raw": "/wA"}, "sample.raw"),
    "an array of other things": ({"lines": [1]}, "sample.lines.0"),
    "an object for an array": ({"lines": {}}, "sample.lines"),
    "a part with a member too many": (
        {"lines": [{"text": "a", "number": 1, "x": 1}]},
        "sample.lines.0.x",
    ),
}


@pytest.mark.parametrize(("changes", "path"), BAD.values(), ids=BAD.keys())
def test_malformed_member_is_named(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(DocumentError) as caught:
        Sample.parse(rewritten(**changes))
    assert caught.value.field == path
    Sample.parse(rewritten())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        sample().payload() + b" ",
        b" " + sample().payload(),
        sample().payload().replace(b'":', b'": ', 1),
        sample().payload().replace("甲".encode(), b"\\u7532"),
        sample().payload().replace(b'"number":1', b'"number":1.0'),
        sample().payload().replace(b'"number":1', b'"number":1e0'),
        sample().payload().replace(b'"at":', b'"at":1800000000,"at":'),
        sample().payload()[:-1],
        b"\xff",
        json.dumps(json.loads(sample().payload()), sort_keys=False).encode(),
    ],
)
def test_bytes_that_are_not_the_canonical_form(raw: bytes) -> None:
    """A second byte form of one document would give it a second hash."""
    with pytest.raises(DocumentError):
        Sample.parse(raw)


def test_document_that_is_too_long() -> None:
    with pytest.raises(DocumentError, match="bytes long"):
        Sample.parse(rewritten(name="a" * MAX_DOCUMENT_BYTES))


def test_documents_are_immutable_and_convert_nothing() -> None:
    document = sample()
    with pytest.raises(ValidationError):
        document.at = 1_900_000_000  # type: ignore[misc]
    for changes in ({"at": "1800000000"}, {"digest": bytearray(32)}, {"lines": "ab"}):
        with pytest.raises(ValidationError):
            sample(**changes)


def test_changed_copy_has_a_hash_of_its_own() -> None:
    original = Descriptor(
        chain="csj",
        epoch=1,
        roster_rows=1,
        roster_root=bytes(32),
        catalogue=bytes(32),
        opens=1_800_000_000,
        closes=1_800_000_001,
    )
    before = original.hash
    changed = original.model_copy(update={"epoch": 2})
    assert changed.hash == Descriptor.parse(changed.payload()).hash != before
    assert original.model_copy() == original
