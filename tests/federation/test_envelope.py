"""Envelopes: the vector of draft-ietf-hpke-pq, an independent HPKE, and everything that fails."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from federation import envelope
from federation.envelope import (
    ENCAPSULATED_BYTES,
    EnvelopeKey,
    EnvelopePublicKey,
    open_,
    seal,
    sealed_size,
)
from federation.errors import EnvelopeError

VECTOR = json.loads(
    (Path(__file__).parent.parent / "vectors" / "hpke_mlkem768_x25519.json").read_text()
)["vector"]
KEY = EnvelopeKey.from_bytes(bytes(range(32)))
CONTEXT = hashlib.sha256(b"entry").digest()
PAD = 512


class IndependentHpke:
    """RFC 9180 base mode with X-Wing and HKDF-SHA256, written from the texts for this test."""

    def __init__(self, seed: bytes, aead_id: int) -> None:
        expanded = hashlib.shake_256(seed).digest(96)
        self.mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        self.x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        self.suite = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (0x647A, 1, aead_id))

    def decapsulate(self, enc: bytes) -> bytes:
        # X-Wing: SHA3-256(ssM ‖ ssX ‖ ctX ‖ pkX ‖ label).
        post_quantum = self.mlkem.decapsulate(enc[:1088])
        classical = self.x25519.exchange(X25519PublicKey.from_public_bytes(enc[1088:]))
        own = self.x25519.public_key().public_bytes_raw()
        label = rb"\./" + b"/^\\"
        return hashlib.sha3_256(post_quantum + classical + enc[1088:] + own + label).digest()

    def schedule(self, shared: bytes, info: bytes) -> tuple[bytes, bytes]:
        ids = self._extract(b"", b"psk_id_hash", b"")
        context = b"\0" + ids + self._extract(b"", b"info_hash", info)
        secret = self._extract(shared, b"secret", b"")
        return self._expand(secret, b"key", context, 32), self._expand(
            secret, b"base_nonce", context, 12
        )

    def _extract(self, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return hmac.digest(salt or bytes(32), b"HPKE-v1" + self.suite + label + ikm, "sha256")

    def _expand(self, secret: bytes, label: bytes, info: bytes, size: int) -> bytes:
        labelled = size.to_bytes(2, "big") + b"HPKE-v1" + self.suite + label + info
        return hmac.digest(secret, labelled + b"\x01", "sha256")[:size]


def test_a_seed_gives_the_key_of_the_published_vector() -> None:
    key = EnvelopeKey.from_bytes(bytes.fromhex(VECTOR["skRm"]))
    assert key.public.hex() == VECTOR["pkRm"]


def test_the_independent_hpke_agrees_with_the_published_vector() -> None:
    peer = IndependentHpke(bytes.fromhex(VECTOR["skRm"]), VECTOR["aead_id"])
    shared = peer.decapsulate(bytes.fromhex(VECTOR["enc"]))
    assert shared.hex() == VECTOR["shared_secret"]
    key, nonce = peer.schedule(shared, bytes.fromhex(VECTOR["info"]))
    assert (key.hex(), nonce.hex()) == (VECTOR["key"], VECTOR["base_nonce"])
    first = VECTOR["encryptions"][0]
    opened = ChaCha20Poly1305(key).decrypt(
        nonce, bytes.fromhex(first["ct"]), bytes.fromhex(first["aad"])
    )
    assert opened.hex() == first["pt"]


def test_the_independent_hpke_opens_our_envelope() -> None:
    sealed = seal(KEY.public_key, "escrow", CONTEXT, b"consent", PAD)
    peer = IndependentHpke(KEY.to_bytes(), 2)
    shared = peer.decapsulate(sealed[:ENCAPSULATED_BYTES])
    info = b"yinxin/envelope/v1" + b"\0\0\0\x06escrow" + CONTEXT
    key, nonce = peer.schedule(shared, info)
    padded = AESGCM(key).decrypt(nonce, sealed[ENCAPSULATED_BYTES:], b"")
    assert padded == b"\0\0\0\x07consent" + bytes(PAD - 7)


def test_round_trip_and_fresh_randomness() -> None:
    envelopes = {seal(KEY.public_key, "escrow", CONTEXT, b"consent", PAD) for _ in range(3)}
    assert len(envelopes) == 3
    assert {open_(KEY, "escrow", CONTEXT, sealed, PAD) for sealed in envelopes} == {b"consent"}


@pytest.mark.parametrize("size", [0, 1, 100, PAD - 1, PAD])
def test_size_says_nothing_of_the_content(size: int) -> None:
    plaintext = bytes(size)  # zeros, so that padding could be taken for content
    sealed = seal(KEY.public_key, "escrow", CONTEXT, plaintext, PAD)
    assert len(sealed) == sealed_size(PAD)
    assert open_(KEY, "escrow", CONTEXT, sealed, PAD) == plaintext


def test_too_long_a_content_is_refused() -> None:
    with pytest.raises(EnvelopeError, match="at most 512"):
        seal(KEY.public_key, "escrow", CONTEXT, bytes(PAD + 1), PAD)


def test_what_does_not_belong_together_does_not_open() -> None:
    sealed = seal(KEY.public_key, "escrow", CONTEXT, b"consent", PAD)
    words = set()
    attempts = [
        (EnvelopeKey.generate(), "escrow", CONTEXT, sealed, PAD),
        (KEY, "escrow", bytes(32), sealed, PAD),
        (KEY, "escrow", CONTEXT, sealed[:-1], PAD),
        (KEY, "escrow", CONTEXT, sealed + b"\0", PAD),
        (KEY, "escrow", CONTEXT, sealed, PAD + 1),
        (KEY, "escrow", CONTEXT, sealed[:-1], PAD - 1),
        (KEY, "escrow", CONTEXT, b"", PAD),
        (KEY, "escrow", CONTEXT, bytes(sealed_size(PAD)), PAD),
    ]
    for arguments in attempts:
        with pytest.raises(EnvelopeError) as caught:
            open_(*arguments)
        words.add(str(caught.value))
    assert words == {"escrow envelope does not open"}
    with pytest.raises(EnvelopeError):
        open_(KEY, "model", CONTEXT, sealed, PAD)


def test_purpose_and_context_cannot_be_shifted_into_each_other() -> None:
    sealed = seal(KEY.public_key, "ab", b"c", b"consent", PAD)
    with pytest.raises(EnvelopeError):
        open_(KEY, "a", b"bc", sealed, PAD)


@pytest.mark.parametrize("position", [0, 500, 1087, 1088, 1119, 1120, 1300, -1])
def test_a_flipped_bit_anywhere_is_detected(position: int) -> None:
    sealed = bytearray(seal(KEY.public_key, "escrow", CONTEXT, b"consent", PAD))
    sealed[position] ^= 1
    with pytest.raises(EnvelopeError):
        open_(KEY, "escrow", CONTEXT, bytes(sealed), PAD)


@pytest.mark.parametrize(
    "padded",
    [
        (PAD + 1).to_bytes(4, "big") + bytes(PAD),
        b"\xff\xff\xff\xff" + bytes(PAD),
        b"\0\0\0\x01ab" + bytes(PAD - 2),
    ],
    ids=["one too long", "length overflow", "message in the padding"],
)
def test_a_dishonest_sealer_hides_nothing_in_the_padding(
    padded: bytes,
) -> None:
    sealed = envelope._SUITE.encrypt(
        padded, KEY.public_key._key, info=envelope._info("escrow", CONTEXT)
    )
    assert len(sealed) == sealed_size(PAD)
    with pytest.raises(EnvelopeError):
        open_(KEY, "escrow", CONTEXT, sealed, PAD)


def test_keys_survive_bytes_and_hide_their_secret() -> None:
    assert EnvelopeKey.from_bytes(KEY.to_bytes()).public == KEY.public
    assert EnvelopePublicKey(KEY.public) == KEY.public_key
    assert EnvelopeKey.generate().public != EnvelopeKey.generate().public
    assert KEY.to_bytes().hex() not in repr(KEY)


def test_bad_keys_are_refused() -> None:
    for public in (b"", KEY.public[:-1], b"\xff" * 1216):
        with pytest.raises(EnvelopeError):
            EnvelopePublicKey(public)
    with pytest.raises(EnvelopeError):
        EnvelopeKey.from_bytes(bytes(31))
    # An X25519 half of small order would make that half's secret known to all.
    weak = EnvelopePublicKey(KEY.public[:1184] + bytes(32))
    with pytest.raises(EnvelopeError):
        seal(weak, "escrow", CONTEXT, b"consent", PAD)
