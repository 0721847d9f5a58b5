"""Batched proofs that two discrete logarithms are equal (RFC 9497 §2.2).

A proof shows, for one secret k and without telling it, that public = k · generator and
evaluated[i] = k · blinded[i] for every i. It is two scalars, challenge ‖ response, 64
bytes, whatever the number of pairs. Fiat and Shamir's hash covers every value of the
statement, through the composites' seed and transcript.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from scoring.errors import OprfError
from scoring.oprf import group

MODE_VERIFIABLE = 1
CONTEXT = b"OPRFV1-" + bytes([MODE_VERIFIABLE]) + b"-ristretto255-SHA512"
PROOF_BYTES = 2 * group.SCALAR_BYTES
MOST_PAIRS = 2**16 - 1

_SCALAR_TAG = b"HashToScalar-" + CONTEXT
_SEED_TAG = b"Seed-" + CONTEXT


def generate_proof(
    secret: bytes,
    public: bytes,
    blinded: Sequence[bytes],
    evaluated: Sequence[bytes],
    *,
    random: bytes | None = None,
) -> bytes:
    """GenerateProof (§2.2.1) over checked elements: 64 bytes.

    `random` is the proof's random scalar; a second proof with the same one gives the secret
    away, so it is for test vectors alone, and fresh by default. Raises OprfError.
    """
    nonce = group.random_scalar() if random is None else random
    group.check_scalar(nonce, "random")
    weights = _weights(public, blinded, evaluated)
    # ComputeCompositesFast (§2.2.1): who knows k needs one multiplication for the second sum.
    m = _weighted_sum(weights, blinded)
    z = group.multiply(secret, m)
    challenge = _challenge(public, m, z, group.multiply_generator(nonce), group.multiply(nonce, m))
    return challenge + group.scalar_subtract(nonce, group.scalar_multiply(challenge, secret))


def verify_proof(
    public: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes], proof: bytes
) -> None:
    """VerifyProof (§2.2.2) over checked elements. Raises OprfError if it does not hold."""
    if len(proof) != PROOF_BYTES:
        raise OprfError(f"proof: {len(proof)} bytes; send {PROOF_BYTES}")
    challenge, response = proof[: group.SCALAR_BYTES], proof[group.SCALAR_BYTES :]
    group.check_scalar(challenge, "proof challenge", zero=True)
    group.check_scalar(response, "proof response", zero=True)
    weights = _weights(public, blinded, evaluated)
    m, z = _weighted_sum(weights, blinded), _weighted_sum(weights, evaluated)
    expected = _challenge(
        public,
        m,
        z,
        group.combine(response, group.GENERATOR, challenge, public),
        group.combine(response, m, challenge, z),
    )
    if challenge != expected:
        raise OprfError("proof: not made with the key that was published; do not use the answer")


def _weights(public: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes]) -> list[bytes]:
    """The scalars d_i of ComputeComposites, which bind key, order and every pair."""
    seed = hashlib.sha512(_framed(public) + _framed(_SEED_TAG)).digest()
    return [
        group.scalar_from(
            _framed(seed) + index.to_bytes(2, "big") + _framed(c) + _framed(d) + b"Composite",
            _SCALAR_TAG,
        )
        for index, (c, d) in enumerate(zip(blinded, evaluated, strict=True))
    ]


def _weighted_sum(weights: Sequence[bytes], elements: Sequence[bytes]) -> bytes:
    total = group.IDENTITY
    for weight, element in zip(weights, elements, strict=True):
        total = group.add(total, group.multiply(weight, element))
    return total


def _challenge(public: bytes, m: bytes, z: bytes, t2: bytes, t3: bytes) -> bytes:
    transcript = b"".join(map(_framed, (public, m, z, t2, t3))) + b"Challenge"
    return group.scalar_from(transcript, _SCALAR_TAG)


def _framed(part: bytes) -> bytes:
    return len(part).to_bytes(2, "big") + part
