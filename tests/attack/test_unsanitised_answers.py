"""What a bank with its secret key reads out of an answer that is not sanitised.

The bank knows its weight bundle, its key and the answer; the holder's data is one feature of two
bins, so that X_0 = 3·J − X_1 for the polynomial J of ones, and X_1 holds 8192 secret bits. Then

    c1 of the sum     =  a_0·X_0 + a_1·X_1  =  3·a_0·J + (a_1 − a_0)·X_1           modulo q
    noise of the sum  =  e_0·X_0 + e_1·X_1  =  3·e_0·J + (e_1 − e_0)·X_1           over Z

and a division gives X_1: of c1 exactly, of the noise up to what re-randomising added. Each attack
is run against the real answer, and against answers with some steps of `sanitise` taken out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from scoring.lattice import (
    ANSWER_BYTES,
    WEIGHT_BYTES,
    BlindEvaluator,
    ModelKeys,
    encrypt_weights,
    generate_keys,
    sanitise,
    serial,
)
from scoring.lattice.params import context
from scoring.lattice.seal import Ciphertext, PublicEncryptor
from scoring.words import MODULUS, ROWS
from support.ring import exact_noise, from_ntt, in_ntt, multiply, spectrum, unspectrum

Sanitiser = Callable[[Ciphertext, np.ndarray, PublicEncryptor], Ciphertext]
PRIMES = context().primes


def nothing(summed: Ciphertext, clear: np.ndarray, encryptor: PublicEncryptor) -> Ciphertext:
    return summed


def rerandomised(summed: Ciphertext, clear: np.ndarray, encryptor: PublicEncryptor) -> Ciphertext:
    return sanitise.rerandomise(sanitise.add_clear(summed, clear), encryptor)


def flooded(summed: Ciphertext, clear: np.ndarray, encryptor: PublicEncryptor) -> Ciphertext:
    """All but the switch, so that flooding stands alone against the noise attack."""
    return sanitise.flood(rerandomised(summed, clear, encryptor))


class Bank:
    """The attacker, and the bundle and the key that it holds."""

    def __init__(self) -> None:
        self.keys: ModelKeys = generate_keys()
        self.bundle = encrypt_weights(self.keys, [3 << 14, 5 << 7])
        weights = [self.bundle[8:][:WEIGHT_BYTES], self.bundle[8:][WEIGHT_BYTES:]]
        self.weights = [serial.read_weight(weight) for weight in weights]

    def divide_c1(self, answer: bytes) -> np.ndarray:
        """X_1 modulo the first prime, by division in NTT form; shape (8192,)."""
        prime = PRIMES[0]
        ring = context()
        first, second = (in_ntt(weight)[1, 0] for weight in self.weights)
        ones = in_ntt(ring.ciphertext(np.ones((2, 3, ROWS), dtype=np.uint64), ntt=False))[1, 0]
        sums = in_ntt(ring.load_ciphertext(answer))[1, 0]
        above = (sums - 3 * first * ones) % prime
        below = (second - first) % prime
        inverse = np.array([pow(int(value), -1, prime) for value in below], dtype=object)
        return from_ntt(above * inverse % prime)[0]

    def noise(self, ciphertext: Ciphertext) -> np.ndarray:
        """The exact noise, that is c0 + c1·s − (q/t)·m, as floats; only a key holder can."""
        return exact_noise(ciphertext, self.keys.secret_key)

    def divide_noise(self, answer: bytes) -> np.ndarray:
        """The guess at the 8192 bits of X_1 from the noise alone."""
        ciphertext = context().load_ciphertext(answer)
        noise = self.noise(ciphertext)
        if len(answer) == ANSWER_BYTES:  # what the switch divided away
            noise = noise * float(PRIMES[1]) * float(PRIMES[2])
        first, second = (self.noise(weight) for weight in self.weights)
        known, ones = second - first, np.ones(ROWS)
        # With X_1 = 1.5·J ± 0.5 what is left is a product of known noise and unknown signs.
        signal = noise - multiply(3 * first + 1.5 * known, ones)
        spread = np.abs(spectrum(known)) ** 2
        wiener = np.conj(spectrum(known)) / (spread + 4 * 21**2)
        bits = unspectrum(wiener * spectrum(signal)) > 0
        # Zeros of the spectrum leave a few wrong bits; what they fail to explain shows which.
        for _ in range(20):
            left = signal - multiply(known, bits - 0.5)
            matched = unspectrum(np.conj(spectrum(known)) * spectrum(left)) / (known @ known)
            bits = bits - 0.5 + matched > 0
        return bits


@pytest.fixture(scope="module")
def bank() -> Bank:
    return Bank()


@pytest.fixture
def bits() -> np.ndarray:
    """The holder's secret: which bin each of the 8192 firms is in."""
    return np.random.default_rng().random(ROWS) < 0.5


