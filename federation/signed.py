"""Signed documents: a payload, its type and one Ed25519 signature, as DSSE v1 has them.

The signature is over the pre-authentication encoding (PAE) of payload type and payload, so a
document of one type never passes for another, and the payload is verified as the bytes that
arrived, before anything parses them. DSSE: Dead Simple Signing Envelope, version 1.0.0;
Ed25519: RFC 8032.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from federation.canonical import b64, canonical_json, parse_canonical, unb64
from federation.errors import DocumentError, IdentityError, SignatureInvalid

KEY_BYTES = 32
SIGNATURE_BYTES = 64
MAX_SIGNED_BYTES = 8 * 1024 * 1024
MAX_TYPE_LENGTH = 128

_FIELD = 2**255 - 19
# The y coordinates of the eight points of small order: 0, 1, -1 and the two of order 8. Under
# such a key one signature fits every message, so its owner could deny whatever it signed.
_Y8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER = frozenset({0, 1, _FIELD - 1, _Y8, _FIELD - _Y8})


def key_id(public: bytes) -> str:
    """The name of a public key: the first 16 hex digits of SHA-256 of its 32 raw bytes."""
    return hashlib.sha256(public).hexdigest()[:16]


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE v1 pre-authentication encoding: what is signed."""
    name = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


@dataclass(frozen=True)
class VerifyKey:
    """An Ed25519 public key, 32 raw bytes.

    Raises IdentityError for a wrong length, a y coordinate that is not reduced, or a point of
    small order, all of which OpenSSL lets pass.
    """

    public: bytes

    def __post_init__(self) -> None:
        if len(self.public) != KEY_BYTES:
            raise IdentityError(f"Ed25519 public key has {len(self.public)} bytes, not 32")
        y = int.from_bytes(self.public, "little") % 2**255
        if y >= _FIELD or y in _SMALL_ORDER:
            raise IdentityError("Ed25519 public key is of small order or not reduced; make another")

    @property
    def key_id(self) -> str:
        """First 16 hex digits of SHA-256 of the raw key."""
        return key_id(self.public)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raises SignatureInvalid unless `signature` is this key's for `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError) as error:
            raise SignatureInvalid(f"signature of key {self.key_id} does not verify") from error


class SigningKey:
    """An Ed25519 private key. Its text form never shows the secret."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public: bytes = private.public_key().public_bytes_raw()
        self.key_id: str = key_id(self.public)

    @classmethod
    def generate(cls) -> SigningKey:
        """A fresh key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, seed: bytes) -> SigningKey:
        """The key of a 32-byte seed (RFC 8032 section 5.1.5)."""
        if len(seed) != KEY_BYTES:
            raise IdentityError(f"Ed25519 seed has {len(seed)} bytes, not 32")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, pem: bytes) -> SigningKey:
        """The key in an unencrypted PKCS #8 PEM. Raises IdentityError for anything else."""
        try:
            private = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise IdentityError("signing key: not an unencrypted PKCS #8 PEM") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise IdentityError("signing key: not an Ed25519 key; generate an Ed25519 one")
        return cls(private)

    def to_bytes(self) -> bytes:
        """The 32-byte seed."""
        return self._private.private_bytes_raw()

    def to_pem(self) -> bytes:
        """Unencrypted PKCS #8 PEM; the file that holds it needs mode 0600."""
        return self._private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    @property
    def verify_key(self) -> VerifyKey:
        """The public half."""
        return VerifyKey(self.public)

    @property
    def private(self) -> Ed25519PrivateKey:
        """The key as `cryptography` has it, for X.509 and JWS."""
        return self._private

    def sign(self, message: bytes) -> bytes:
        """64 bytes; deterministic (RFC 8032)."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey(key_id={self.key_id!r})"


@dataclass(frozen=True)
class Signed:
    """One signed document. Holding one says nothing of its validity: call `verify`."""

    payload_type: str
    payload: bytes
    key_id: str
    signature: bytes

    @property
    def payload_hash(self) -> bytes:
        """SHA-256 of the payload, signature excluded; 32 bytes."""
        return hashlib.sha256(self.payload).digest()

    def to_json(self) -> bytes:
        """The DSSE JSON form, canonical."""
        return canonical_json(
            {
                "payloadType": self.payload_type,
                "payload": b64(self.payload),
                "signatures": [{"keyid": self.key_id, "sig": b64(self.signature)}],
            }
        )

    @classmethod
    def from_json(cls, raw: bytes, max_bytes: int = MAX_SIGNED_BYTES) -> Signed:
        """Reads what `to_json` writes and nothing else: one signature, no other member.

        Raises DocumentError. Does not verify.
        """
        value = parse_canonical(raw, max_bytes)
        if not isinstance(value, dict) or set(value) != {"payloadType", "payload", "signatures"}:
            raise DocumentError("envelope", "must have payloadType, payload and signatures only")
        signatures = value["signatures"]
        if not isinstance(signatures, list) or len(signatures) != 1:
            raise DocumentError("signatures", "must hold exactly one signature")
        entry = signatures[0]
        if not isinstance(entry, dict) or set(entry) != {"keyid", "sig"}:
            raise DocumentError("signatures[0]", "must have keyid and sig only")
        signature = unb64(_text(entry["sig"], "signatures[0].sig"), "signatures[0].sig")
        if len(signature) != SIGNATURE_BYTES:
            raise DocumentError("signatures[0].sig", f"has {len(signature)} bytes, not 64")
        payload_type = _text(value["payloadType"], "payloadType")
        if not 1 <= len(payload_type) <= MAX_TYPE_LENGTH:
            raise DocumentError("payloadType", f"must be 1 to {MAX_TYPE_LENGTH} characters long")
        return cls(
            payload_type=payload_type,
            payload=unb64(_text(value["payload"], "payload"), "payload"),
            key_id=_text(entry["keyid"], "signatures[0].keyid"),
            signature=signature,
        )


def sign(payload_type: str, payload: bytes, key: SigningKey) -> Signed:
    """Signs `payload` as a document of `payload_type`."""
    return Signed(payload_type, payload, key.key_id, key.sign(pae(payload_type, payload)))


def verify(signed: Signed, public: bytes, expected_type: str) -> bytes:
    """The payload, once its type and its signature by `public` (32 bytes) are established.

    Raises SignatureInvalid when the type, the key id or the signature is not the expected one.
    Parse only what this returns.
    """
    key = VerifyKey(public)
    if signed.payload_type != expected_type:
        raise SignatureInvalid(f"document is {signed.payload_type!r}, expected {expected_type!r}")
    if signed.key_id != key.key_id:
        raise SignatureInvalid(f"document is signed by key {signed.key_id}, not {key.key_id}")
    key.verify(signed.signature, pae(signed.payload_type, signed.payload))
    return signed.payload


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise DocumentError(field, "must be a string")
    return value
