"""The verifiable oblivious PRF of RFC 9497: mode 1, suite ristretto255-SHA512.

    client                                       server, key k, published k·G
    B = r·H(data)              ── B ──►
                               ◄─ Z, proof ──    Z = k·B, proof that k is the published one
    verify; y = Finalize(data, r, Z)             y = Evaluate(k, data), the same 64 bytes

The server learns nothing of data; the client learns y and nothing of k. Functions have the
RFC's names; elements, scalars and proofs are bytes as `group` and `dleq` define them.
Every function raises OprfError, and nothing else, for a value that it refuses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from scoring.errors import OprfError
from scoring.oprf import dleq, group

SEED_BYTES = 32
OUTPUT_BYTES = 64

_GROUP_TAG = b"HashToGroup-" + dleq.CONTEXT
_KEY_TAG = b"DeriveKeyPair" + dleq.CONTEXT
_LONGEST_INPUT = 2**16 - 1


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A server's key: secret scalar k, and public element k · generator."""

    secret: bytes = field(repr=False)
    public: bytes


@dataclass(frozen=True, slots=True)
class Blinded:
    """A client's secret scalar r, and the element r · H(data) that it sends."""

    scalar: bytes = field(repr=False)
    element: bytes


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A server's answer: Z_i = k · B_i in the order asked, and one proof (64 bytes) for all."""

    elements: tuple[bytes, ...]
    proof: bytes


def derive_key_pair(seed: bytes, info: bytes) -> KeyPair:
    """DeriveKeyPair (§3.2.1): seed is 32 secret random bytes, info at most 65,535 public ones."""
    if len(seed) != SEED_BYTES:
        raise OprfError(f"seed: {len(seed)} bytes; give {SEED_BYTES} random ones")
    if len(info) > _LONGEST_INPUT:
        raise OprfError(f"info: {len(info)} bytes; give at most {_LONGEST_INPUT}")
    derive_input = seed + len(info).to_bytes(2, "big") + info
    for counter in range(256):
        secret = group.scalar_from(derive_input + bytes([counter]), _KEY_TAG)
        if any(secret):
            return KeyPair(secret, group.multiply_generator(secret))
    raise OprfError("seed: gives no key; draw another")


def hash_to_group(data: bytes) -> bytes:
    """H(data), HashToGroup of the suite (§4.1); data is 1 to 65,535 bytes; 12 µs.

    It depends on nothing but data, so a server may keep the values of a fixed roster.
    """
    if not 0 < len(data) <= _LONGEST_INPUT:
        raise OprfError(f"data: {len(data)} bytes; give 1 to {_LONGEST_INPUT}")
    element = group.element_from(data, _GROUP_TAG)
    if element == group.IDENTITY:
        raise OprfError("data: maps to the identity element; it cannot be evaluated")
    return element


def blind(data: bytes, *, scalar: bytes | None = None) -> Blinded:
    """Blind (§3.3.1). A `scalar` used twice links two requests; fresh by default."""
    element = hash_to_group(data)
    factor = group.random_scalar() if scalar is None else scalar
    group.check_scalar(factor, "scalar")
    return Blinded(factor, group.multiply(factor, element))


def blind_evaluate(
    keys: KeyPair, elements: Sequence[bytes], *, random: bytes | None = None
) -> Evaluation:
    """BlindEvaluate (§3.3.2) of 1 to 65,535 elements with one proof; 0.2 ms for one.

    `random` is the proof's scalar, for test vectors alone (see `dleq.generate_proof`).
    """
    _check_batch(elements, "elements")
    group.check_scalar(keys.secret, "secret key")
    group.check_element(keys.public, "public key")
    for element in elements:
        group.check_element(element, "blinded element")
    evaluated = tuple(group.multiply(keys.secret, element) for element in elements)
    proof = dleq.generate_proof(keys.secret, keys.public, elements, evaluated, random=random)
    return Evaluation(evaluated, proof)


def verify(
    public: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes], proof: bytes
) -> None:
    """The client's check (§3.3.2): one key, the published one, made every evaluated element.

    `blinded` are the elements that this client sent, not what the answer says they were.
    """
    _check_batch(blinded, "blinded elements")
    if len(evaluated) != len(blinded):
        raise OprfError(
            f"evaluated elements: {len(evaluated)} for {len(blinded)} blinded; send one for each"
        )
    group.check_element(public, "public key")
    for element in blinded:
        group.check_element(element, "blinded element")
    for element in evaluated:
        group.check_element(element, "evaluated element")
    dleq.verify_proof(public, blinded, evaluated, proof)


def finalize(data: bytes, scalar: bytes, evaluated: bytes) -> bytes:
    """Finalize (§3.3.1): unblind an element that `verify` accepted, and hash; 64 bytes."""
    group.check_scalar(scalar, "scalar")
    group.check_element(evaluated, "evaluated element")
    if not 0 < len(data) <= _LONGEST_INPUT:
        raise OprfError(f"data: {len(data)} bytes; give 1 to {_LONGEST_INPUT}")
    return _output(data, group.multiply(group.scalar_invert(scalar), evaluated))


def evaluate(secret: bytes, data: bytes, *, hashed: bytes | None = None) -> bytes:
    """Evaluate (§3.3.1): what a client gets from Finalize, by the key's owner; 64 bytes.

    `hashed` is a kept hash_to_group(data) of the caller's own; it saves 12 of 50 µs.
    """
    return evaluate_many(secret, (data,), None if hashed is None else (hashed,))[0]


def evaluate_many(
    secret: bytes, datas: Sequence[bytes], hashed: Sequence[bytes] | None = None
) -> list[bytes]:
    """`evaluate` of every one of `datas`, in order; `hashed` has their hash_to_group, in order."""
    group.check_scalar(secret, "secret key")
    elements = [hash_to_group(data) for data in datas] if hashed is None else hashed
    if len(elements) != len(datas):
        raise OprfError(f"hashed: {len(elements)} for {len(datas)} inputs; give one for each")
    outputs = []
    for data, element in zip(datas, elements, strict=True):
        if not 0 < len(data) <= _LONGEST_INPUT:
            raise OprfError(f"data: {len(data)} bytes; give 1 to {_LONGEST_INPUT}")
        # multiply refuses the identity and what is not canonical, without a second decoding.
        outputs.append(_output(data, group.multiply(secret, element)))
    return outputs


def _output(data: bytes, element: bytes) -> bytes:
    return hashlib.sha512(
        len(data).to_bytes(2, "big") + data + b"\x00\x20" + element + b"Finalize"
    ).digest()


def _check_batch(elements: Sequence[bytes], name: str) -> None:
    if not 0 < len(elements) <= dleq.MOST_PAIRS:
        raise OprfError(f"{name}: {len(elements)} of them; give 1 to {dleq.MOST_PAIRS}")
