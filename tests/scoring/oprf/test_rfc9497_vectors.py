"""Every value of RFC 9497 appendix A.1.2, byte for byte, and what must fail beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from scoring import oprf
from scoring.errors import OprfError
from scoring.oprf import dleq, group

FILE = Path(__file__).parents[2] / "vectors" / "rfc9497-voprf-ristretto255-sha512.json"
RFC = json.loads(FILE.read_text("utf-8"))
PUBLIC = bytes.fromhex(RFC["public_key"])
KEYS = oprf.KeyPair(bytes.fromhex(RFC["secret_key"]), PUBLIC)


@dataclass(frozen=True)
class Vector:
    section: str
    inputs: list[bytes]
    blinds: list[bytes]
    blinded: list[bytes]
    evaluated: list[bytes]
    proof: bytes
    random: bytes
    outputs: list[bytes]


def unhex(values: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]


VECTORS = [
    Vector(
        entry["section"],
        unhex(entry["inputs"]),
        unhex(entry["blinds"]),
        unhex(entry["blinded_elements"]),
        unhex(entry["evaluation_elements"]),
        bytes.fromhex(entry["proof"]),
        bytes.fromhex(entry["proof_random_scalar"]),
        unhex(entry["outputs"]),
    )
    for entry in RFC["vectors"]
]
SINGLE, BATCH = VECTORS[0], VECTORS[2]
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.section)


def test_the_file_has_two_single_vectors_and_one_batch() -> None:
    assert [len(vector.inputs) for vector in VECTORS] == [1, 1, 2]
    assert bytes.fromhex(RFC["group_tag"]) == b"HashToGroup-" + dleq.CONTEXT


def test_derive_key_pair() -> None:
    keys = oprf.derive_key_pair(bytes.fromhex(RFC["seed"]), bytes.fromhex(RFC["key_info"]))
    assert keys == KEYS


@each_vector
def test_blind(vector: Vector) -> None:
    for data, scalar, element in zip(vector.inputs, vector.blinds, vector.blinded, strict=True):
        assert oprf.blind(data, scalar=scalar) == oprf.Blinded(scalar, element)


@each_vector
def test_blind_evaluate_and_proof(vector: Vector) -> None:
    evaluation = oprf.blind_evaluate(KEYS, vector.blinded, random=vector.random)
    assert evaluation == oprf.Evaluation(tuple(vector.evaluated), vector.proof)


@each_vector
def test_verify_and_finalize(vector: Vector) -> None:
    oprf.verify(PUBLIC, vector.blinded, vector.evaluated, vector.proof)
    outputs = [
        oprf.finalize(data, scalar, element)
        for data, scalar, element in zip(
            vector.inputs, vector.blinds, vector.evaluated, strict=True
        )
    ]
    assert outputs == vector.outputs


@each_vector
def test_evaluate(vector: Vector) -> None:
    hashed = [oprf.hash_to_group(data) for data in vector.inputs]
    assert oprf.evaluate_many(KEYS.secret, vector.inputs) == vector.outputs
    assert oprf.evaluate_many(KEYS.secret, vector.inputs, hashed) == vector.outputs
    assert oprf.evaluate(KEYS.secret, vector.inputs[0]) == vector.outputs[0]
    assert oprf.evaluate(KEYS.secret, vector.inputs[0], hashed=hashed[0]) == vector.outputs[0]


@each_vector
def test_any_changed_bit_of_the_proof_fails(vector: Vector) -> None:
    for bit in range(8 * len(vector.proof)):
        proof = bytearray(vector.proof)
        proof[bit // 8] ^= 1 << bit % 8
        with pytest.raises(OprfError, match="proof"):
            oprf.verify(PUBLIC, vector.blinded, vector.evaluated, bytes(proof))


def test_a_scalar_of_the_proof_plus_the_order_fails() -> None:
    """The same numbers in another encoding: not two proofs for one answer."""
    for part in (slice(0, 32), slice(32, 64)):
        proof = bytearray(SINGLE.proof)
        value = int.from_bytes(proof[part], "little") + group.ORDER
        proof[part] = value.to_bytes(32, "little")
        with pytest.raises(OprfError, match="reduced"):
            oprf.verify(PUBLIC, SINGLE.blinded, SINGLE.evaluated, bytes(proof))


NON_CANONICAL = bytes.fromhex("ed" + "ff" * 30 + "7f")
REPLACEMENTS: dict[str, Callable[[bytes], bytes]] = {
    "another element": lambda element: group.add(element, group.GENERATOR),
    "the identity": lambda _: group.IDENTITY,
    "a non-canonical encoding": lambda _: NON_CANONICAL,
    "too short": lambda element: element[:-1],
}


@pytest.mark.parametrize("replace", REPLACEMENTS.values(), ids=REPLACEMENTS.keys())
@each_vector
def test_any_replaced_element_fails(vector: Vector, replace: Callable[[bytes], bytes]) -> None:
    for index in range(len(vector.inputs)):
        blinded, evaluated = list(vector.blinded), list(vector.evaluated)
        blinded[index] = replace(blinded[index])
        with pytest.raises(OprfError):
            oprf.verify(PUBLIC, blinded, vector.evaluated, vector.proof)
        evaluated[index] = replace(evaluated[index])
        with pytest.raises(OprfError):
            oprf.verify(PUBLIC, vector.blinded, evaluated, vector.proof)
    with pytest.raises(OprfError):
        oprf.verify(replace(PUBLIC), vector.blinded, vector.evaluated, vector.proof)


def test_a_batch_proof_holds_for_its_order_and_all_its_members_only() -> None:
    with pytest.raises(OprfError):
        oprf.verify(PUBLIC, BATCH.blinded[::-1], BATCH.evaluated[::-1], BATCH.proof)
    with pytest.raises(OprfError):
        oprf.verify(PUBLIC, BATCH.blinded, BATCH.evaluated[::-1], BATCH.proof)
    with pytest.raises(OprfError):
        oprf.verify(PUBLIC, BATCH.blinded[:1], BATCH.evaluated[:1], BATCH.proof)
    with pytest.raises(OprfError, match="one for each"):
        oprf.verify(PUBLIC, BATCH.blinded, BATCH.evaluated[:1], BATCH.proof)
    with pytest.raises(OprfError):
        oprf.verify(PUBLIC, [], [], BATCH.proof)


def test_errors_inside_a_batch_do_not_cancel() -> None:
    """Z1 + D and Z2 - D have the honest sum: the composites' random weights must catch them."""
    shift = group.multiply_generator(group.random_scalar())
    minus = group.multiply(group.scalar_subtract(bytes(32), (1).to_bytes(32, "little")), shift)
    evaluated = [group.add(BATCH.evaluated[0], shift), group.add(BATCH.evaluated[1], minus)]
    assert group.add(*evaluated) == group.add(*BATCH.evaluated)
    forged = dleq.generate_proof(KEYS.secret, PUBLIC, BATCH.blinded, evaluated)
    with pytest.raises(OprfError):
        oprf.verify(PUBLIC, BATCH.blinded, evaluated, forged)


