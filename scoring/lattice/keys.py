"""Model keys and encrypted weights: made by whoever certifies the model, never by a bank.

A bank that chose its keys could publish a malformed one, and a bank that encrypted its weights
could send ciphertexts with crafted noise that survives flooding. Weights are encrypted under the
secret key with SEAL's bounded noise, in the seeded form, which is half as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from scoring.errors import LatticeError
from scoring.lattice import serial
from scoring.lattice.params import MAX_COLUMNS, context
from scoring.words import MODULUS


@dataclass(frozen=True)
class ModelKeys:
    """The BFV key pair of one model, in the forms that `scoring.lattice.serial` reads."""

    public_key: bytes
    secret_key: bytes = field(repr=False)


def generate_keys() -> ModelKeys:
    """A fresh key pair from the system's randomness; about 5 ms."""
    secret, public = context().new_keys()
    return ModelKeys(public_key=serial.write(public), secret_key=serial.write(secret))


def check_weights(weights: Sequence[int]) -> None:
    """Raise LatticeError unless there are 1 to 500 weights, each from 0 to 2^48 - 1."""
    if not 1 <= len(weights) <= MAX_COLUMNS:
        raise LatticeError(f"weights: {len(weights)} columns; one holder has 1 to {MAX_COLUMNS}")
    for column, weight in enumerate(weights):
        if not 0 <= weight < MODULUS:
            raise LatticeError(f"weights: column {column} is not from 0 to 2**48 - 1; pack it anew")


def encrypt_weights(keys: ModelKeys, weights: Sequence[int]) -> bytes:
    """The bundle of one holder's packed weights, one a column, zeros too.

    Raises LatticeError for a malformed secret key or a weight out of range.
    """
    check_weights(weights)
    ring, secret = context(), serial.read_secret_key(keys.secret_key)
    return serial.write_bundle(ring.encrypt_seeded(secret, (ring.constant(w) for w in weights)))
