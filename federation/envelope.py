"""Envelopes that only one party can open: HPKE (RFC 9180), base mode, single shot.

Envelopes lie in logs for years, so the KEM is the hybrid MLKEM768-X25519 (X-Wing) of
draft-ietf-hpke-pq, id 0x647a: it holds if either half does. KDF HKDF-SHA256, AEAD AES-256-GCM.
`info` binds an envelope to its purpose and context, so that one made for another purpose, model
or log entry does not open. The plaintext is padded to a size that the purpose fixes, so that
sizes tell nothing. Base mode says nothing of the sender: what must be authentic is signed inside
or around.

Sealed form: encapsulated key (1120 bytes) ‖ AES-256-GCM of (u32 length ‖ plaintext ‖ zeros).
"""

from __future__ import annotations

import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from federation.errors import EnvelopeError

SEED_BYTES = 32
PUBLIC_BYTES = 1184 + 32
ENCAPSULATED_BYTES = 1088 + 32

_MLKEM_SEED = 64
_MLKEM_PUBLIC = 1184
_LENGTH_BYTES = 4
_TAG_BYTES = 16
_LABEL = b"yinxin/envelope/v1"

_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class EnvelopePublicKey:
    """Whom to seal to. `public` is the 1216 bytes of the KEM: ML-KEM-768 key ‖ X25519 key."""

    def __init__(self, public: bytes) -> None:
        """Raises EnvelopeError when the bytes are no key: wrong length or unreduced ML-KEM."""
        if len(public) != PUBLIC_BYTES:
            raise EnvelopeError(f"envelope key has {len(public)} bytes, not {PUBLIC_BYTES}")
        try:
            self._key = hpke.MLKEM768X25519PublicKey(
                MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC]),
                X25519PublicKey.from_public_bytes(public[_MLKEM_PUBLIC:]),
            )
        except ValueError as error:
            raise EnvelopeError("envelope key is not an ML-KEM-768 and X25519 key") from error
        self.public = public

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EnvelopePublicKey) and other.public == self.public

    def __hash__(self) -> int:
        return hash(self.public)

    def __repr__(self) -> str:
        return f"EnvelopePublicKey({hashlib.sha256(self.public).hexdigest()[:16]})"


class EnvelopeKey:
    """A private key, kept as the 32-byte seed of the KEM. Its text form shows no secret."""

    def __init__(self, seed: bytes) -> None:
        """The key of a seed: SHAKE256 gives the ML-KEM seed (64 bytes) and the X25519 key."""
        if len(seed) != SEED_BYTES:
            raise EnvelopeError(f"envelope key seed has {len(seed)} bytes, not {SEED_BYTES}")
        expanded = hashlib.shake_256(seed).digest(_MLKEM_SEED + 32)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED:])
        self._key = hpke.MLKEM768X25519PrivateKey(mlkem, x25519)
        self._seed = seed
        self.public: bytes = (
            mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        )

    @classmethod
    def generate(cls) -> EnvelopeKey:
        """A fresh key from the operating system's randomness."""
        return cls(secrets.token_bytes(SEED_BYTES))

    @classmethod
    def from_bytes(cls, seed: bytes) -> EnvelopeKey:
        """The key that `to_bytes` wrote."""
        return cls(seed)

    def to_bytes(self) -> bytes:
        """The 32-byte seed."""
        return self._seed

    @property
    def public_key(self) -> EnvelopePublicKey:
        """The public half."""
        return EnvelopePublicKey(self.public)

    def __repr__(self) -> str:
        return f"EnvelopeKey({hashlib.sha256(self.public).hexdigest()[:16]})"


def sealed_size(pad_to: int) -> int:
    """Bytes of every envelope sealed with `pad_to`."""
    return ENCAPSULATED_BYTES + _LENGTH_BYTES + pad_to + _TAG_BYTES


def seal(
    public: EnvelopePublicKey, purpose: str, context: bytes, plaintext: bytes, pad_to: int
) -> bytes:
    """Seals up to `pad_to` bytes for the holder of `public`; `sealed_size(pad_to)` bytes long.

    `purpose` is a label such as `escrow`, `context` what the envelope belongs to (a hash).
    Raises EnvelopeError when the plaintext is longer than `pad_to`.
    """
    if len(plaintext) > pad_to:
        raise EnvelopeError(
            f"{purpose} envelope: {len(plaintext)} bytes to seal, at most {pad_to} fit"
        )
    padded = len(plaintext).to_bytes(_LENGTH_BYTES, "big") + plaintext.ljust(pad_to, b"\0")
    try:
        return _SUITE.encrypt(padded, public._key, info=_info(purpose, context))
    except ValueError as error:  # an X25519 key of small order
        raise EnvelopeError(f"{purpose} envelope: the key cannot be sealed to") from error


def open_(key: EnvelopeKey, purpose: str, context: bytes, sealed: bytes, pad_to: int) -> bytes:
    """The plaintext of an envelope that was sealed with the same purpose, context and `pad_to`.

    Raises EnvelopeError, always with the same words, for anything else.
    """
    failure = f"{purpose} envelope does not open"
    if len(sealed) != sealed_size(pad_to):
        raise EnvelopeError(failure)
    try:
        padded = _SUITE.decrypt(sealed, key._key, info=_info(purpose, context))
    except (InvalidTag, ValueError) as error:
        raise EnvelopeError(failure) from error
    end = _LENGTH_BYTES + int.from_bytes(padded[:_LENGTH_BYTES], "big")
    # Zeros only: padding is no place to hide a second message from whoever audits the first.
    if end > len(padded) or padded.count(0, end) < len(padded) - end:
        raise EnvelopeError(failure)
    return padded[_LENGTH_BYTES:end]


def _info(purpose: str, context: bytes) -> bytes:
    label = purpose.encode()
    return _LABEL + len(label).to_bytes(4, "big") + label + context
