"""What a bank with its secret key reads out of a count of its labels that lacks a step.

The bank knows its labels, hence the polynomial L of its bucket, its ciphertext and the answer; X is
1 or 2 on each of 8192 rows. Every coefficient of the answer but the constant one is a sum of the
same labels in another order, so that L·X, c1 = a·X and the noise e·X each give all of X by a
division. Each attack is run against the real answer, and against answers without a step.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from node.workers import jobs
from node.workers.errors import HashMismatch
from scoring.lattice import (
    ANSWER_BYTES,
    GOOD,
    Decryptor,
    LabelCounter,
    encrypt_labels,
    generate_keys,
    labels,
    sanitise,
    serial,
)
from scoring.lattice.params import YINXIN_BFV_1, context
from scoring.lattice.seal import Ciphertext
from scoring.words import MODULUS, ROWS
from support.ring import answer_noise, exact_noise, from_ntt, in_ntt, spectrum, unspectrum
from tests.attack.test_crafted_model_material import noisy
from tests.attack.test_unsanitised_answers import Sanitiser, flooded, nothing, rerandomised

PRIMES = context().primes


def unpadded(constant: int) -> np.ndarray:
    words = np.zeros(ROWS, dtype=np.uint64)
    words[0] = constant
    return words


class Bank:
    """The attacker, with labels of its own customers: half of a bucket, all of them good."""

    def __init__(self) -> None:
        self.keys = generate_keys()
        words = np.zeros((1, ROWS), dtype=np.uint64)
        words[0, np.random.default_rng().random(ROWS) < 0.5] = GOOD
        self.bundle = encrypt_labels(self.keys, words)
        self.label = serial.read_weight(self.bundle[8:])
        self.polynomial = np.concatenate([words[0, :1], -words[0, :0:-1].astype(np.float64)])

    def divide_plaintext(self, answer: bytes) -> np.ndarray:
        """X from all coefficients of the opened answer: there are as many as there are rows."""
        opened = Decryptor(self.keys.secret_key).decrypt(answer).astype(np.int64)
        centred = np.where(opened > MODULUS // 2, opened - MODULUS, opened).astype(np.float64)
        return unspectrum(spectrum(centred) / spectrum(self.polynomial)) > 1.5

    def divide_c1(self, answer: bytes) -> np.ndarray:
        prime = PRIMES[0]
        inverse = [pow(int(value), -1, prime) for value in in_ntt(self.label)[1, 0]]
        found = in_ntt(context().load_ciphertext(answer))[1, 0] * np.array(inverse, dtype=object)
        return from_ntt(found % prime)[0]

    def divide_noise(self, answer: bytes) -> np.ndarray:
        noise = exact_noise(context().load_ciphertext(answer), self.keys.secret_key)
        if len(answer) == ANSWER_BYTES:  # what the switch divided away
            noise = noise * float(PRIMES[1]) * float(PRIMES[2])
        known = exact_noise(self.label, self.keys.secret_key)
        wiener = np.conj(spectrum(known)) / (np.abs(spectrum(known)) ** 2 + 4 * 21**2)
        left = noise - unspectrum(spectrum(known) * spectrum(np.full(ROWS, 1.5)))
        bits = unspectrum(wiener * spectrum(left)) > 0
        # Zeros of the spectrum leave a few wrong bits; what they fail to explain shows which.
        for _ in range(20):
            missed = left - unspectrum(spectrum(known) * spectrum(bits - 0.5))
            matched = unspectrum(np.conj(spectrum(known)) * spectrum(missed)) / (known @ known)
            bits = bits - 0.5 + matched > 0
        return bits


@pytest.fixture(scope="module")
def bank() -> Bank:
    return Bank()


@pytest.fixture
def bits() -> np.ndarray:
    """The holder's secret: which of the 8192 firms are in the bin."""
    return np.random.default_rng().random(ROWS) < 0.5


Answering = Callable[..., bytes]


