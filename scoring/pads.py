"""Pads: one 48-bit word a row, which only the firm's OPRF value opens.

    pad[row] = first 6 bytes, big-endian, of HKDF-SHA256(y, info = "yinxin/pad/v1" ‖ ctx ‖
               manifest hash), no salt                                       (RFC 5869)

y = Finalize(USCC) under the holder's key for this ctx, 64 bytes. A pad is uniform to who
lacks y, and is used for one word of one table: ctx names model, bank and epoch, the
manifest hash the data. Functions raise OprfError for a value of the wrong length.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.errors import OprfError
from scoring.words import WORD_BYTES, words_from_bytes

OUTPUT_BYTES = 64
HASH_BYTES = 32
LEAST_SECRET_BYTES = 32

_PAD_LABEL = b"yinxin/pad/v1"
_EMPTY_LABEL = b"yinxin/empty-row/v1"
_NO_SALT = bytes(HASH_BYTES)
_MOST_ROWS = 2**64


def pad_word(y: bytes, ctx: bytes, manifest_hash: bytes) -> int:
    """The pad of the row whose OPRF value is `y` (64 bytes): 0 to 2^48 - 1.

    `ctx` and `manifest_hash` are 32 bytes each.
    """
    return int(pad_words((y,), ctx, manifest_hash)[0])


def pad_words(ys: Sequence[bytes], ctx: bytes, manifest_hash: bytes) -> NDArray[np.uint64]:
    """`pad_word` of every value, in order: uint64, shape (len(ys),); about 3 µs each."""
    info = _PAD_LABEL + _hash("ctx", ctx) + _hash("manifest_hash", manifest_hash)
    # Six bytes need the first block of HKDF alone: T(1) = HMAC(PRK, info ‖ 0x01).
    block = info + b"\x01"
    words = bytearray()
    for y in ys:
        if len(y) != OUTPUT_BYTES:
            raise OprfError(f"y: {len(y)} bytes; give an OPRF output of {OUTPUT_BYTES}")
        prk = hmac.digest(_NO_SALT, y, "sha256")
        words += hmac.digest(prk, block, "sha256")[:WORD_BYTES]
    return words_from_bytes(bytes(words))


def empty_row_words(secret: bytes, ctx: bytes, rows: range) -> NDArray[np.uint64]:
    """What covers coefficients that have no roster row: uint64, shape (len(rows),).

    Word of row i = first 6 bytes, big-endian, of HMAC-SHA256(secret, "yinxin/empty-row/v1" ‖
    ctx ‖ u64be i), i its number in the roster (bucket · 8192 + coefficient). So a repeat gives
    the same words, and nobody without `secret` can tell them from pads. `secret` is the
    holder's for the epoch, at least 32 random bytes, and is erased with it.
    """
    if len(secret) < LEAST_SECRET_BYTES:
        raise OprfError(f"secret: {len(secret)} bytes; give at least {LEAST_SECRET_BYTES}")
    if rows and (min(rows[0], rows[-1]) < 0 or max(rows[0], rows[-1]) >= _MOST_ROWS):
        raise OprfError("rows: outside 0 to 2^64 - 1; give roster row numbers")
    prefix = _EMPTY_LABEL + _hash("ctx", ctx)
    return words_from_bytes(
        b"".join(
            hmac.digest(secret, prefix + row.to_bytes(8, "big"), "sha256")[:WORD_BYTES]
            for row in rows
        )
    )


def _hash(name: str, value: bytes) -> bytes:
    if len(value) != HASH_BYTES:
        raise OprfError(f"{name}: {len(value)} bytes; give a SHA-256 hash of {HASH_BYTES}")
    return value
