"""Blind evaluation: a holder sums the encrypted weights of the bins that each row is in.

A holder's columns are, for each feature in order, each of its bins in order. Column c of a bucket
is the polynomial X_c with a coefficient a row: 1 (not in the bin) or 2 (in it), never 0, as SEAL
refuses to multiply by a zero polynomial, and an error for an empty bucket would be an oracle. The
answer encrypts Σ_c w_c·X_c + clear; whoever opens it subtracts Σ_c w_c.

Every row is in exactly one bin of a feature, so that the bins' columns of a feature of m bins add
up to m + 1 times the polynomial J of ones, and

    Σ_b W_b·X_b  =  (m + 1)·W_0·J  +  Σ_{b ≥ 1} (W_b − W_0)·X_b

holds in the ring, for ciphertexts as for plaintexts, noise included. The first term and the
differences D_b depend on no data; they are made once for a bundle, and a bucket then costs m − 1
transforms and products a feature instead of m.

SEAL's transforms branch on values, and a processor learns branches that repeat: a bucket whose
columns are all alike, an empty one, would take 15 % less time than a dense one. So the n-th of M
columns goes in as X_b + (M − n)·R, with a fresh random polynomial R for each bucket, and
(Σ (M − n)·D_b)·R is taken off first: the sum stays the same, bit for bit, and what is transformed
is random and never repeats.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.errors import LatticeError
from scoring.lattice import sanitise, serial
from scoring.lattice.keys import check_weights
from scoring.lattice.params import context
from scoring.lattice.seal import Ciphertext
from scoring.words import MODULUS, ROWS

BLIND_BITS = 37
"""Bits of a coefficient of R: X_b + 500·R stays below 2^47, above which SEAL lifts differently."""


class BlindEvaluator:
    """One model's weights of one holder, ready to be applied to any bucket.

    Takes 0.4 MB a column in memory. Not for use from several threads at once.
    """

    def __init__(self, public_key: bytes, bundle: bytes, bins_per_feature: Sequence[int]) -> None:
        """Load what a certificate vouches for: the caller has compared the hashes of both.

        `bins_per_feature` has the number of bins, `missing` included, of each of the holder's
        features; its sum is the number of columns. Raises LatticeError for anything malformed.
        """
        ring = context()
        self._bins_per_feature = _layout(bins_per_feature)
        self._encryptor = ring.encryptor(serial.read_public_key(public_key))
        weights = iter(serial.read_bundle(bundle, sum(self._bins_per_feature)))
        self._differences: list[tuple[int, int, Ciphertext]] = []
        constant: Ciphertext | None = None
        running: Ciphertext | None = None
        self._blinded: Ciphertext | None = None
        for feature, bins in enumerate(self._bins_per_feature):
            first = ring.to_ntt(serial.read_weight(next(weights)))
            ones = ring.ntt_plaintext(np.full(ROWS, bins + 1, dtype=np.uint64))
            share = ring.multiply_plain(first, ones)
            constant = share if constant is None else ring.add(constant, share)
            for index in range(1, bins):
                weight = ring.to_ntt(serial.read_weight(next(weights)))
                difference = ring.subtract(weight, first)
                self._differences.append((feature, index, difference))
                # A sum of running sums has the n-th of M differences M − n times.
                running = difference if running is None else ring.add(running, difference)
                self._blinded = (
                    running if self._blinded is None else ring.add(self._blinded, running)
                )
        if constant is None:
            raise LatticeError("bins_per_feature: no feature; a holder has at least one")
        self._constant = constant

    def evaluate(self, bins: NDArray[np.uint16], clear: NDArray[np.uint64]) -> bytes:
        """The answer for one bucket: always ANSWER_BYTES long, and never twice the same.

        `bins`, uint16 of shape (features, 8192), has each row's bin of each feature, 0 where the
        value is missing; `clear`, uint64 of shape (8192,), has cover + pad + mask mod 2^48.
        Raises LatticeError for another type, shape or range.
        """
        _check_bucket(self._bins_per_feature, bins, clear)
        ring = context()
        raw = np.frombuffer(os.urandom(8 * ROWS), dtype=np.uint64)
        blind = raw >> np.uint64(64 - BLIND_BITS)
        start = self._constant
        if self._blinded is not None:
            unblind = ring.multiply_plain(self._blinded, ring.ntt_plaintext(blind))
            start = ring.subtract(start, unblind)
        summed = ring.sum_products(start, self._terms(bins, blind))
        answer = sanitise.sanitise(ring.from_ntt(summed), clear, self._encryptor)
        return serial.write(answer)

    def _terms(
        self, bins: NDArray[np.uint16], blind: NDArray[np.uint64]
    ) -> Iterator[tuple[Ciphertext, NDArray[np.uint64]]]:
        for n, (feature, index, difference) in enumerate(self._differences):
            multiple = blind * np.uint64(len(self._differences) - n)
            yield difference, multiple + np.uint64(1) + (bins[feature] == index)


def clear_table(
    weights: Sequence[int],
    bins_per_feature: Sequence[int],
    bins: NDArray[np.uint16],
    clear: NDArray[np.uint64],
) -> NDArray[np.uint64]:
    """Σ_c w_c·X_c + clear mod 2^48, shape (8192,), with the weights in the open.

    The table of an open scorecard, and the exact reference of what BlindEvaluator encrypts.
    Raises LatticeError as BlindEvaluator does.
    """
    layout = _layout(bins_per_feature)
    check_weights(weights)
    if len(weights) != sum(layout):
        raise LatticeError(f"weights: {len(weights)} for {sum(layout)} columns; give one a column")
    _check_bucket(layout, bins, clear)
    packed = np.array([int(weight) for weight in weights], dtype=np.uint64)
    # Sums wrap modulo 2^64, a multiple of 2^48.
    total: NDArray[np.uint64] = clear + packed.sum(dtype=np.uint64)
    first = 0
    for count, indices in zip(layout, bins, strict=True):
        total += packed[first : first + count][indices]
        first += count
    total &= np.uint64(MODULUS - 1)
    return total


def _layout(bins_per_feature: Sequence[int]) -> tuple[int, ...]:
    layout = tuple(int(bins) for bins in bins_per_feature)
    if not layout or min(layout) < 1:
        raise LatticeError("bins_per_feature: give at least one feature, and one bin for each")
    return layout


def _check_bucket(
    layout: tuple[int, ...], bins: NDArray[np.uint16], clear: NDArray[np.uint64]
) -> None:
    if bins.dtype != np.uint16 or bins.shape != (len(layout), ROWS):
        raise LatticeError(
            f"bins: {bins.dtype} of shape {bins.shape}; "
            f"pass uint16 of shape ({len(layout)}, {ROWS})"
        )
    if (bins >= np.array(layout)[:, None]).any():
        raise LatticeError("bins: an index is beyond its feature's bins; encode the column anew")
    if clear.dtype != np.uint64 or clear.shape != (ROWS,):
        raise LatticeError(
            f"clear: {clear.dtype} of shape {clear.shape}; pass uint64 of shape ({ROWS},)"
        )
    if int(clear.max()) >= MODULUS:
        raise LatticeError("clear: a value has more than 48 bits; reduce modulo 2**48 first")
