"""Proof of knowledge of a discrete logarithm (RFC 8235 §3, over ristretto255).

Shows that the prover knows r with element = r · base, without telling r, to one verifier
who also fixes the context. It is the *strong* Fiat–Shamir transform: the statement (base
and element) is in the hash. Left out, a prover could choose the element after the
challenge and so prove that B is a multiple of H(U) while B opens V (Bernhard, Pereira
and Warinschi, Asiacrypt 2012).

A proof is A ‖ s, 64 bytes: commitment A = v · base (element) and response s = v - c·r
(scalar), the RFC's V and r. The challenge c is SHA-512, reduced modulo the order, of
"yinxin/pok/v1" and then each context part, base, element and A, every one with its length
before it (u32, big-endian), so that no two lists of parts hash alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from scoring.errors import OprfError
from scoring.oprf import group

PROOF_BYTES = group.ELEMENT_BYTES + group.SCALAR_BYTES

_TAG = b"yinxin/pok/v1"


def prove_knowledge(
    scalar: bytes,
    base: bytes,
    element: bytes,
    context: Sequence[bytes],
    *,
    random: bytes | None = None,
) -> bytes:
    """Prove knowledge of `scalar`, where element = scalar · base; 64 bytes.

    `random` is the nonce v; a second proof with the same one gives the scalar away, so it is
    for test vectors alone, and fresh by default. Raises OprfError, also if the statement is
    false.
    """
    group.check_scalar(scalar, "scalar")
    group.check_element(base, "base")
    group.check_element(element, "element")
    if group.multiply(scalar, base) != element:
        raise OprfError("element: not the scalar's multiple of the base; prove a true statement")
    nonce = group.random_scalar() if random is None else random
    group.check_scalar(nonce, "random")
    commitment = group.multiply(nonce, base)
    challenge = _challenge(context, base, element, commitment)
    response = group.scalar_subtract(nonce, group.scalar_multiply(challenge, scalar))
    return commitment + response


def verify_knowledge(base: bytes, element: bytes, context: Sequence[bytes], proof: bytes) -> None:
    """Accept a proof for exactly this base, element and context. Raises OprfError otherwise."""
    if len(proof) != PROOF_BYTES:
        raise OprfError(f"proof: {len(proof)} bytes; send {PROOF_BYTES}")
    commitment, response = proof[: group.ELEMENT_BYTES], proof[group.ELEMENT_BYTES :]
    group.check_element(base, "base")
    group.check_element(element, "element")
    group.check_element(commitment, "proof commitment")
    group.check_scalar(response, "proof response", zero=True)
    challenge = _challenge(context, base, element, commitment)
    if group.combine(response, base, challenge, element) != commitment:
        raise OprfError("proof: does not show knowledge for this element and context; make it anew")


def _challenge(context: Sequence[bytes], base: bytes, element: bytes, commitment: bytes) -> bytes:
    hashed = hashlib.sha512(_TAG)
    for part in (*context, base, element, commitment):
        hashed.update(len(part).to_bytes(4, "big") + part)
    return group.reduce_scalar(hashed.digest())