Answering = Callable[[Sanitiser | None], bytes]


@pytest.fixture
def answer(bank: Bank, bits: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Answering:
    """The holder's answer, with `sanitise` replaced or, with None, as it is."""
    clear = np.random.default_rng().integers(0, MODULUS, ROWS, dtype=np.uint64)
    evaluator = BlindEvaluator(bank.keys.public_key, bank.bundle, [2])

    def give(sanitiser: Sanitiser | None) -> bytes:
        with monkeypatch.context() as patch:
            if sanitiser is not None:
                patch.setattr(sanitise, "sanitise", sanitiser)
            return evaluator.evaluate(bits.astype(np.uint16)[None, :], clear)

    return give


def share_right(guess: np.ndarray, bits: np.ndarray) -> float:
    return float((guess == bits).mean())


def test_c1_division_reads_a_bucket_without_sanitising(
    bank: Bank, bits: np.ndarray, answer: Answering
) -> None:
    recovered = bank.divide_c1(answer(nothing))
    assert np.array_equal(recovered, bits + 1)


@pytest.mark.parametrize("sanitiser", [None, rerandomised, flooded])
def test_c1_division_reads_nothing_from_a_rerandomised_answer(
    sanitiser: Sanitiser | None, bank: Bank, bits: np.ndarray, answer: Answering
) -> None:
    recovered = bank.divide_c1(answer(sanitiser))
    assert int((recovered == bits + 1).sum()) == 0  # values modulo a prime of 60 bits
    half = recovered > PRIMES[0] // 2
    assert 0.45 < share_right(half, bits) < 0.55


@pytest.mark.parametrize("sanitiser", [nothing, rerandomised])
def test_noise_division_reads_a_bucket_without_flooding(
    sanitiser: Sanitiser, bank: Bank, bits: np.ndarray, answer: Answering
) -> None:
    assert share_right(bank.divide_noise(answer(sanitiser)), bits) == 1.0


@pytest.mark.parametrize("sanitiser", [None, flooded])
def test_noise_division_reads_nothing_from_a_flooded_answer(
    sanitiser: Sanitiser | None, bank: Bank, bits: np.ndarray, answer: Answering
) -> None:
    assert 0.45 < share_right(bank.divide_noise(answer(sanitiser)), bits) < 0.55


def test_the_noise_is_what_the_flooding_bound_counts(bank: Bank, answer: Answering) -> None:
    """Below the worst case of two columns before the flood; as large as the flood after it."""
    ring = context()
    worst = 2 * ROWS * 21 * 2 + 2 + 1 + 4097
    before = np.abs(bank.noise(ring.load_ciphertext(answer(rerandomised))))
    assert 0 < before.max() < worst
    after = np.abs(bank.noise(ring.load_ciphertext(answer(flooded))))
    assert 2**114 < after.max() < 2**115 + worst
    assert all(np.abs(bank.noise(weight)).max() <= 21.5 for weight in bank.weights)
