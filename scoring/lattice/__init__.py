"""The lattice half of blind scoring: weights stay encrypted, and the data stays with its holder.

BFV over Z[x]/(x^8192 + 1), coefficient encoding, plaintext-ciphertext products and sums alone:
no rotation, no relinearisation, no Galois key. The product of one ciphertext vector with private
plaintext, sanitised, is vector oblivious linear evaluation from ring-LWE (de Castro, Juvekar and
Vaikuntanathan 2021).
"""

from __future__ import annotations

from scoring.errors import LatticeError
from scoring.lattice.decrypt import Decryptor
from scoring.lattice.evaluate import BlindEvaluator, clear_table
from scoring.lattice.keys import ModelKeys, encrypt_weights, generate_keys
from scoring.lattice.labels import (
    BAD,
    GOOD,
    LabelCounter,
    count_columns,
    encrypt_labels,
    label_totals,
    read_counts,
)
from scoring.lattice.params import (
    MAX_BUCKETS,
    MAX_COLUMNS,
    PARAMETER_SET,
    counting_bound_log2,
    flooding_bound_log2,
)
from scoring.lattice.serial import (
    ANSWER_BYTES,
    PUBLIC_KEY_BYTES,
    SECRET_KEY_BYTES,
    WEIGHT_BYTES,
    labels_bytes,
)

__all__ = [
    "ANSWER_BYTES",
    "BAD",
    "GOOD",
    "MAX_BUCKETS",
    "MAX_COLUMNS",
    "PARAMETER_SET",
    "PUBLIC_KEY_BYTES",
    "SECRET_KEY_BYTES",
    "WEIGHT_BYTES",
    "BlindEvaluator",
    "Decryptor",
    "LabelCounter",
    "LatticeError",
    "ModelKeys",
    "clear_table",
    "count_columns",
    "counting_bound_log2",
    "encrypt_labels",
    "encrypt_weights",
    "flooding_bound_log2",
    "generate_keys",
    "label_totals",
    "labels_bytes",
    "read_counts",
]
