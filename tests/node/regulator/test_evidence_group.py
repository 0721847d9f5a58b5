"""The verifier's own ristretto255: against RFC 9496's vectors and against libsodium."""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path

import pytest

from node.regulator.evidence.verifier import ristretto255 as group
from scoring.oprf import group as sodium
from scoring.oprf import hash_to_group, prove_knowledge

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "rfc9496-ristretto255.json").read_text()
)
CONTEXT = (b"csj", b"bank", bytes(32))


def test_multiples_of_the_generator() -> None:
    point, generator = group.IDENTITY, group.decode(bytes.fromhex(VECTORS["multiples"][1]))
    for expected in VECTORS["multiples"]:
        encoded = bytes.fromhex(expected)
        assert group.encode(point) == encoded
        assert group.encode(group.decode(encoded)) == encoded
        point = group.add(point, generator)
    assert group.encode(group.multiply(group.ORDER, generator)) == bytes(32)


@pytest.mark.parametrize("bad", VECTORS["bad"])
def test_bad_encodings_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="ristretto255"):
        group.decode(bytes.fromhex(bad))


def test_elements_derived_from_uniform_bytes() -> None:
    for label, expected in VECTORS["derived"].items():
        uniform = hashlib.sha512(label.encode()).digest()
        assert group.encode(group.from_uniform(uniform)).hex() == expected


def test_agrees_with_libsodium() -> None:
    for _ in range(20):
        scalar, data = sodium.random_scalar(), secrets.token_bytes(18)
        base = hash_to_group(data)
        assert group.hash_to_group(data) == base
        product = group.multiply(int.from_bytes(scalar, "little"), group.decode(base))
        assert group.encode(product) == sodium.multiply(scalar, base)


def test_a_proof_is_for_its_statement_alone() -> None:
    scalar, base = sodium.random_scalar(), hash_to_group(b"91310000999999999X")
    element = sodium.multiply(scalar, base)
    proof = prove_knowledge(scalar, base, element, CONTEXT)
    assert group.knows(base, element, CONTEXT, proof)
    other = hash_to_group(b"another firm")
    unreduced = (int.from_bytes(proof[32:], "little") + group.ORDER).to_bytes(32, "little")
    for false in (
        (other, element, CONTEXT, proof),
        (base, other, CONTEXT, proof),
        (base, element, (b"csj", b"other", bytes(32)), proof),
        (base, element, CONTEXT, proof[:63] + bytes([proof[63] ^ 1])),
        (base, element, CONTEXT, bytes([proof[0] ^ 2]) + proof[1:]),
        (base, element, CONTEXT, proof[:32] + unreduced),
        (base, element, CONTEXT, proof[:63]),
        (base, bytes(32), CONTEXT, proof),
        (bytes(32), bytes(32), CONTEXT, bytes(64)),
    ):
        assert not group.knows(*false)
