"""Ring arithmetic of an attacker that holds a model's secret key: the noise of an answer."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from scoring.lattice import ANSWER_BYTES, serial
from scoring.lattice.params import context
from scoring.lattice.seal import Ciphertext
from scoring.words import MODULUS, ROWS


def answer_c1(answer: bytes) -> NDArray[np.uint64]:
    """The second polynomial of an answer, coefficients below the first prime."""
    return np.frombuffer(answer[ANSWER_BYTES - 8 * ROWS :], dtype="<u8")


def answer_noise(answer: bytes, secret_key: bytes) -> NDArray[np.float64]:
    """c0 + c1·s − (p0/t)·m, centred, shape (8192,): what decryption throws away."""
    ring, prime = context(), context().primes[0]
    key = np.frombuffer(secret_key[-4 * ROWS * 8 :], dtype="<u8").reshape(4, ROWS)[0]
    c0, c1 = _residues(ring.to_ntt(ring.load_ciphertext(answer)))[:, 0]
    phase = (c0 + c1 * key.astype(object)) % prime
    words = np.ones((2, len(ring.primes), ROWS), dtype=np.uint64)
    words[0, 0] = phase.astype(np.uint64)
    scaled = _residues(ring.from_ntt(ring.ciphertext(words, ntt=True)))[0, 0] * MODULUS
    centred = scaled - prime * ((scaled + prime // 2) // prime)
    return np.array([float(value) for value in centred]) / MODULUS


def _residues(ciphertext: Ciphertext) -> NDArray[np.object_]:
    raw = serial.write(ciphertext)
    degree, primes = struct.unpack_from("<QQ", raw, 16 + 32 + 1 + 8)
    flat = np.frombuffer(raw[-2 * primes * degree * 8 :], dtype="<u8")
    return flat.reshape(2, primes, degree).astype(object)
