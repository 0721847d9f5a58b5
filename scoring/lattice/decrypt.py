"""Opening an answer: what the bank does with the secret key that the certifier sealed to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.lattice import serial
from scoring.lattice.params import context


class Decryptor:
    """Opens the answers to one model's weights.

    An answer decrypts exactly unless the noise left after the switch, 2^115 / (p1·p2) from the
    flood and the rounding r0 + r1·s of c1, exceeds p0 / 2^49: by Hoeffding's inequality over the
    8193 rounding errors that has a probability below 2^-1000.
    """

    def __init__(self, keys_secret: bytes) -> None:
        """Take a secret key; LatticeError if it is malformed."""
        self._secret = serial.read_secret_key(keys_secret)

    def decrypt(self, answer: bytes) -> NDArray[np.uint64]:
        """The padded sums, uint64 of shape (8192,), of one bucket's answer.

        With the key of another model they are random words, not an error. Raises LatticeError
        for bytes that are no answer.
        """
        return context().decrypt(self._secret, serial.read_answer(answer))
