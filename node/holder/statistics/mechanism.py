"""Discrete Gaussian noise by OpenDP, and how much of it a budget of ε and δ buys.

A release has two or three tables, the last of which depends on the noisy first. Each satisfies
zero-concentrated differential privacy: noise of scale σ on a table of L2 sensitivity s has
ρ = s² / 2σ² (Bun and Steinke 2016, Proposition 1.6; for the discrete Gaussian Canonne, Kamath and
Steinke 2020, Theorem 4), and the ρ of adaptive releases add up (Bun and Steinke, Lemma 2.3).
OpenDP samples the noise, from the operating system's randomness, and converts the sum to (ε, δ).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from node.holder.errors import HolderError

MOST_EPSILON: Final = 10.0
LEAST_EPSILON: Final = 0.01
MOST_DELTA: Final = 1e-5
LEAST_DELTA: Final = 1e-12
MICRO: Final = 1_000_000
MILLI: Final = 1000


@dataclass(frozen=True, slots=True)
class Budget:
    """What one release may spend. Raises HolderError outside 0.01–10 and 1e-12–1e-5."""

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        if not LEAST_EPSILON <= self.epsilon <= MOST_EPSILON:
            raise HolderError(
                f"epsilon: {self.epsilon:g} is out of {LEAST_EPSILON:g} to {MOST_EPSILON:g}; "
                "1 is usual"
            )
        if not LEAST_DELTA <= self.delta <= MOST_DELTA:
            raise HolderError(
                f"delta: {self.delta:g} is out of {LEAST_DELTA:g} to {MOST_DELTA:g}; give less "
                "than one in the number of firms, such as 1e-6"
            )

    @property
    def epsilon_micro(self) -> int:
        """ε in millionths, rounded down."""
        return math.floor(self.epsilon * MICRO + 1e-6)

    @property
    def delta_inverse(self) -> int:
        """1/δ, rounded up: the δ that it stands for is not above the one given."""
        return math.ceil(1 / self.delta - 1e-6)

    def scales(self, shares: Sequence[float], sensitivities: Sequence[float]) -> tuple[int, ...]:
        """The scale of each table's noise in thousandths, rounded up.

        `shares` of ρ add up to 1; a table with share 0 is not released and has scale 0.
        """
        rho = concentrated(self.epsilon_micro / MICRO, 1 / self.delta_inverse)
        return tuple(
            math.ceil(MILLI * sensitivity / math.sqrt(2 * rho * share)) if share else 0
            for share, sensitivity in zip(shares, sensitivities, strict=True)
        )


def noisy(table: NDArray[np.int64], scale_milli: int) -> NDArray[np.int64]:
    """The table with discrete Gaussian noise of that scale, in thousandths, on every number."""
    return np.array(_gaussian(scale_milli / MILLI)(table.tolist()), dtype=np.int64)


@cache
def concentrated(epsilon: float, delta: float) -> float:
    """The greatest ρ whose ρ-zCDP is, by OpenDP's conversion, (epsilon, delta)-private."""
    # Noise on a number of sensitivity 1 has ρ = 1 / 2σ²; ε falls as σ rises.
    low, high = 1e-3, 1e7
    for _ in range(100):
        middle = math.sqrt(low * high)
        if _epsilon(middle, delta) > epsilon:
            low = middle
        else:
            high = middle
        if high / low < 1 + 1e-9:
            break
    return 1 / (2 * high**2)


def _epsilon(scale: float, delta: float) -> float:
    from opendp.combinators import make_zCDP_to_approxDP

    converted: Any = make_zCDP_to_approxDP(_gaussian(scale))
    return float(converted.map(1.0).epsilon(delta))


def _gaussian(scale: float) -> Any:
    # Without `opendp.prelude`, which takes seconds and 200 MB. OpenDP takes a plain `int` for 32
    # bits; products of half a million firms need more, and its refusal would print exact numbers.
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import l2_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    space = vector_domain(atom_domain(T="i64")), l2_distance(T=float)
    return make_gaussian(*space, scale=scale)
