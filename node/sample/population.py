"""The hidden state of generated firms, from which every holder's file follows.

A firm has a quality that nobody observes. It shows through four conditions (tax
discipline, trade, staff, energy), each correlated with it, so that holders confirm one
another without repeating one another. Sector and size shift levels; age, sector and the
conditions drive default.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

DEFAULT_RATE: Final = 0.10
_CONDITIONS: Final = 4
_LOADING: Final = 0.6  # correlation of a condition with quality
_NOISE_RISK: Final = 0.5  # what makes firms default that no holder can see


@dataclass(frozen=True)
class Sector:
    """A GB/T 4754 section: share of firms, trade word and shifts (log, or logit of risk)."""

    letter: str
    trade: str
    share: float
    revenue: float
    staff: float
    energy: float
    risk: float


SECTORS: Final = (
    Sector("A", "农业科技", 0.04, -0.3, 0.1, -0.2, 0.10),
    Sector("C", "机械制造", 0.22, 0.4, 0.5, 1.2, -0.10),
    Sector("E", "建筑工程", 0.10, 0.5, 0.4, -0.3, 0.25),
    Sector("F", "商贸", 0.28, 0.3, -0.4, -0.8, 0.10),
    Sector("G", "物流", 0.06, 0.1, 0.2, 0.2, 0.05),
    Sector("H", "餐饮管理", 0.07, -0.5, 0.4, 0.5, 0.35),
    Sector("I", "信息技术", 0.08, -0.1, 0.2, -0.5, -0.25),
    Sector("L", "商务服务", 0.07, -0.4, -0.1, -0.9, 0.00),
    Sector("M", "技术服务", 0.06, -0.2, 0.1, -0.6, -0.30),
    Sector("O", "生活服务", 0.02, -0.8, 0.0, 0.0, 0.15),
)


@dataclass(frozen=True)
class Population:
    """Arrays of shape (firms,); conditions and size are standard normal or close to it."""

    seed: int
    sector: NDArray[np.int64]
    quality: Floats
    age_months: NDArray[np.int64]
    size: Floats
    revenue_yuan: Floats
    staff: NDArray[np.int64]
    tax: Floats
    trade: Floats
    people: Floats
    energy: Floats
    thin: Floats
    probability: Floats
    default: Flags

    @property
    def firms(self) -> int:
        """Number of firms."""
        return len(self.quality)

    def part(self, rows: NDArray[np.int64], seed: int) -> Population:
        """Return the firms of `rows` as another region's holders see them: with draws of `seed`."""
        arrays = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "seed"}
        return Population(seed=seed, **arrays)

    def shift(self, name: str) -> Floats:
        """Return the sector's shift `name` (revenue, staff, energy, risk) of every firm."""
        return np.array([getattr(s, name) for s in SECTORS], dtype=np.float64)[self.sector]

    def stream(self, label: int) -> np.random.Generator:
        """Return the random stream `label`; a holder's draws do not move another's."""
        return np.random.default_rng([self.seed, 100 + label])


def population(firms: int, seed: int) -> Population:
    """Draw `firms` firms; the same (firms, seed) gives the same firms."""
    rng = np.random.default_rng([seed, 3])
    quality = rng.standard_normal(firms)
    sector = rng.choice(len(SECTORS), firms, p=[s.share for s in SECTORS]).astype(np.int64)
    conditions = _LOADING * quality + np.sqrt(1 - _LOADING**2) * rng.standard_normal(
        (_CONDITIONS, firms)
    )
    tax, trade, people, energy = conditions
    ageing = rng.standard_normal(firms)
    age = np.clip(np.exp(4.0 + 0.75 * ageing + 0.10 * quality), 6, 240).astype(np.int64)
    size = 0.9 * rng.standard_normal(firms) + 0.25 * quality + 0.3 * ageing
    levels = {n: np.array([getattr(s, n) for s in SECTORS])[sector] for n in ("revenue", "staff")}
    revenue = np.clip(np.exp(np.log(4e6) + levels["revenue"] + 0.9 * size), 5e5, 3e7)
    staff = np.clip(
        np.exp(2.0 + levels["staff"] + 0.7 * size + 0.3 * rng.standard_normal(firms)), 1, 100
    )
    risk = (
        -0.35 * quality
        - 0.36 * (tax + trade + people + energy)
        - 0.3 * ageing
        - 0.25 * size
        + np.array([s.risk for s in SECTORS])[sector]
        + _NOISE_RISK * rng.standard_normal(firms)
    )
    probability = _calibrated(risk)
    return Population(
        seed=seed,
        sector=sector,
        quality=quality,
        age_months=age,
        size=size,
        revenue_yuan=revenue,
        staff=staff.astype(np.int64),
        tax=tax,
        trade=trade,
        people=people,
        energy=energy,
        thin=0.5 * rng.standard_normal(firms) - 0.4 * size - 0.3 * ageing,
        probability=probability,
        default=rng.random(firms) < probability,
    )


def _calibrated(risk: Floats) -> Floats:
    """Return probabilities of default with mean DEFAULT_RATE, by bisection on the intercept."""
    low, high = -30.0, 30.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        if risk.size and (1 / (1 + np.exp(-risk - middle))).mean() > DEFAULT_RATE:
            high = middle
        else:
            low = middle
    return np.asarray(1 / (1 + np.exp(-risk - low)), dtype=np.float64)
