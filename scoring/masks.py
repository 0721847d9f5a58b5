"""Masks: uniform words that cancel in the sum over all participants P, and in no other.

    mask_h = Σ_{g∈P, g≠h} ± ChaCha20(key_hg), zero nonce, counter from 0, 6 bytes a row, big-endian
    key_hg = HKDF-SHA256(X25519(h, g), info = "yinxin/mask/v1" ‖ ctx ‖ u32be bucket), no salt

Of two ids the smaller (as UTF-8 bytes) adds, the larger subtracts. The keys of P come from
the model's certificate and from nowhere else. The idea is that of Kursawe, Danezis and
Kohlweiss (PETS 2011) and of Bonawitz et al. (CCS 2017), without drop-outs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from scoring.errors import OprfError
from scoring.words import MODULUS, ROWS, WORD_BYTES, words_from_bytes

PUBLIC_KEY_BYTES = 32
CTX_BYTES = 32
LEAST_PARTICIPANTS = 3

_LABEL = b"yinxin/mask/v1"
_KEY_BYTES = 32
_ZERO_COUNTER_AND_NONCE = bytes(16)
_MOST_BUCKETS = 2**32
_LOW_BITS = np.uint64(MODULUS - 1)


def mask(
    own_id: str,
    own_private: X25519PrivateKey,
    peers: Mapping[str, bytes],
    ctx: bytes,
    bucket: int,
) -> NDArray[np.uint64]:
    """The mask of `own_id` for one bucket under one ctx: uint64, shape (8192,), below 2^48.

    `peers` are the *other* members of P: id to raw X25519 public key, 32 bytes. `ctx` is 32
    bytes, `bucket` 0 to 2^32 - 1. Raises OprfError for fewer than three participants (two
    would see each other's part), an own id among the peers, a key of low order, or two ids
    with one key: then masks of the two could cancel each other and leave the answer bare.
    """
    if len(ctx) != CTX_BYTES:
        raise OprfError(f"ctx: {len(ctx)} bytes; give a SHA-256 hash of {CTX_BYTES}")
    if not 0 <= bucket < _MOST_BUCKETS:
        raise OprfError(f"bucket: {bucket}; give 0 to 2^32 - 1")
    if own_id in peers:
        raise OprfError(f"peers: contains the own id {own_id}; give the others only")
    if 1 + len(peers) < LEAST_PARTICIPANTS:
        raise OprfError(f"peers: {len(peers)}; a model needs {LEAST_PARTICIPANTS} participants")
    total = np.zeros(ROWS, np.uint64)
    info = _LABEL + ctx + bucket.to_bytes(4, "big")
    for peer, secret in _shared_secrets(own_id, own_private, peers).items():
        stream = _keystream(secret, info)
        # Strings compare by code point, the order of their UTF-8 bytes. Wrapping modulo 2^64 is
        # harmless: 2^48 divides it.
        total = total + stream if own_id < peer else total - stream
    return total & _LOW_BITS


def _shared_secrets(
    own_id: str, own_private: X25519PrivateKey, peers: Mapping[str, bytes]
) -> dict[str, bytes]:
    """X25519 with every peer, and the proof that all of P have keys of their own.

    Secrets are compared and not keys, since several encodings, and points that differ by a
    small-order one, give one secret.
    """
    own_public = own_private.public_key().public_bytes_raw()
    owner = {_exchange(own_id, own_private, own_public): own_id}
    secrets: dict[str, bytes] = {}
    for peer, public in peers.items():
        secret = _exchange(peer, own_private, public)
        if secret in owner:
            raise OprfError(
                f"peers: {peer} and {owner[secret]} have one X25519 key; refuse the certificate"
            )
        owner[secret] = peer
        secrets[peer] = secret
    return secrets


def _exchange(peer: str, own_private: X25519PrivateKey, public: bytes) -> bytes:
    if len(public) != PUBLIC_KEY_BYTES:
        raise OprfError(f"peers: key of {peer} has {len(public)} bytes; give {PUBLIC_KEY_BYTES}")
    try:
        return own_private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        # The shared secret would be zero, known to everybody (RFC 7748 §6.1).
        raise OprfError(f"peers: key of {peer} is of low order; refuse the certificate") from error


def _keystream(secret: bytes, info: bytes) -> NDArray[np.uint64]:
    key = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(secret)
    encryptor = Cipher(algorithms.ChaCha20(key, _ZERO_COUNTER_AND_NONCE), mode=None).encryptor()
    return words_from_bytes(encryptor.update(bytes(WORD_BYTES * ROWS)))
