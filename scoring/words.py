"""48-bit words: what a score record, a pad, a mask and a table entry are made of.

In memory a word is a `numpy.uint64` below 2^48; on the wire it is 6 bytes, big-endian. Sums are
taken in `uint64` and reduced with `MODULUS - 1`: 2^48 divides 2^64, so wrapping does no harm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.errors import ScoringError

MODULUS = 1 << 48
"""The plaintext modulus of the lattice half, and the range of a word."""

WORD_BYTES = 6
"""Bytes of a word on the wire."""

ROWS = 8192
"""Rows of a bucket: the ring degree of the lattice half."""


def words_from_bytes(raw: bytes) -> NDArray[np.uint64]:
    """Words, shape (len(raw) / 6,), of big-endian six-byte groups.

    Raises ScoringError if the length is no multiple of 6.
    """
    if len(raw) % WORD_BYTES:
        raise ScoringError(
            f"words: {len(raw)} bytes is no multiple of {WORD_BYTES}; send whole words"
        )
    wide = np.zeros((len(raw) // WORD_BYTES, 8), dtype=np.uint8)
    wide[:, 8 - WORD_BYTES :] = np.frombuffer(raw, dtype=np.uint8).reshape(-1, WORD_BYTES)
    return wide.view(">u8").ravel().astype(np.uint64)


def words_to_bytes(words: NDArray[np.uint64]) -> bytes:
    """Six big-endian bytes a word, of a one-dimensional uint64 array of words below 2^48.

    Raises ScoringError for another type or shape, or for a value of more than 48 bits.
    """
    if words.dtype != np.uint64 or words.ndim != 1:
        raise ScoringError(
            f"words: {words.dtype} of {words.ndim} dimensions; pass a flat uint64 array"
        )
    if words.size and int(words.max()) >= MODULUS:
        raise ScoringError("words: a value has more than 48 bits; reduce modulo 2**48 first")
    wide = words.astype(">u8").view(np.uint8).reshape(-1, 8)
    return wide[:, 8 - WORD_BYTES :].tobytes()
