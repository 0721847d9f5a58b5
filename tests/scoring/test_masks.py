"""Masks cancel for exactly P, and keys with which they would not hide are refused."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import struct

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scoring.errors import OprfError
from scoring.masks import mask
from scoring.words import MODULUS, ROWS

CTX, OTHER_CTX = hashlib.sha256(b"ctx").digest(), hashlib.sha256(b"other").digest()
Keys = dict[str, X25519PrivateKey]


def public(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def peers_of(keys: Keys, own: str) -> dict[str, bytes]:
    return {name: public(key) for name, key in keys.items() if name != own}


def mask_of(keys: Keys, own: str, ctx: bytes = CTX, bucket: int = 0) -> NDArray[np.uint64]:
    return mask(own, keys[own], peers_of(keys, own), ctx, bucket)


def total(masks: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    return sum(masks, np.zeros(ROWS, np.uint64)) & np.uint64(MODULUS - 1)


def members(names: list[str]) -> Keys:
    return {name: X25519PrivateKey.generate() for name in names}


THREE = members(
    [f"spiffe://csj.yinxin.example/holder/{name}" for name in ("court", "power", "tax")]
)

sets_of_members = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    min_size=3,
    max_size=8,
    unique=True,
)


@settings(max_examples=20, deadline=None)
@given(names=sets_of_members, bucket=st.integers(0, 2**32 - 1))
def test_masks_cancel_for_all_of_p_and_for_no_proper_subset(names: list[str], bucket: int) -> None:
    keys = members(names)
    masks = {name: mask_of(keys, name, bucket=bucket) for name in names}
    assert not total(list(masks.values())).any()
    for size in range(1, len(names)):
        for subset in itertools.combinations(names, size):
            # Uniform words: more than two zeros of 8192 has a chance below 2^-100.
            assert np.count_nonzero(total([masks[name] for name in subset])) >= ROWS - 2


@settings(max_examples=10, deadline=None)
@given(names=sets_of_members)
def test_masks_do_not_cancel_with_a_foreign_member(names: list[str]) -> None:
    """A holder that the others do not count, or count under another key, spoils the sum."""
    keys = members(names)
    foreign = keys | {"~foreign": X25519PrivateKey.generate()}
    masks = [mask_of(keys, name) for name in names]
    assert np.count_nonzero(total([*masks, mask_of(foreign, "~foreign")])) >= ROWS - 2
    # One member is made to believe in the foreign one: no sum of P is open any more.
    misled = [mask_of(foreign, names[0]), *masks[1:]]
    assert np.count_nonzero(total(misled)) >= ROWS - 2
    swapped = keys | {names[0]: X25519PrivateKey.generate()}
    assert np.count_nonzero(total([mask_of(swapped, names[0]), *masks[1:]])) >= ROWS - 2


def test_other_ctx_or_bucket_gives_unrelated_masks() -> None:
    own = next(iter(THREE))
    one = mask_of(THREE, own)
    others = [
        mask_of(THREE, own, ctx=OTHER_CTX),
        mask_of(THREE, own, bucket=1),
        mask_of(THREE, own, bucket=2**24),
    ]
    assert one.tolist() == mask_of(THREE, own).tolist()
    for first, second in itertools.combinations([one, *others], 2):
        assert np.count_nonzero(first == second) <= 2
        difference = (first - second) & np.uint64(MODULUS - 1)
        assert len(set(difference.tolist())) > ROWS - 8
    assert int(one.max()) < MODULUS


# --- an independent reference: RFC 7748, 5869 and 8439 in plain integers -----------------------


def x25519(scalar: bytes, point: bytes) -> bytes:
    p = 2**255 - 19
    k = int.from_bytes(scalar, "little") & ~7 & (2**255 - 1) | 2**254
    x1 = int.from_bytes(point, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % p, b * b % p, d * a % p, c * b % p
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % p, x1 * (da - cb) ** 2 % p
        x2, z2 = aa * bb % p, e * (aa + 121665 * e) % p
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, p - 2, p) % p).to_bytes(32, "little")


def chacha20_block(key: bytes, counter: int) -> bytes:
    state = [
        *struct.unpack("<4I", b"expand 32-byte k"),
        *struct.unpack("<8I", key),
        counter,
        0,
        0,
        0,
    ]
    w = list(state)

    def turn(a: int, b: int, c: int, d: int) -> None:
        for x, y, z, shift in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            w[x] = w[x] + w[y] & 0xFFFFFFFF
            mixed = w[z] ^ w[x]
            w[z] = (mixed << shift | mixed >> 32 - shift) & 0xFFFFFFFF

    for _ in range(10):
        for i in range(4):
            turn(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            turn(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *((x + y) & 0xFFFFFFFF for x, y in zip(w, state, strict=True)))


def reference_mask(own: str, private: bytes, peers: dict[str, bytes], bucket: int) -> list[int]:
    """The first 32 words (three blocks) of PROTOCOL §4's mask."""
    words = [0] * 32
    for peer, key in peers.items():
        prk = hmac.new(b"", x25519(private, key), "sha256").digest()
        info = b"yinxin/mask/v1" + CTX + struct.pack(">I", bucket)
        stream_key = hmac.new(prk, info + b"\x01", "sha256").digest()
        stream = b"".join(chacha20_block(stream_key, n) for n in range(3))
        sign = 1 if own.encode() < peer.encode() else -1
        for n in range(32):
            words[n] += sign * int.from_bytes(stream[6 * n : 6 * n + 6], "big")
    return [word % 2**48 for word in words]


