"""SEAL's serial form, uncompressed: what stands before the words of each object.

SEAL 4 writes a 16-byte header, then the body. With compression 0 an object of one kind always
has one length:

    header      magic 0xA15E, header size 16, version 4.3, compression, reserved, total size
    plaintext   level (32 bytes, zero unless NTT), coefficients, scale, header, count, words
    ciphertext  level, NTT flag, polynomials, degree, primes, scale, correction factor, header,
                count, words in the order (polynomial, prime, coefficient)
    seeded      a ciphertext whose second polynomial is replaced by the seed it expands from
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct("<HBBBBHQ")
HEADER_BYTES = _HEADER.size
COEFFICIENT_LEVEL = bytes(32)
"""The level field of a plaintext in coefficient form, which belongs to no level."""

_UNCOMPRESSED = 0


def header(size: int) -> bytes:
    """The header of an uncompressed object of `size` bytes, header included."""
    return _HEADER.pack(0xA15E, HEADER_BYTES, 4, 3, _UNCOMPRESSED, 0, size)


def plaintext_prefix(level: bytes, words: int) -> bytes:
    """All bytes of a plaintext before its `words` 64-bit words."""
    inner = header(HEADER_BYTES + 8 + 8 * words) + struct.pack("<Q", words)
    body = level + struct.pack("<Qd", words, 1.0) + inner
    return header(HEADER_BYTES + len(body) + 8 * words) + body


def ciphertext_prefix(
    level: bytes, *, ntt: bool, degree: int, primes: int, words: int, suffix: int = 0
) -> bytes:
    """All bytes of a ciphertext of two polynomials before its `words` 64-bit words.

    A seeded one has the words of one polynomial and a `suffix` of so many bytes after them.
    """
    inner = header(HEADER_BYTES + 8 + 8 * words) + struct.pack("<Q", words)
    body = level + struct.pack("<BQQQdQ", ntt, 2, degree, primes, 1.0, 1) + inner
    return header(HEADER_BYTES + len(body) + 8 * words + suffix) + body
