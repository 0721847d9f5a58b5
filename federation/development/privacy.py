"""What noisy counts cost a firm: from a Gaussian's scale to ρ, and from ρ to (ε, δ).

Neighbours are two states of a holder's data that differ in one firm, known in one and unknown in
the other. A labelled firm adds 1 to at most one bin, `missing` left out, of each of the holder's F
features, and either to the good or to the bad count of it: the counts differ by at most √F in the
Euclidean norm. The discrete Gaussian of scale σ on every count then gives ρ-zCDP for

    ρ = F / (2σ²)

(Canonne, Kamath and Steinke, NeurIPS 2020, The discrete Gaussian for differential privacy, theorem
4 and its multivariate form). For a firm whose data change, rather than appear, √F becomes √(2F)
and ρ twice as much.

ρ adds up over releases, whatever a bank learns in between: over the holders of a certificate, which
know the same firms, and over certificates (Bun and Steinke, TCC 2016, lemma 2.3). ε does not, so ρ
is what budgets sum. In documents and logs ρ is in units of 10⁻⁹, ε of 10⁻⁶, both rounded up, σ of
10⁻³, and δ = 10^-exponent.
"""

from __future__ import annotations

import math
from typing import Final

from federation.errors import DocumentError

NANO: Final = 10**9
MICRO: Final = 10**6
MILLI: Final = 1000

YEAR_SECONDS: Final = 365 * 86_400
"""The window of every budget of development."""
DELTA_EXPONENT: Final = 6
"""δ = 10⁻⁶: the default of a certificate, and that of every budget."""
LEAST_SIGMA_MILLI: Final = MILLI
MOST_SIGMA_MILLI: Final = 100_000 * MILLI
"""A larger one could leave the 24 bits of a count (`scoring.lattice.labels`)."""

_STEPS: Final = 200
_GOLDEN: Final = (math.sqrt(5) - 1) / 2


def rho_nano(features: int, sigma_milli: int) -> int:
    """ρ of the counts of `features` features under noise of that scale, rounded up.

    Raises DocumentError for no feature, or a scale outside [1, 100,000].
    """
    if features < 1:
        raise DocumentError("features", f"{features} is no number of features", "give 1 or more")
    if not LEAST_SIGMA_MILLI <= sigma_milli <= MOST_SIGMA_MILLI:
        raise DocumentError("sigma_milli", f"{sigma_milli} is not from 1 to 100,000 thousandths")
    return _ceil_ratio(features * MILLI**2 * NANO, 2 * sigma_milli**2)


def epsilon_micro(rho: int, delta_exponent: int = DELTA_EXPONENT) -> int:
    """ε of ρ (in 10⁻⁹) at δ = 10^-delta_exponent, rounded up."""
    return math.ceil(epsilon(rho / NANO, 10.0**-delta_exponent) * MICRO)


def epsilon_left_micro(left: int, asked: int) -> int:
    """ε in 10⁻⁶ of what a budget has `left`, rounded down: below `epsilon_micro(asked)` just where
    `asked` does not fit. Both are ρ in 10⁻⁹. Rounded up, it would let by more than is left.
    """
    rounded = math.floor(epsilon(max(0, left) / NANO, 10.0**-DELTA_EXPONENT) * MICRO)
    return max(rounded, epsilon_micro(asked)) if asked <= left else rounded


def sigma_milli(features: int, epsilon_micro: int, delta_exponent: int = DELTA_EXPONENT) -> int:
    """The least scale at which counts of `features` features in all cost no more than ε.

    `features` is the sum over the participants. Raises DocumentError where no allowed scale does.
    """
    # Each holder's ρ is rounded up by less than 10⁻⁹, and there are at most `features` of them.
    wanted = rho(epsilon_micro / MICRO, 10.0**-delta_exponent) - features / NANO
    scale = math.inf if wanted <= 0 else math.ceil(math.sqrt(features / (2 * wanted)) * MILLI)
    if scale > MOST_SIGMA_MILLI:
        raise DocumentError("epsilon_micro", f"{epsilon_micro} needs too much noise", "give more")
    return max(int(scale), LEAST_SIGMA_MILLI)


def epsilon(rho: float, delta: float) -> float:
    """The least ε for which this conversion gives (ε, δ) from ρ-zCDP:

        ε = min over α > 1 of  αρ + (ln(1/δ) + α·ln(1 − 1/α) − ln(α − 1)) / (α − 1)

    (Canonne, Kamath and Steinke 2020, proposition 12, for a Rényi divergence of αρ; it is below
    the ρ + 2√(ρ·ln(1/δ)) of Bun and Steinke 2016, proposition 1.3). The bound holds at every α,
    so that a search that misses the least is on the safe side.
    """
    if rho == 0:
        return 0.0

    def at(position: float) -> float:
        above = math.exp(position)  # α − 1
        alpha = 1 + above
        # ln(1 − 1/α) = ln(α − 1) − ln α
        shift = -math.log(delta) + alpha * (position - math.log1p(above)) - position
        return alpha * rho + shift / above

    low, high = -15.0, 25.0
    for _ in range(_STEPS):
        step = _GOLDEN * (high - low)
        if at(high - step) < at(low + step):
            high = low + step
        else:
            low = high - step
    return max(0.0, at((low + high) / 2))


def rho(wanted: float, delta: float) -> float:
    """The most ρ whose `epsilon` at δ is no more than wanted, from below."""
    low, high = 0.0, wanted  # ε is above ρ for any δ that is of use
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if epsilon(middle, delta) <= wanted:
            low = middle
        else:
            high = middle
    return low


def _ceil_ratio(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
