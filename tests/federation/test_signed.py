"""Signed documents: PAE vectors of DSSE, RFC 8032 vectors, and attempts to pass one off."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from federation.canonical import canonical_json
from federation.errors import DocumentError, IdentityError, SignatureInvalid
from federation.signed import Signed, SigningKey, VerifyKey, pae, sign, verify

TYPE = "application/vnd.yinxin.test+json"
KEY = SigningKey.from_bytes(bytes(range(32)))


def test_pae_is_that_of_the_dsse_specification() -> None:
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected


def test_ed25519_is_that_of_rfc_8032() -> None:
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    key = SigningKey.from_bytes(seed)
    assert key.public.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert key.sign(b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_the_key_id_is_the_start_of_the_hash_of_the_key() -> None:
    assert KEY.key_id == hashlib.sha256(KEY.public).hexdigest()[:16] == KEY.verify_key.key_id


def test_a_key_survives_bytes_and_pem_and_hides_its_secret() -> None:
    assert SigningKey.from_pem(KEY.to_pem()).public == KEY.public
    assert SigningKey.from_bytes(KEY.to_bytes()).public == KEY.public
    assert SigningKey.generate().public != SigningKey.generate().public
    assert KEY.to_bytes().hex() not in repr(KEY)


def test_foreign_keys_are_refused() -> None:
    p256 = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for pem in (b"", b"nonsense", p256):
        with pytest.raises(IdentityError):
            SigningKey.from_pem(pem)
    with pytest.raises(IdentityError):
        SigningKey.from_bytes(bytes(31))
    with pytest.raises(IdentityError):
        VerifyKey(bytes(33))


def test_a_signed_document_verifies_and_gives_its_payload() -> None:
    signed = sign(TYPE, b"{}", KEY)
    assert verify(signed, KEY.public, TYPE) == b"{}"
    assert signed.payload_hash == hashlib.sha256(b"{}").digest()


@pytest.mark.parametrize(
    "change",
    [
        {"payload": b"{} "},
        {"payload_type": TYPE + "x"},
        {"key_id": "0" * 16},
        {"signature": bytes(64)},
        {"signature": b""},
    ],
)
def test_any_change_is_detected(change: dict[str, object]) -> None:
    signed = dataclasses.replace(sign(TYPE, b"{}", KEY), **change)
    with pytest.raises(SignatureInvalid):
        verify(signed, KEY.public, str(change.get("payload_type", TYPE)))


def test_a_document_of_one_type_does_not_pass_for_another() -> None:
    with pytest.raises(SignatureInvalid, match="expected"):
        verify(sign("a", b"{}", KEY), KEY.public, "b")
    # Nor does moving the boundary between type and payload.
    signed = sign("ab", b"c", KEY)
    moved = Signed("a", b"bc", signed.key_id, signed.signature)
    with pytest.raises(SignatureInvalid):
        verify(moved, KEY.public, "a")


def test_another_members_signature_does_not_pass() -> None:
    other = SigningKey.generate()
    forged = dataclasses.replace(sign(TYPE, b"{}", other), key_id=KEY.key_id)
    with pytest.raises(SignatureInvalid):
        verify(forged, KEY.public, TYPE)
    with pytest.raises(SignatureInvalid):
        verify(sign(TYPE, b"{}", other), KEY.public, TYPE)


PRIME = 2**255 - 19
D = -121665 * pow(121666, -1, PRIME) % PRIME


def _small_order_keys() -> list[bytes]:
    """Every encoding of a point P with 8P = 0, found by arithmetic on the curve (RFC 8032 5.1)."""
    root_minus_one = pow(2, (PRIME - 1) // 4, PRIME)
    # Points of order 8 have y² = the roots of d·y⁴ + 2y² - 1 = 0 (doubling gives y = 0).
    ys = {0, 1, PRIME - 1}
    for sign_of_root in (1, -1):
        square = (-1 + sign_of_root * _sqrt(1 + D, root_minus_one)) * pow(D, -1, PRIME) % PRIME
        if pow(square, (PRIME - 1) // 2, PRIME) == 1:
            root = _sqrt(square, root_minus_one)
            ys |= {root, PRIME - root}
    encodings = {y + k * PRIME for y in ys for k in (0, 1) if y + k * PRIME < 2**255}
    return sorted(
        (y | sign_bit << 255).to_bytes(32, "little") for y in encodings for sign_bit in (0, 1)
    )


def _sqrt(value: int, root_minus_one: int) -> int:
    value %= PRIME
    root = pow(value, (PRIME + 3) // 8, PRIME)
    if root * root % PRIME != value:
        root = root * root_minus_one % PRIME
    assert root * root % PRIME == value
    return root


def test_a_key_of_small_order_would_sign_everything_and_is_refused() -> None:
    # The attack: the identity point as key, R = identity, s = 0 fit every message in OpenSSL.
    public, signature = b"\x01" + bytes(31), b"\x01" + bytes(63)
    lax = Ed25519PublicKey.from_public_bytes(public)
    for message in (b"first", b"second"):
        lax.verify(signature, message)
    with pytest.raises(IdentityError, match="small order"):
        verify(Signed(TYPE, b"{}", KEY.key_id, signature), public, TYPE)


def test_every_encoding_of_small_order_is_refused() -> None:
    keys = _small_order_keys()
    assert len(keys) == 14  # 5 values of y, 2 of them also unreduced, each with both signs
    for public in keys:
        with pytest.raises(IdentityError):
            VerifyKey(public)


@given(st.binary(max_size=200))
def test_json_form_round_trip(payload: bytes) -> None:
    signed = sign(TYPE, payload, KEY)
    assert Signed.from_json(signed.to_json()) == signed


def _variants() -> list[bytes]:
    good = json.loads(sign(TYPE, b"{}", KEY).to_json())
    signature = good["signatures"][0]
    changed = [
        {**good, "extra": 1},
        {key: value for key, value in good.items() if key != "payloadType"},
        {**good, "signatures": []},
        {**good, "signatures": [signature, signature]},
        {**good, "signatures": [{**signature, "extra": 1}]},
        {**good, "signatures": [{"sig": signature["sig"]}]},
        {**good, "signatures": [{**signature, "sig": signature["sig"][:-2]}]},
        {**good, "signatures": {"0": signature}},
        {**good, "payload": good["payload"] + "="},
        {**good, "payload": 7},
        {**good, "payloadType": ""},
        {**good, "payloadType": "x" * 200},
        [good],
    ]
    return [canonical_json(value) for value in changed] + [b" " + canonical_json(good)]


@pytest.mark.parametrize("raw", _variants())
def test_other_json_forms_are_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError):
        Signed.from_json(raw)


def test_json_form_is_bounded() -> None:
    raw = sign(TYPE, bytes(1000), KEY).to_json()
    with pytest.raises(DocumentError, match="at most"):
        Signed.from_json(raw, max_bytes=1000)
