"""The VOPRF's own rules, and `voprf` (Rust) as an independent peer in both directions.

The peer writes an answer as proof ‖ elements.
"""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voprf import ristretto as peer

from scoring import oprf
from scoring.errors import OprfError
from scoring.oprf import dleq, group, voprf

datas = st.binary(min_size=1, max_size=80)
seeds = st.binary(min_size=32, max_size=32)


@settings(max_examples=25, deadline=None)
@given(data=datas, seed=seeds, info=st.binary(max_size=40))
def test_their_client_with_our_server(data: bytes, seed: bytes, info: bytes) -> None:
    keys = oprf.derive_key_pair(seed, info)
    client, blinded = peer.Client.blind(data)
    evaluation = oprf.blind_evaluate(keys, [blinded.serialize()])
    output = peer.VerifiableOutput.deserialize(evaluation.proof + evaluation.elements[0])
    public = peer.PublicKey.deserialize(keys.public)
    assert bytes(client.finalize(output, public)) == oprf.evaluate(keys.secret, data)


@settings(max_examples=25, deadline=None)
@given(data=datas, seed=seeds, info=st.binary(max_size=40))
def test_our_client_with_their_server(data: bytes, seed: bytes, info: bytes) -> None:
    server = peer.Evaluator.from_seed(seed, info)
    blinded = oprf.blind(data)
    answer = bytes(server.evaluate(peer.BlindedInput.deserialize(blinded.element)).serialize())
    proof, evaluated = answer[:64], answer[64:]
    public = bytes(server.public_key.serialize())
    oprf.verify(public, [blinded.element], [evaluated], proof)
    output = oprf.finalize(data, blinded.scalar, evaluated)
    assert output == bytes(server.evaluate_known_input(data))
    keys = oprf.derive_key_pair(seed, info)
    assert (keys.public, oprf.evaluate(keys.secret, data)) == (public, output)


def test_their_client_refuses_our_answer_under_another_key() -> None:
    """So the peer test above does check the proof."""
    keys, other = (oprf.derive_key_pair(secrets.token_bytes(32), b"") for _ in range(2))
    client, blinded = peer.Client.blind(b"data")
    evaluation = oprf.blind_evaluate(other, [blinded.serialize()])
    output = peer.VerifiableOutput.deserialize(evaluation.proof + evaluation.elements[0])
    with pytest.raises(Exception, match=r"(?i)proof"):
        client.finalize(output, peer.PublicKey.deserialize(keys.public))


@pytest.mark.parametrize("size", [1, 2, 7])
def test_batches_in_both_directions(size: int) -> None:
    seed, inputs = secrets.token_bytes(32), [b"firm %d" % n for n in range(size)]
    keys, server = oprf.derive_key_pair(seed, b"ctx"), peer.Evaluator.from_seed(seed, b"ctx")
    expected = oprf.evaluate_many(keys.secret, inputs)

    ours = [oprf.blind(data) for data in inputs]
    elements = [blinded.element for blinded in ours]
    theirs = server.evaluate_batch([peer.BlindedInput.deserialize(e) for e in elements])
    raw = bytes(theirs.serialize())
    proof, *evaluated = [raw[:64], *(raw[n : n + 32] for n in range(64, len(raw), 32))]
    oprf.verify(keys.public, elements, evaluated, proof)
    assert [
        oprf.finalize(data, blinded.scalar, element)
        for data, blinded, element in zip(inputs, ours, evaluated, strict=True)
    ] == expected

    pairs = [peer.Client.blind(data) for data in inputs]
    evaluation = oprf.blind_evaluate(keys, [blinded.serialize() for _, blinded in pairs])
    output = peer.VerifiableBatchOutput.deserialize(
        evaluation.proof + b"".join(evaluation.elements)
    )
    public = peer.PublicKey.deserialize(keys.public)
    outputs = peer.Client.finalize_batch([client for client, _ in pairs], output, public)
    assert [bytes(output) for output in outputs] == expected