@pytest.mark.parametrize("name", ["the identity", "a non-canonical encoding", "too short"])
def test_the_refusal_of_an_invalid_element_says_which(name: str) -> None:
    """Checked before any arithmetic, so the message names the value and not a step."""
    bad = [REPLACEMENTS[name](SINGLE.blinded[0])]
    with pytest.raises(OprfError, match=r"^blinded element"):
        oprf.verify(PUBLIC, bad, SINGLE.evaluated, SINGLE.proof)
    with pytest.raises(OprfError, match=r"^evaluated element"):
        oprf.verify(PUBLIC, SINGLE.blinded, bad, SINGLE.proof)
    with pytest.raises(OprfError, match=r"^public key"):
        oprf.verify(bad[0], SINGLE.blinded, SINGLE.evaluated, SINGLE.proof)
    with pytest.raises(OprfError, match=r"^blinded element"):
        oprf.blind_evaluate(KEYS, bad)


@pytest.mark.parametrize("length", [0, 63, 65, 128])
def test_a_proof_of_another_length_fails(length: int) -> None:
    proof = (SINGLE.proof * 2)[:length]
    with pytest.raises(OprfError, match=f"{length} bytes"):
        oprf.verify(PUBLIC, SINGLE.blinded, SINGLE.evaluated, proof)


@pytest.mark.parametrize(
    "element", [group.IDENTITY, NON_CANONICAL, bytes(31)], ids=["identity", "alias", "short"]
)
def test_the_server_evaluates_no_invalid_element(element: bytes) -> None:
    with pytest.raises(OprfError):
        oprf.blind_evaluate(KEYS, [element])
    with pytest.raises(OprfError):
        oprf.blind_evaluate(KEYS, [*SINGLE.blinded, element])
    with pytest.raises(OprfError):
        oprf.finalize(b"data", SINGLE.blinds[0], element)
    with pytest.raises(OprfError):
        oprf.evaluate(KEYS.secret, b"data", hashed=element)
