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
    c0, c1 = residues_of(ring.to_ntt(ring.load_ciphertext(answer)))[:, 0]
    phase = (c0 + c1 * key.astype(object)) % prime
    words = np.ones((2, len(ring.primes), ROWS), dtype=np.uint64)
    words[0, 0] = phase.astype(np.uint64)
    scaled = residues_of(ring.from_ntt(ring.ciphertext(words, ntt=True)))[0, 0] * MODULUS
    centred = scaled - prime * ((scaled + prime // 2) // prime)
    return np.array([float(value) for value in centred]) / MODULUS


def exact_noise(ciphertext: Ciphertext, secret_key: bytes) -> np.ndarray:
    """c0 + c1·s − (q/t)·m of a ciphertext of any level, centred, shape (8192,), as floats."""
    raw = np.frombuffer(secret_key[-4 * ROWS * 8 :], dtype="<u8")
    secret = raw.reshape(4, ROWS).astype(object)  # in NTT form, prime by prime
    residues = in_ntt(ciphertext)
    primes = context().primes[: residues.shape[1]]
    phase = [
        (residues[0, i] + residues[1, i] * secret[i]) % prime for i, prime in enumerate(primes)
    ]
    modulus = int(np.prod(np.array(primes, dtype=object)))
    whole = np.zeros(ROWS, dtype=object)
    for prime, row in zip(primes, from_ntt(*phase), strict=False):
        others = modulus // prime
        whole += row * (others * pow(others, -1, prime))
    scaled = whole % modulus * MODULUS
    remainder = scaled - modulus * ((scaled + modulus // 2) // modulus)
    return np.array([float(value) for value in remainder]) / MODULUS


def residues_of(ciphertext: Ciphertext) -> np.ndarray:
    raw = serial.write(ciphertext)
    degree, primes = struct.unpack_from("<QQ", raw, 16 + 32 + 1 + 8)
    flat = np.frombuffer(raw[-2 * primes * degree * 8 :], dtype="<u8")
    return flat.reshape(2, primes, degree).astype(object)


def in_ntt(ciphertext: Ciphertext) -> np.ndarray:
    return residues_of(context().to_ntt(ciphertext))


def from_ntt(*rows: np.ndarray) -> np.ndarray:
    """Rows in NTT form, the first prime's first, back to coefficients; others are filled up."""
    words = np.ones((2, len(context().primes), ROWS), dtype=np.uint64)
    for index, row in enumerate(rows):
        words[0, index] = row.astype(np.uint64)
    return residues_of(context().from_ntt(context().ciphertext(words, ntt=True)))[0]


TWIST = np.exp(1j * np.pi * np.arange(ROWS) / ROWS)


def spectrum(polynomial: np.ndarray) -> np.ndarray:
    return np.fft.fft(polynomial * TWIST)


def unspectrum(values: np.ndarray) -> np.ndarray:
    return np.real(np.fft.ifft(values) / TWIST)


def multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The product modulo x^8192 + 1, over the reals."""
    return unspectrum(spectrum(left) * spectrum(right))