@pytest.fixture
def answer(bank: Bank, bits: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Answering:
    """The holder's answer, with parts of it replaced or as it is."""
    counter = LabelCounter(bank.keys.public_key, bank.bundle, 1)
    noise = np.array([[3, 0]])

    def give(sanitiser: Sanitiser | None = None, *, padded: bool = True) -> bytes:
        with monkeypatch.context() as patch:
            if sanitiser is not None:
                patch.setattr(sanitise, "sanitise", sanitiser)
            if not padded:
                patch.setattr(labels, "_padding", unpadded)
            return counter.count((2,), bits.astype(np.uint16)[None, None, :], noise)

    return give


def share_right(guess: np.ndarray, bits: np.ndarray) -> float:
    return float((guess == bits).mean())


def test_the_other_coefficients_read_a_bucket_without_padding(
    bank: Bank, bits: np.ndarray, answer: Answering
) -> None:
    assert share_right(bank.divide_plaintext(answer(padded=False)), bits) > 0.99


def test_the_other_coefficients_are_uniform_with_it(
    bank: Bank, bits: np.ndarray, answer: Answering
) -> None:
    given = answer()
    assert 0.45 < share_right(bank.divide_plaintext(given), bits) < 0.55
    opened = Decryptor(bank.keys.secret_key).decrypt(given)[1:]
    for bit in range(48):  # a mean of 8191 fair coins, at six standard deviations
        assert abs(float((opened >> np.uint64(bit) & np.uint64(1)).mean()) - 0.5) < 0.034


def test_c1_division_reads_a_bucket_without_sanitising(
    bank: Bank, bits: np.ndarray, answer: Answering
) -> None:
    assert np.array_equal(bank.divide_c1(answer(nothing)), bits + 1)


@pytest.mark.parametrize("sanitiser", [None, rerandomised])
def test_c1_division_reads_nothing_from_a_rerandomised_answer(
    sanitiser: Sanitiser | None, bank: Bank, bits: np.ndarray, answer: Answering
) -> None:
    recovered = bank.divide_c1(answer(sanitiser))
    assert int((recovered == bits + 1).sum()) == 0  # values modulo a prime of 60 bits
    assert 0.45 < share_right(recovered > PRIMES[0] // 2, bits) < 0.55


def test_noise_division_reads_a_bucket_without_flooding(
    bank: Bank, bits: np.ndarray, answer: Answering
) -> None:
    assert share_right(bank.divide_noise(answer(rerandomised)), bits) > 0.99


@pytest.mark.parametrize("sanitiser", [None, flooded])
def test_noise_division_reads_nothing_from_a_flooded_answer(
    sanitiser: Sanitiser | None, bank: Bank, bits: np.ndarray, answer: Answering
) -> None:
    assert 0.45 < share_right(bank.divide_noise(answer(sanitiser)), bits) < 0.55


# --- a bundle that the regulator did not make ---------------------------------------------------


def crafted(bank: Bank) -> bytes:
    """The bank's labels with a noise of 2^117 in c0: no check of form can see it."""
    return noisy(bank.bundle, 0, YINXIN_BFV_1.flood_bits + 1)


def test_noise_that_survives_flooding_reads_the_bucket(bank: Bank, bits: np.ndarray) -> None:
    """The hash check left out. The noise comes out as 2^117·X, above a flood of ±2^115."""
    for bundle, reads in ((crafted(bank), True), (bank.bundle, False)):
        counter = LabelCounter(bank.keys.public_key, bundle, 1)
        answer = counter.count((2,), bits.astype(np.uint16)[None, None, :], np.zeros((1, 2), int))
        noise = answer_noise(answer, bank.keys.secret_key)
        # After the switch by p1·p2 ≈ 2^108: 2^9 for X = 1 (not in the bin), 2^10 for X = 2.
        guess = noise > 1.5 * 2.0 ** (YINXIN_BFV_1.flood_bits + 1 - 108)
        assert np.array_equal(guess, bits) is reads


def test_nothing_uncertified_is_parsed(
    bank: Bank, bits: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a holder's worker does with files whose hashes are not in the certificate."""
    touched: list[str] = []
    for name in ("read_public_key", "read_labels", "read_weight"):
        real = getattr(serial, name)
        monkeypatch.setattr(
            serial, name, lambda *a, _n=name, _r=real: (touched.append(_n), _r(*a))[1]
        )
    key, bundle = tmp_path / "public.key", tmp_path / "bundle"
    hashes = sha256(bank.bundle).digest(), sha256(bank.keys.public_key).digest()

    def count() -> bytes:
        bins = bits.astype(np.uint16)[None, None, :]
        return jobs.count_labels(str(key), str(bundle), *hashes, (2,), bins, 12_732)

    for public, labelled in (
        (bank.keys.public_key, crafted(bank)),
        (bank.keys.public_key, b"YXL1"),
        (generate_keys().public_key, bank.bundle),
    ):
        key.write_bytes(public)
        bundle.write_bytes(labelled)
        with pytest.raises(HashMismatch):
            count()
        assert touched == []
    key.write_bytes(bank.keys.public_key)
    bundle.write_bytes(bank.bundle)
    assert len(count()) == ANSWER_BYTES
    assert set(touched) == {"read_public_key", "read_labels", "read_weight"}


def test_the_noise_is_what_the_bound_counts(bank: Bank, answer: Answering) -> None:
    worst = ROWS * 21.5 * 2 + 0.5 + 4097
    before = np.abs(exact_noise(serial_of(answer(rerandomised)), bank.keys.secret_key))
    assert 0 < before.max() < worst
    after = np.abs(exact_noise(serial_of(answer(flooded)), bank.keys.secret_key))
    assert 2**114 < after.max() < 2**115 + worst
    assert np.abs(exact_noise(bank.label, bank.keys.secret_key)).max() <= 21.5


def serial_of(answer: bytes) -> Ciphertext:
    return context().load_ciphertext(answer)
