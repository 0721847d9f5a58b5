"""Counting encrypted labels: how many good and bad firms a bin has, as one number of one answer.

A label is a word: 1 for a good firm, 2^24 for a bad one, 0 for a row without. The labels l_j of a
bucket become the polynomial L over Z[x]/(x^8192 + 1), t = 2^48,

    L[0] = l_0,   L[8192 − j] = −l_j mod t     so that     (L·X)[0] = Σ_j l_j·X_j   modulo t,

because x^(8192 − j)·x^j = −1. A column X has 1 (row not in the bin) and 2 (in it), as in
`scoring.lattice.evaluate` and for its reason; the sum over the buckets then has the constant
coefficient Σ l_j + Σ_{j in the bin} l_j, of which the bank knows the first part. The other
coefficients are sums of the same labels in other orders; they get uniform words, and the constant
one the holder's noise, before the answer is sanitised as every other.

X_b goes in as J + (bits_b + n·R_b), J the polynomial of ones, n the column's number from 1: Σ L_b·J
is made once, Σ L_b·R_b once for a release and n times taken off. As there, the sum stays the same
bit for bit; what SEAL transforms is random, never repeats, and is never zero.

Counts and noise are taken modulo 2^48: the low 24 bits hold the good ones, as a signed number, the
rest the bad ones.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.errors import LatticeError
from scoring.lattice import sanitise, serial
from scoring.lattice.decrypt import Decryptor
from scoring.lattice.evaluate import BLIND_BITS
from scoring.lattice.keys import ModelKeys
from scoring.lattice.params import MAX_COLUMNS, context
from scoring.lattice.seal import Ciphertext
from scoring.words import MODULUS, ROWS

COUNT_BITS = 24
GOOD, BAD = 1, 1 << COUNT_BITS
"""The words of a good and a bad firm."""
MOST_NOISE = 1 << 22
"""500 buckets have less than 2^22 firms, so that a count and its noise are below 2^23."""


def encrypt_labels(keys: ModelKeys, words: NDArray[np.uint64]) -> bytes:
    """The labels of all buckets, one ciphertext each, zeros too: its length says nothing of them.

    `words`, uint64 of shape (buckets, 8192), holds 0, GOOD or BAD for each row of the roster.
    Raises LatticeError for another type, shape or value, and for a malformed secret key.
    """
    if words.dtype != np.uint64 or words.ndim != 2 or words.shape[1] != ROWS:
        raise LatticeError(f"words: {words.dtype} of shape {words.shape}; pass uint64 (n, {ROWS})")
    if not np.isin(words, (0, GOOD, BAD)).all():
        raise LatticeError("words: a label is neither 0, 1 nor 2**24; encode the outcomes anew")
    ring, secret = context(), serial.read_secret_key(keys.secret_key)
    reflected = np.empty_like(words)
    reflected[:, 0] = words[:, 0]
    # 0 − l wraps modulo 2^64, which 2^48 divides.
    reflected[:, 1:] = (np.uint64(0) - words[:, :0:-1]) & np.uint64(MODULUS - 1)
    return serial.write_labels(ring.encrypt_seeded(secret, map(ring.plaintext, reflected)))


def label_totals(words: NDArray[np.uint64]) -> tuple[int, int]:
    """How many good and bad firms the words of `encrypt_labels` have."""
    return int((words == GOOD).sum()), int((words == BAD).sum())


class LabelCounter:
    """The encrypted labels of one certificate, ready to be counted over one holder's columns.

    Takes 0.4 MB a bucket in memory. Not for use from several threads at once.
    """

    def __init__(self, public_key: bytes, bundle: bytes, buckets: int) -> None:
        """Load what a certificate vouches for: the caller has compared the hashes of both.

        Raises LatticeError for anything malformed.
        """
        ring = context()
        self._encryptor = ring.encryptor(serial.read_public_key(public_key))
        self._labels = [
            ring.to_ntt(serial.read_weight(raw)) for raw in serial.read_labels(bundle, buckets)
        ]
        ones = np.ones((buckets, ROWS), dtype=np.uint64)
        self._everybody = self._sum(ones)

    def count(
        self,
        bins_per_feature: Sequence[int],
        bins: NDArray[np.uint16],
        noise: NDArray[np.int64],
    ) -> bytes:
        """One answer of ANSWER_BYTES for each bin but `missing`, in the order of the columns.

        `bins_per_feature` counts `missing`. `bins`, uint16 of shape (buckets, features, 8192), has
        each row's bin of each feature, 0 where the value is missing or there is no row. `noise`,
        int64 of shape (columns, 2), is added to the good and bad count of each column. Counts of
        the same labels and data under other noise must never leave: an average undoes it. Raises
        LatticeError for another type, shape or range.
        """
        columns = count_columns(bins_per_feature)
        _check(bins_per_feature, len(self._labels), bins, noise)
        ring = context()
        raw = np.frombuffer(os.urandom(8 * ROWS * len(bins)), dtype=np.uint64)
        blind = raw.reshape(len(bins), ROWS) >> np.uint64(64 - BLIND_BITS)
        once = self._sum(blind)
        start = self._everybody
        answers = []
        for n, ((feature, index), (good, bad)) in enumerate(
            zip(columns, noise.tolist(), strict=True), start=1
        ):
            start = ring.subtract(start, once)
            multiple = np.uint64(n)
            terms = (
                (label, multiple * blind[bucket] + (bins[bucket, feature] == index))
                for bucket, label in enumerate(self._labels)
            )
            summed = ring.from_ntt(ring.sum_products(start, terms))
            clear = _padding((good * GOOD + bad * BAD) % MODULUS)
            answers.append(serial.write(sanitise.sanitise(summed, clear, self._encryptor)))
        return b"".join(answers)

    def _sum(self, polynomials: NDArray[np.uint64]) -> Ciphertext:
        ring = context()
        first = ring.multiply_plain(self._labels[0], ring.ntt_plaintext(polynomials[0]))
        rest = zip(self._labels[1:], polynomials[1:], strict=True)
        return ring.sum_products(first, rest)


def read_counts(
    secret_key: bytes, answers: bytes, columns: int, totals: tuple[int, int]
) -> NDArray[np.int64]:
    """The noisy good and bad counts of each column, int64 of shape (columns, 2).

    `totals` is how many good and bad firms are labelled. Counts may be negative: noise is. Raises
    LatticeError for bytes that are not so many answers.
    """
    if len(answers) != columns * serial.ANSWER_BYTES:
        raise LatticeError(
            f"answers: {len(answers)} bytes instead of {columns * serial.ANSWER_BYTES} for "
            f"{columns} columns; take the whole release"
        )
    decryptor = Decryptor(secret_key)
    known = totals[0] * GOOD + totals[1] * BAD
    counts = np.empty((columns, 2), dtype=np.int64)
    for column in range(columns):
        start = column * serial.ANSWER_BYTES
        opened = decryptor.decrypt(answers[start : start + serial.ANSWER_BYTES])
        good, rest = _signed((int(opened[0]) - known) % MODULUS)
        counts[column] = good, _signed(rest)[0]
    return counts


def count_columns(bins_per_feature: Sequence[int]) -> list[tuple[int, int]]:
    """(feature, bin) of each count, in order: every bin but `missing`, which is bin 0.

    Raises LatticeError for a layout without such a bin, or with more than 500.
    """
    columns = [
        (feature, index)
        for feature, bins in enumerate(bins_per_feature)
        for index in range(1, bins)
    ]
    if not 1 <= len(columns) <= MAX_COLUMNS:
        raise LatticeError(f"bins_per_feature: {len(columns)} columns to count, not 1 to 500")
    return columns


def _signed(value: int) -> tuple[int, int]:
    """The low 24 bits as a signed number, and what is left above them."""
    half = 1 << (COUNT_BITS - 1)
    low = (value + half) % (1 << COUNT_BITS) - half
    return low, (value - low) >> COUNT_BITS


def _padding(constant: int) -> NDArray[np.uint64]:
    """Uniform words, shape (8192,), but for the first."""
    words = np.frombuffer(os.urandom(8 * ROWS), dtype=np.uint64) & np.uint64(MODULUS - 1)
    words[0] = constant
    return words


def _check(
    bins_per_feature: Sequence[int],
    buckets: int,
    bins: NDArray[np.uint16],
    noise: NDArray[np.int64],
) -> None:
    shape = (buckets, len(bins_per_feature), ROWS)
    if bins.dtype != np.uint16 or bins.shape != shape:
        raise LatticeError(f"bins: {bins.dtype} of shape {bins.shape}; pass uint16 of {shape}")
    if (bins >= np.array(bins_per_feature)[:, None]).any():
        raise LatticeError("bins: an index is beyond its feature's bins; encode the column anew")
    wanted = (len(count_columns(bins_per_feature)), 2)
    if noise.dtype != np.int64 or noise.shape != wanted:
        raise LatticeError(f"noise: {noise.dtype} of shape {noise.shape}; pass int64 of {wanted}")
    if int(np.abs(noise).max()) > MOST_NOISE:
        raise LatticeError("noise: a value is beyond 2**22, more than a count has room for")
