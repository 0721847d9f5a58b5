"""Records as a bank would see them, sampled for each class of each variable.

For every class of every variable some firms in that class are drawn: pattern and factor given the
class, the other variables given these. So the mean over a class's records is an expectation given
that class, and rare classes have records enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federation.policy.population import GRID, WEIGHTS, Floats
from federation.policy.views import Component, Integers, Patterns, Sight, Variable

FEWEST_DRAWS: Final = 48
"""Records of each class at least, however rare it is."""


@dataclass(frozen=True, slots=True)
class Records:
    """Sampled records: who they are for, their cells in each component, and what else shows."""

    owner: Integers
    drawn: Integers
    cells: tuple[Integers, ...]
    """A table (records, views) for each component."""
    group: Integers
    public: Floats
    """Shape (records, grid, holders): likelihood of the public bins where the holder knows."""
    absent: NDArray[np.bool_]
    """Shape (records, holders): whether all its public bins are missing."""


def _draws(chances: Floats, draws: int) -> Integers:
    """Records of each class: by the root of its probability, and some of the rarest."""
    shares = np.sqrt(chances)
    wanted = np.maximum(FEWEST_DRAWS, np.round(draws * shares / shares.sum()))
    return np.where(chances > 0, wanted, 0).astype(np.int64)


def draw_records(
    seen: Sight,
    parts: Sequence[Component],
    found: Patterns,
    draws: int,
    rng: np.random.Generator,
) -> Records:
    """Records of every class of every variable: about `draws` a variable, most of common ones."""
    owners, classes, factors, pattern = [], [], [], []
    for number, variable in enumerate(seen.variables):
        weights = _joint(variable, found)
        chances = weights.sum(axis=(0, 1))
        for chosen, count in enumerate(_draws(chances, draws)):
            if count:
                table = weights[:, :, chosen].ravel() / chances[chosen]
                picked = rng.choice(len(table), size=count, p=table)
                owners += [number] * int(count)
                classes += [chosen] * int(count)
                pattern.append(picked // len(GRID))
                factors.append(picked % len(GRID))
    owner, drawn = np.array(owners), np.array(classes)
    which, factor = np.concatenate(pattern), np.concatenate(factors)
    known = found.known[which]
    points = []
    for number, variable in enumerate(seen.variables):
        fallen = _fallen(variable.given, factor, rng)
        fallen = np.where(known[:, variable.holder], fallen, variable.missing)
        points.append(variable.points[np.where(owner == number, drawn, fallen)])
    cells = []
    for part in parts:
        table = np.zeros((len(owner), len(part.views)), dtype=np.int64)
        for number in part.variables:
            variable = seen.variables[number]
            for place, view in enumerate(variable.views):
                table[:, part.views.index(view)] += points[number][:, place]
        cells.append(table)
    public = np.ones((len(owner), len(GRID), len(seen.holders)))
    absent = np.ones((len(owner), len(seen.holders)), dtype=np.bool_)
    for feature in seen.public:
        bins = _fallen(feature.given, factor, rng)
        bins = np.where(known[:, feature.holder], bins, 0)
        public[:, :, feature.holder] *= feature.given[:, bins].T
        absent[:, feature.holder] &= bins == 0
    return Records(owner, drawn, tuple(cells), found.group[which], public, absent)


def _joint(variable: Variable, found: Patterns) -> Floats:
    """Shape (patterns, grid, classes): the probability of pattern, factor and class."""
    known = found.known[:, variable.holder]
    absent = np.zeros_like(variable.given)
    absent[:, variable.missing] = 1.0
    table = np.where(known[:, None, None], variable.given, absent)
    return np.asarray(found.chances[:, None, None] * WEIGHTS[:, None] * table)


def _fallen(given: Floats, factor: Integers, rng: np.random.Generator) -> Integers:
    """A class for each record by its factor; `given` has shape (grid, classes)."""
    ends = np.cumsum(given, axis=1)[:, :-1]
    return np.asarray((rng.random(len(factor))[:, None] > ends[factor]).sum(axis=1))
