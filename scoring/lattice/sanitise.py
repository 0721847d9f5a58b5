"""What turns a sum of encrypted weights into an answer that tells nothing but its plaintext.

The bank holds the secret key and knows its own query, so that everything in a ciphertext beside
the plaintext is evidence: c1 is the query's c1 times the data and gives the data by division;
and once c1 is fresh, the noise is the query's noise times the data and gives it by division too.
An encryption of zero renews c1, uniform noise in c0 drowns the noise that depends on the data
(`params.flooding_bound_log2`), and the switch to the first prime makes the answer small. Each
step runs alike for every bucket, whether it is empty, sparse or dense.
"""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from scoring.lattice.params import YINXIN_BFV_1, context
from scoring.lattice.seal import Ciphertext, PublicEncryptor

_LIMB_BITS = 16


def sanitise(
    summed: Ciphertext, clear: NDArray[np.uint64], encryptor: PublicEncryptor
) -> Ciphertext:
    """The answer for `summed`, a ciphertext at the first level in coefficient form.

    `clear`, shape (8192,), words below 2^48, is the sum of cover, pad and mask. The order
    matters: the switch comes last, as the flood is too large for the first prime alone.
    """
    padded = add_clear(summed, clear)
    rerandomised = rerandomise(padded, encryptor)
    flooded = flood(rerandomised)
    return switch(flooded)


def add_clear(ciphertext: Ciphertext, clear: NDArray[np.uint64]) -> Ciphertext:
    """Add words in the clear to the plaintext, one a row."""
    ring = context()
    return ring.add_plain(ciphertext, ring.plaintext(clear))


def rerandomise(ciphertext: Ciphertext, encryptor: PublicEncryptor) -> Ciphertext:
    """Add a fresh encryption of zero, so that c1 depends on nothing that anyone knows."""
    return context().add(ciphertext, encryptor.zero())


def flood(ciphertext: Ciphertext) -> Ciphertext:
    """Add uniform noise from [-2^115, 2^115) to every coefficient of c0."""
    ring = context()
    words = np.zeros((2, len(ring.primes), ring.degree), dtype=np.uint64)
    words[0] = flooding_residues(ring.primes, ring.degree)
    return ring.add(ciphertext, ring.ciphertext(words, ntt=False))


def switch(ciphertext: Ciphertext) -> Ciphertext:
    """Switch down to the first prime."""
    return context().to_last_level(ciphertext)


def flooding_residues(
    primes: tuple[int, ...], degree: int, *, random: bytes | None = None
) -> NDArray[np.uint64]:
    """Residues of `degree` integers uniform in [-2^(b-1), 2^(b-1)), b the set's flood bits.

    Shape (primes, degree). `random` takes the place of the system's randomness in tests: limbs
    of 16 bits, little-endian, the most significant limb of every coefficient first.
    """
    bits = YINXIN_BFV_1.flood_bits
    limbs = -(-bits // _LIMB_BITS)
    raw = os.urandom(2 * limbs * degree) if random is None else random
    digits = np.frombuffer(raw, dtype="<u2").reshape(limbs, degree).astype(np.uint64)
    digits[0] &= np.uint64((1 << (bits - _LIMB_BITS * (limbs - 1))) - 1)
    out = np.empty((len(primes), degree), dtype=np.uint64)
    for row, prime in enumerate(primes):
        modulus = np.uint64(prime)
        # Horner's rule: a residue may be shifted by so many bits before it leaves 64.
        room = 64 - prime.bit_length()
        residue = digits[0] % modulus
        for digit in digits[1:]:
            left = _LIMB_BITS
            while left:
                step = min(room, left)
                residue = (residue << np.uint64(step)) % modulus
                left -= step
            residue = (residue + digit) % modulus
        out[row] = (residue + np.uint64(prime - pow(2, bits - 1, prime))) % modulus
    return out
