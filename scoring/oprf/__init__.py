"""The oblivious half of scoring: RFC 9497 VOPRF and the proof of knowledge, on ristretto255."""

from __future__ import annotations

from scoring.oprf.group import check_element, random_scalar
from scoring.oprf.schnorr import prove_knowledge, verify_knowledge
from scoring.oprf.voprf import (
    Blinded,
    Evaluation,
    KeyPair,
    blind,
    blind_evaluate,
    derive_key_pair,
    evaluate,
    evaluate_many,
    finalize,
    hash_to_group,
    verify,
)

__all__ = [
    "Blinded",
    "Evaluation",
    "KeyPair",
    "blind",
    "blind_evaluate",
    "check_element",
    "derive_key_pair",
    "evaluate",
    "evaluate_many",
    "finalize",
    "hash_to_group",
    "prove_knowledge",
    "random_scalar",
    "verify",
    "verify_knowledge",
]
