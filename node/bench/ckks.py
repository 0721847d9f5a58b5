"""TenSEAL's public interface, to compare with: one enterprise's score as a CKKS inner product.

The one place beside `scoring.lattice.seal` that imports TenSEAL. The library as its makers offer
it is what Yinxin's lattice half is measured against; nothing of a chain is computed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tenseal

_DEGREE, _PRIME_BITS, _SCALE = 8192, [60, 40, 40, 60], 2.0**40


class InnerProduct:
    """Encrypted weights, and their inner product with one enterprise's columns in the clear.

    Without padding, sanitising or an unlock: it answers its caller, and tells the key's owner
    whatever a bare product tells.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        context: Any = tenseal.context(
            tenseal.SCHEME_TYPE.CKKS, _DEGREE, -1, _PRIME_BITS, n_threads=1
        )
        context.global_scale = _SCALE
        context.generate_galois_keys()
        self._weights: Any = tenseal.ckks_vector(context, list(weights))

    def __call__(self, columns: Sequence[float]) -> Any:
        """The encrypted score."""
        return self._weights.dot(columns)

    def score(self, columns: Sequence[float]) -> int:
        """The decrypted score; CKKS computes with a small error, which is rounded away."""
        (score,) = self(columns).decrypt()
        return round(float(score))

    def answer_bytes(self, columns: Sequence[float]) -> int:
        """Bytes of one enterprise's answer."""
        return len(self(columns).serialize())