def test_every_blinding_and_every_proof_is_fresh() -> None:
    keys = oprf.derive_key_pair(secrets.token_bytes(32), b"")
    first, second = oprf.blind(b"one firm"), oprf.blind(b"one firm")
    assert first.element != second.element
    answers = [oprf.blind_evaluate(keys, [first.element]) for _ in range(2)]
    assert answers[0].elements == answers[1].elements
    assert answers[0].proof != answers[1].proof


def test_keys_of_two_infos_are_unrelated() -> None:
    seed = secrets.token_bytes(32)
    one, two = oprf.derive_key_pair(seed, b"ctx 1"), oprf.derive_key_pair(seed, b"ctx 2")
    assert one.secret != two.secret
    assert oprf.evaluate(one.secret, b"data") != oprf.evaluate(two.secret, b"data")


def test_secrets_are_not_in_the_repr() -> None:
    keys = oprf.derive_key_pair(secrets.token_bytes(32), b"")
    blinded = oprf.blind(b"data")
    assert repr(keys.secret) not in repr(keys)
    assert repr(blinded.scalar) not in repr(blinded)


def test_evaluate_many_keeps_order_and_wants_one_hash_for_each() -> None:
    keys = oprf.derive_key_pair(secrets.token_bytes(32), b"")
    inputs = [b"%d" % n for n in range(5)]
    hashed = [oprf.hash_to_group(data) for data in inputs]
    expected = [oprf.evaluate(keys.secret, data) for data in inputs]
    assert oprf.evaluate_many(keys.secret, inputs, hashed) == expected
    assert oprf.evaluate_many(keys.secret, []) == []
    with pytest.raises(OprfError, match="one for each"):
        oprf.evaluate_many(keys.secret, inputs, hashed[:-1])


@pytest.mark.parametrize("length", [0, 2**16])
def test_inputs_that_the_rfc_cannot_frame_are_refused(length: int) -> None:
    keys = oprf.derive_key_pair(secrets.token_bytes(32), b"")
    data, element = bytes(length), oprf.hash_to_group(b"x")
    for call in (
        lambda: oprf.hash_to_group(data),
        lambda: oprf.blind(data),
        lambda: oprf.evaluate(keys.secret, data),
        lambda: oprf.evaluate(keys.secret, data, hashed=element),
        lambda: oprf.finalize(data, keys.secret, element),
    ):
        with pytest.raises(OprfError, match="data"):
            call()
    assert len(oprf.evaluate(keys.secret, bytes(2**16 - 1))) == voprf.OUTPUT_BYTES


@pytest.mark.parametrize(
    "scalar",
    [bytes(32), group.ORDER.to_bytes(32, "little"), bytes(31), (2**255 + 1).to_bytes(32, "little")],
    ids=["zero", "order", "short", "bit 255"],
)
def test_scalars_that_the_rfc_excludes_are_refused(scalar: bytes) -> None:
    element = oprf.hash_to_group(b"data")
    keys = oprf.derive_key_pair(secrets.token_bytes(32), b"")
    for call in (
        lambda: oprf.blind(b"data", scalar=scalar),
        lambda: oprf.finalize(b"data", scalar, element),
        lambda: oprf.evaluate(scalar, b"data"),
        lambda: oprf.blind_evaluate(oprf.KeyPair(scalar, keys.public), [element]),
        lambda: oprf.blind_evaluate(keys, [element], random=scalar),
    ):
        with pytest.raises(OprfError):
            call()


def test_seed_info_and_batch_limits() -> None:
    for length in (0, 31, 33):
        with pytest.raises(OprfError, match="seed"):
            oprf.derive_key_pair(bytes(length), b"")
    with pytest.raises(OprfError, match="info"):
        oprf.derive_key_pair(bytes(32), bytes(2**16))
    keys = oprf.derive_key_pair(bytes(32), b"")
    with pytest.raises(OprfError, match="elements"):
        oprf.blind_evaluate(keys, [])
    with pytest.raises(OprfError, match="elements"):
        oprf.blind_evaluate(keys, [keys.public] * (dleq.MOST_PAIRS + 1))
