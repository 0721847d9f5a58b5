"""The proof of knowledge holds for one base, element and context, and cannot be forged."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring import oprf
from scoring.errors import OprfError
from scoring.oprf import group

CONTEXT = [b"csj.yinxin.example", b"spiffe://csj.yinxin.example/bank/a", b"c" * 32, b"x" * 32]
BASE = oprf.hash_to_group(b"914403001922038216")
BLINDED = oprf.blind(b"914403001922038216")
PROOF = oprf.prove_knowledge(BLINDED.scalar, BASE, BLINDED.element, CONTEXT)


def rejected(base: bytes, element: bytes, context: list[bytes], proof: bytes) -> None:
    with pytest.raises(OprfError):
        oprf.verify_knowledge(base, element, context, proof)


@settings(max_examples=30, deadline=None)
@given(data=st.binary(min_size=1, max_size=40), context=st.lists(st.binary(max_size=40)))
def test_an_honest_proof_verifies(data: bytes, context: list[bytes]) -> None:
    blinded, base = oprf.blind(data), oprf.hash_to_group(data)
    proof = oprf.prove_knowledge(blinded.scalar, base, blinded.element, context)
    assert len(proof) == 64
    oprf.verify_knowledge(base, blinded.element, context, proof)
    rejected(base, blinded.element, [*context, b""], proof)


def test_the_bytes_are_those_of_the_written_definition() -> None:
    """Recomputed from the module's docstring with integers, so that no rewording goes unseen."""
    nonce = oprf.random_scalar()
    proof = oprf.prove_knowledge(BLINDED.scalar, BASE, BLINDED.element, CONTEXT, random=nonce)
    commitment = group.multiply(nonce, BASE)
    hashed = b"yinxin/pok/v1"
    for part in [*CONTEXT, BASE, BLINDED.element, commitment]:
        hashed += len(part).to_bytes(4, "big") + part
    c = int.from_bytes(hashlib.sha512(hashed).digest(), "little") % group.ORDER
    r, v = int.from_bytes(BLINDED.scalar, "little"), int.from_bytes(nonce, "little")
    assert proof == commitment + ((v - c * r) % group.ORDER).to_bytes(32, "little")


def test_any_changed_bit_of_the_proof_fails() -> None:
    oprf.verify_knowledge(BASE, BLINDED.element, CONTEXT, PROOF)
    for bit in range(8 * len(PROOF)):
        changed = bytearray(PROOF)
        changed[bit // 8] ^= 1 << bit % 8
        rejected(BASE, BLINDED.element, CONTEXT, bytes(changed))


def test_any_changed_bit_of_the_context_fails() -> None:
    for index, part in enumerate(CONTEXT):
        for bit in range(8 * len(part)):
            changed = bytearray(part)
            changed[bit // 8] ^= 1 << bit % 8
            context = [*CONTEXT[:index], bytes(changed), *CONTEXT[index + 1 :]]
            rejected(BASE, BLINDED.element, context, PROOF)


CONTEXTS: dict[str, list[bytes]] = {
    "empty": [],
    "one part less": CONTEXT[:-1],
    "one part more": [*CONTEXT, b""],
    "an empty part before": [b"", *CONTEXT],
    "another order": [CONTEXT[1], CONTEXT[0], *CONTEXT[2:]],
    "a byte moved over a boundary": [CONTEXT[0] + b"s", CONTEXT[1][1:], *CONTEXT[2:]],
    "two parts joined": [CONTEXT[0] + CONTEXT[1], *CONTEXT[2:]],
    "joined with the inner length": [
        CONTEXT[0] + len(CONTEXT[1]).to_bytes(4, "big") + CONTEXT[1],
        *CONTEXT[2:],
    ],
}


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS.keys())
def test_another_list_of_parts_fails(context: list[bytes]) -> None:
    rejected(BASE, BLINDED.element, context, PROOF)


ALTERATIONS: dict[str, Callable[[bytes], bytes]] = {
    "plus the generator": lambda element: group.add(element, group.GENERATOR),
    "doubled": lambda element: group.add(element, element),
    "negated": lambda element: group.multiply((group.ORDER - 1).to_bytes(32, "little"), element),
    "identity": lambda _: group.IDENTITY,
    "non-canonical": lambda _: bytes.fromhex("ed" + "ff" * 30 + "7f"),
    "too short": lambda element: element[:-1],
}


@pytest.mark.parametrize("alter", ALTERATIONS.values(), ids=ALTERATIONS.keys())
def test_another_base_or_element_fails(alter: Callable[[bytes], bytes]) -> None:
    rejected(alter(BASE), BLINDED.element, CONTEXT, PROOF)
    rejected(BASE, alter(BLINDED.element), CONTEXT, PROOF)
    rejected(alter(BASE), alter(BLINDED.element), CONTEXT, PROOF)
    rejected(BASE, BLINDED.element, CONTEXT, alter(PROOF[:32]) + PROOF[32:])


def test_the_response_has_one_encoding_only() -> None:
    response = int.from_bytes(PROOF[32:], "little") + group.ORDER
    rejected(BASE, BLINDED.element, CONTEXT, PROOF[:32] + response.to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 63, 65])
