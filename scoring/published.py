"""The bundle of a published scorecard: a holder's packed weights in the clear.

    b"YXP1" ‖ columns, u32 big-endian ‖ one word of 6 bytes big-endian a column

It takes the place of the encrypted bundle where there is nothing to hide; the certificate names
its SHA-256 just the same, and a holder reads none that it does not name.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.errors import ScorecardError
from scoring.words import MODULUS, WORD_BYTES, words_from_bytes, words_to_bytes

PARAMETER_SET = "yinxin-published-1"
"""What a certificate of a published scorecard names in place of the lattice parameters."""
MAGIC = b"YXP1"
HEADER_BYTES = len(MAGIC) + 4
MAX_COLUMNS = 500


def publish_weights(weights: Sequence[int]) -> bytes:
    """The bundle of one holder's packed weights, one a column, zeros too.

    Raises ScorecardError unless there are 1 to 500, each from 0 to 2^48 - 1.
    """
    if not 1 <= len(weights) <= MAX_COLUMNS:
        raise ScorecardError(f"weights: {len(weights)} columns; a holder has 1 to {MAX_COLUMNS}")
    if not all(0 <= weight < MODULUS for weight in weights):
        raise ScorecardError("weights: one is not from 0 to 2**48 - 1; pack them anew")
    words = np.array([int(weight) for weight in weights], dtype=np.uint64)
    return MAGIC + len(weights).to_bytes(4, "big") + words_to_bytes(words)


def read_weights(bundle: bytes) -> list[int]:
    """The weights in a bundle. Raises ScorecardError for anything but `publish_weights` wrote."""
    columns = int.from_bytes(bundle[len(MAGIC) : HEADER_BYTES], "big")
    exact = HEADER_BYTES + columns * WORD_BYTES
    if not bundle.startswith(MAGIC) or len(bundle) != exact or not 1 <= columns <= MAX_COLUMNS:
        raise ScorecardError("bundle: not a published one; fetch the certified bundle again")
    return [int(word) for word in words_from_bytes(bundle[HEADER_BYTES:])]
