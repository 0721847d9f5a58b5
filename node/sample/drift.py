"""What the holders knew of the same firms a month before.

Firms are a month younger. Amounts and ratios drift: they lie a little off this month's, towards
those of a second draw for the same firm. Counts, grades and flags mostly stay; a few are those of
the second draw. Most bins of the catalogue are the same in both months.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from node.sample.holders import HOLDERS, Columns
from node.sample.population import Population

_DRIFT: Final = 0.25
"""How far an amount lies on the way to the second draw at most; the mean is half."""
_CHANGES: Final = 0.08
"""Share of the firms whose count, grade or flag is that of the second draw."""
_SECOND: Final = 1 << 40
"""Added to the seed for the second draw; seeds that people give are smaller."""


def month_before(kind: str, firms: Population) -> tuple[Columns, Population]:
    """The holder's columns a month before the sample's, and the firms as they were then."""
    return before(kind, firms, 1.0)


def before(kind: str, firms: Population, months: float) -> tuple[Columns, Population]:
    """The same some months before, at most four; of fractions of a month too, as all lies on one
    way from then to now.
    """
    younger = replace(firms, age_months=np.maximum(firms.age_months - round(months), 0))
    now = HOLDERS[kind](younger)
    other = HOLDERS[kind](replace(younger, seed=firms.seed + _SECOND))
    rng = younger.stream(200 + list(HOLDERS).index(kind))
    columns = {name: _moved(now[name], other[name], rng, months) for name in now}
    columns |= {name: younger.age_months for name in columns if name == "months_since_founding"}
    return columns, younger


def _moved(
    now: NDArray[Any], other: NDArray[Any], rng: np.random.Generator, months: float
) -> NDArray[Any]:
    changed = np.where(rng.random(len(now)) < _CHANGES * months, other, now)
    if now.dtype != np.float64:
        return changed
    # Nothing owed is no small amount owed: to and from exactly 0 an amount jumps.
    nothing = (now == 0) | (other == 0)
    drifted = now + _DRIFT * months * rng.random(len(now)) * (other - now)
    return np.where(nothing, changed, drifted)