def test_reference_reproduces_the_rfc_vectors() -> None:
    # RFC 7748 §5.2, first iteration; RFC 8439 appendix A.1, vector 1.
    nine = (9).to_bytes(32, "little")
    assert x25519(nine, nine).hex() == (
        "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
    )
    assert chacha20_block(bytes(32), 0).hex().startswith("76b8e0ada0f13d90405d6ae55386bd28")


@pytest.mark.parametrize("bucket", [0, 1, 2**32 - 1])
def test_bytes_equal_the_independent_reference(bucket: int) -> None:
    for own, key in THREE.items():
        expected = reference_mask(own, key.private_bytes_raw(), peers_of(THREE, own), bucket)
        assert mask_of(THREE, own, bucket=bucket)[:32].tolist() == expected


def test_bytes_of_fixed_keys_do_not_change() -> None:
    keys = {
        name: X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n, name in enumerate("abc")
    }
    digest = hashlib.sha256(b"".join(mask_of(keys, name).astype(">u8").tobytes() for name in "abc"))
    assert digest.hexdigest() == "5cc81b411917c6afcfd3a6327f7dfa48320d6dedde429d49e6d9819f09504256"


# --- refusals ---------------------------------------------------------------------------------

# Points of small order: X25519 with any of them is zero, known to everybody (RFC 7748 §6.1).
LOW_ORDER = [
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ec" + "ff" * 30 + "7f",
    "ed" + "ff" * 30 + "7f",
    "ee" + "ff" * 30 + "7f",
]


@pytest.mark.parametrize("point", LOW_ORDER)
def test_low_order_keys_are_refused(point: str) -> None:
    own, other, victim = THREE
    peers = {other: public(THREE[other]), victim: bytes.fromhex(point)}
    with pytest.raises(OprfError, match=f"{victim} is of low order"):
        mask(own, THREE[own], peers, CTX, 0)


def aliases(key: bytes) -> list[bytes]:
    """Public keys with which X25519 gives the same secret.

    Itself; with the ignored top bit set; plus the point of order two, (u, v) + (0, 0) =
    (1/u, …), which every clamped scalar, a multiple of 8, takes away again.
    """
    u, p = int.from_bytes(key, "little"), 2**255 - 19
    return [key, key[:31] + bytes([key[31] | 0x80]), pow(u, -1, p).to_bytes(32, "little")]


@pytest.mark.parametrize("alias", [0, 1, 2], ids=["equal", "top bit", "small order"])
def test_two_ids_with_one_key_are_refused(alias: int) -> None:
    """With ids on both sides of the own one, their masks would cancel: the answer would be bare."""
    key = X25519PrivateKey.generate()
    peers = {"a": public(key), "c": aliases(public(key))[alias]}
    with pytest.raises(OprfError, match="c and a have one X25519 key"):
        mask("b", X25519PrivateKey.generate(), peers, CTX, 0)


@pytest.mark.parametrize("alias", [0, 1, 2], ids=["equal", "top bit", "small order"])
def test_the_own_key_under_another_id_is_refused(alias: int) -> None:
    key = X25519PrivateKey.generate()
    peers = {"a": aliases(public(key))[alias], "c": public(X25519PrivateKey.generate())}
    with pytest.raises(OprfError, match="a and b have one X25519 key"):
        mask("b", key, peers, CTX, 0)


def test_bad_inputs_are_refused() -> None:
    own = next(iter(THREE))
    peers = peers_of(THREE, own)
    name = next(iter(peers))
    for bucket in (-1, 2**32):
        with pytest.raises(OprfError, match="bucket"):
            mask(own, THREE[own], peers, CTX, bucket)
    with pytest.raises(OprfError, match="ctx"):
        mask(own, THREE[own], peers, CTX[:31], 0)
    with pytest.raises(OprfError, match="own id"):
        mask(own, THREE[own], peers | {own: public(THREE[own])}, CTX, 0)
    with pytest.raises(OprfError, match="31 bytes"):
        mask(own, THREE[own], peers | {name: peers[name][:31]}, CTX, 0)
    for few in ({}, {name: peers[name]}):
        with pytest.raises(OprfError, match="3 participants"):
            mask(own, THREE[own], few, CTX, 0)
