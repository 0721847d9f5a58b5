"""The oblivious half: a bucket's values, one unlock on both sides, the proof of knowledge."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federation.uscc import Uscc
from node.bench.errors import agree
from node.bench.measure import Pair, Row, Side, Unit
from node.bench.setting import Group, Pairs, Setting
from scoring import oprf

SAMPLE = 512
"""Rows of a bucket that one run evaluates: few enough that sides take turns often."""
_PEER = "voprf (Rust)"

ROWS_OF_GROUP = (
    Row(
        "oprf.values",
        Unit.MICROSECONDS,
        "the OPRF value of each row of a bucket",
        f"{_PEER}, evaluate_known_input",
    ),
    Row(
        "oprf.values_hashed",
        Unit.MICROSECONDS,
        "the same with the group hashes kept",
        f"{_PEER}, evaluate_known_input",
    ),
    Row(
        "oprf.unlock_holder",
        Unit.MICROSECONDS,
        "a holder's blind evaluation with proof",
        f"{_PEER}, evaluate",
    ),
    Row(
        "oprf.unlock_bank",
        Unit.MICROSECONDS,
        "the bank's check of the proof, and unblinding",
        f"{_PEER}, finalize",
    ),
    Row(
        "oprf.prove_knowledge",
        Unit.MICROSECONDS,
        "the bank's proof that it blinded this firm",
        "an Ed25519 signature (OpenSSL)",
    ),
    Row(
        "oprf.verify_knowledge",
        Unit.MICROSECONDS,
        "the hub's check of that proof",
        "an Ed25519 verification (OpenSSL)",
    ),
)


@asynccontextmanager
async def prepare(setting: Setting) -> AsyncIterator[Pairs]:
    """Codes of some rows and a fresh key."""
    codes = [Uscc.generate(number).encode() for number in range(SAMPLE)]
    hashed = [oprf.hash_to_group(code) for code in codes]
    seed, info = secrets.token_bytes(32), b"yinxin bench"
    keys = oprf.derive_key_pair(seed, info)
    blinded = oprf.blind(codes[0])
    evaluation = oprf.blind_evaluate(keys, [blinded.element])
    statement = [b"chain", b"bank", secrets.token_bytes(32), secrets.token_bytes(32)]

    def open_() -> bytes:
        oprf.verify(keys.public, [blinded.element], evaluation.elements, evaluation.proof)
        return oprf.finalize(codes[0], blinded.scalar, evaluation.elements[0])

    def prove() -> bytes:
        return oprf.prove_knowledge(blinded.scalar, hashed[0], blinded.element, statement)

    proof = prove()
    key = Ed25519PrivateKey.generate()
    public, message = key.public_key(), b"".join(statement)
    signature = key.sign(message)
    pairs: dict[str, Pair | str] = {
        "oprf.prove_knowledge": Pair(Side(prove), Side(lambda: key.sign(message))),
        "oprf.verify_knowledge": Pair(
            Side(lambda: oprf.verify_knowledge(hashed[0], blinded.element, statement, proof)),
            Side(lambda: public.verify(signature, message)),
        ),
    }
    peer = _peer()
    if peer is None:
        names = {row.name for row in ROWS_OF_GROUP} - set(pairs)
        pairs |= dict.fromkeys(names, "voprf is not installed; it is in the extra dev")
        yield pairs
        return
    server = peer.Evaluator.from_seed(seed, info)
    client, sent = peer.Client.blind(codes[0])
    output = server.evaluate(sent)
    value = oprf.evaluate(keys.secret, codes[0])
    agree("oprf.values", value, bytes(server.evaluate_known_input(codes[0])))
    agree("oprf.unlock_bank", open_(), bytes(client.finalize(output, server.public_key)))
    values = Side(lambda: [server.evaluate_known_input(code) for code in codes], SAMPLE)
    pairs |= {
        "oprf.values": Pair(Side(lambda: oprf.evaluate_many(keys.secret, codes), SAMPLE), values),
        "oprf.values_hashed": Pair(
            Side(lambda: oprf.evaluate_many(keys.secret, codes, hashed), SAMPLE), values
        ),
        "oprf.unlock_holder": Pair(
            Side(lambda: oprf.blind_evaluate(keys, [blinded.element])),
            Side(lambda: server.evaluate(sent)),
        ),
        "oprf.unlock_bank": Pair(
            Side(open_), Side(lambda: client.finalize(output, server.public_key))
        ),
    }
    yield pairs


def _peer() -> Any:
    """The module of the peer, or None where the project is installed without its tools."""
    try:
        from voprf import ristretto
    except ImportError:
        return None
    return ristretto


GROUP = Group("oprf", ROWS_OF_GROUP, prepare)