def test_another_length_fails(length: int) -> None:
    rejected(BASE, BLINDED.element, CONTEXT, (PROOF * 2)[:length])


def test_two_proofs_of_one_statement_differ() -> None:
    other = oprf.prove_knowledge(BLINDED.scalar, BASE, BLINDED.element, CONTEXT)
    assert other[:32] != PROOF[:32]


def test_a_false_statement_is_not_proved() -> None:
    other = oprf.blind(b"914403001922038216")
    with pytest.raises(OprfError, match="true statement"):
        oprf.prove_knowledge(other.scalar, BASE, BLINDED.element, CONTEXT)
    for bad in (bytes(32), group.ORDER.to_bytes(32, "little"), bytes(31)):
        with pytest.raises(OprfError):
            oprf.prove_knowledge(bad, BASE, BLINDED.element, CONTEXT)
        with pytest.raises(OprfError):
            oprf.prove_knowledge(BLINDED.scalar, BASE, BLINDED.element, CONTEXT, random=bad)


def test_a_repeated_nonce_gives_the_scalar_away() -> None:
    """Why `random` is for vectors alone, and the default is fresh."""
    nonce = secrets.token_bytes(31) + b"\x00"
    proofs = [
        oprf.prove_knowledge(BLINDED.scalar, BASE, BLINDED.element, [part], random=nonce)
        for part in (b"one", b"two")
    ]
    challenges = []
    for part, proof in zip((b"one", b"two"), proofs, strict=True):
        hashed = b"yinxin/pok/v1"
        for value in (part, BASE, BLINDED.element, proof[:32]):
            hashed += len(value).to_bytes(4, "big") + value
        challenges.append(int.from_bytes(hashlib.sha512(hashed).digest(), "little"))
    one, two = (int.from_bytes(proof[32:], "little") for proof in proofs)
    found = (one - two) * pow(challenges[1] - challenges[0], -1, group.ORDER) % group.ORDER
    assert found.to_bytes(32, "little") == BLINDED.scalar


# --- weak Fiat–Shamir -------------------------------------------------------------------------


def weak_challenge(context: list[bytes], base: bytes, commitment: bytes) -> bytes:
    """The challenge with the element left out of the hash."""
    hashed = hashlib.sha512(b"yinxin/pok/v1")
    for part in (*context, base, commitment):
        hashed.update(len(part).to_bytes(4, "big") + part)
    return group.reduce_scalar(hashed.digest())


def weak_accepts(base: bytes, element: bytes, context: list[bytes], proof: bytes) -> bool:
    challenge = weak_challenge(context, base, proof[:32])
    return group.combine(proof[32:], base, challenge, element) == proof[:32]


def test_weak_fiat_shamir_is_forged_and_ours_is_not() -> None:
    """An element of which nobody knows the logarithm gets a proof by choosing it last."""
    commitment, response = oprf.hash_to_group(b"nobody knows its logarithm"), oprf.random_scalar()
    inverse = group.scalar_invert(weak_challenge(CONTEXT, BASE, commitment))
    minus = group.scalar_subtract(bytes(32), group.scalar_multiply(inverse, response))
    element = group.combine(inverse, commitment, minus, BASE)
    assert weak_accepts(BASE, element, CONTEXT, commitment + response)
    rejected(BASE, element, CONTEXT, commitment + response)

    # An honest weak proof is accepted too, so weak_accepts is the scheme and not a constant.
    nonce = oprf.random_scalar()
    honest = group.multiply(nonce, BASE)
    product = group.scalar_multiply(weak_challenge(CONTEXT, BASE, honest), BLINDED.scalar)
    proof = honest + group.scalar_subtract(nonce, product)
    assert weak_accepts(BASE, BLINDED.element, CONTEXT, proof)
    assert not weak_accepts(BASE, element, CONTEXT, proof)
