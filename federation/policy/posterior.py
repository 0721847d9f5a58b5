"""What a record tells of each feature: exact posteriors, on records sampled for each class.

For a record, a variable i and a class c of it,

    P(c, record) = Σ_z w(z) Σ_k π(k) · U(z, k) · P_i(c | z, k) · L_i(s − v_c | z, k) · Π_C L_C(z, k)

over the values z of the factor and the patterns k of holders that know the firm and give the
record's coverage; U is what the public features say, L_i the distribution of the component of i
without i, s this component's views, v_c what class c adds to them, L_C(z, k) the likelihood of the
views of every other component. Each L is a convolution of its
variables' distributions, made exactly by discrete Fourier transforms that are longer than the
largest sum. The sums are finite and nothing in them is sampled; what is sampled is the expectation
over records (`federation.policy.records`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federation.policy.population import GRID, WEIGHTS, Floats
from federation.policy.records import Records, draw_records
from federation.policy.views import Component, Integers, Patterns, Sight, Variable

_CHUNK: Final = 2048
"""Records that are worked on at once, for memory's sake."""

Transform = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Posterior:
    """What records tell of one variable.

    `drawn`, shape (records,), has the class that the record's firm is in; `told`, shape (records,
    classes), the probability of each class given the record.
    """

    drawn: Integers
    told: Floats


def posteriors(
    seen: Sight,
    parts: Sequence[Component],
    found: Patterns,
    draws: int,
    rng: np.random.Generator,
) -> tuple[Posterior, ...]:
    """The posterior of every variable on records drawn for each of its classes."""
    records = draw_records(seen, parts, found, draws, rng)
    likelihoods = [
        _Likelihood(seen, part, found, records.cells[number]) for number, part in enumerate(parts)
    ]
    told: dict[int, Posterior] = {}
    for likelihood in likelihoods:
        others = [other for other in likelihoods if other is not likelihood]
        told |= likelihood.posteriors(records, others)
    return tuple(told[i] for i in range(len(seen.variables)))


class _Likelihood:
    """The distribution of one component's views, by factor and pattern, at the records' cells."""

    def __init__(self, seen: Sight, part: Component, found: Patterns, cells: Integers) -> None:
        self._seen, self._part, self._found, self._cells = seen, part, found, cells
        self._variables = [seen.variables[i] for i in part.variables]
        self._vectors = [self._placed(variable) for variable in self._variables]
        holders = sorted({variable.holder for variable in self._variables})
        # Patterns that agree on the component's holders have one distribution.
        self._subs, self._sub_of = np.unique(found.known[:, holders], axis=0, return_inverse=True)
        self._place = [holders.index(variable.holder) for variable in self._variables]
        values, self._value_of = np.unique(self._flat(cells), return_inverse=True)
        self._table = np.empty((len(values), len(self._subs), len(GRID)))
        for z in range(len(GRID)):
            transforms = self._transforms(z)
            for sub, known in enumerate(self._subs):
                product = np.prod(self._chosen(transforms, known), axis=0)
                self._table[:, sub, z] = self._back(product).ravel()[values]

    def at(self, rows: Integers, patterns: Integers) -> Floats:
        """Shape (rows, patterns, grid): the likelihood of these records under these patterns."""
        return self._table[self._value_of[rows][:, None], self._sub_of[patterns]]

    def posteriors(self, records: Records, others: Sequence[_Likelihood]) -> dict[int, Posterior]:
        """The posteriors of this component's variables on the records drawn for them."""
        mine = [np.flatnonzero(records.owner == i) for i in self._part.variables]
        # Cells before a class was added. Transforms are so long that where a sum would be negative
        # the remainder lies beyond the largest sum of the others, and has probability 0.
        before = [
            self._flat((self._cells[rows][:, None, :] - vectors) % self._part.shape)
            for rows, vectors in zip(mine, self._vectors, strict=True)
        ]
        weights = [self._weights(records, rows, others) for rows in mine]
        sums = [np.zeros(table.shape) for table in before]
        for z in range(len(GRID)):
            transforms = self._transforms(z)
            for sub, known in enumerate(self._subs):
                chosen = self._chosen(transforms, known)
                for i, rest in enumerate(_all_but_one(chosen)):
                    used = np.flatnonzero(weights[i][:, sub, z])
                    if not len(used):
                        continue
                    weight, without = weights[i][used, sub, z], self._back(rest).ravel()
                    variable = self._variables[i]
                    if known[self._place[i]]:
                        told = without[before[i][used]] * variable.given[z]
                        sums[i][used] += weight[:, None] * told
                    else:
                        column = variable.missing
                        sums[i][used, column] += weight * without[before[i][used, column]]
        return {
            number: Posterior(records.drawn[rows], table / table.sum(axis=1, keepdims=True))
            for number, rows, table in zip(self._part.variables, mine, sums, strict=True)
        }

    def _weights(self, records: Records, rows: Integers, others: Sequence[_Likelihood]) -> Floats:
        """Shape (rows, patterns of the component, grid): all but the component's own likelihood."""
        weights = np.zeros((len(rows), len(self._subs), len(GRID)))
        for group in np.unique(self._found.group):
            patterns = np.flatnonzero(self._found.group == group)
            inside = np.flatnonzero(records.group[rows] == group)
            for start in range(0, len(inside), _CHUNK):
                part = inside[start : start + _CHUNK]
                rest = _beside(self._seen, self._found, records, rows[part], patterns)
                for other in others:
                    rest *= other.at(rows[part], patterns)
                for place, sub in enumerate(self._sub_of[patterns]):
                    weights[part, sub] += rest[:, place]
        return weights

    def _flat(self, cells: Integers) -> Integers:
        flat = np.ravel_multi_index(tuple(np.moveaxis(cells, -1, 0)), self._part.shape)
        return np.asarray(flat, dtype=np.int64)

    def _placed(self, variable: Variable) -> Integers:
        """The variable's points in the component's views, 0 where it is in none."""
        vectors = np.zeros((len(variable.points), len(self._part.views)), dtype=np.int64)
        for place, view in enumerate(variable.views):
            vectors[:, self._part.views.index(view)] += variable.points[:, place]
        return vectors

    def _transforms(self, z: int) -> list[tuple[Transform, Transform]]:
        """The transforms of each variable, unknown and known, at one value of the factor."""
        found = []
        for variable, vectors in zip(self._variables, self._vectors, strict=True):
            known, unknown = np.zeros(self._part.shape), np.zeros(self._part.shape)
            np.add.at(known, tuple(vectors.T), variable.given[z])
            unknown[tuple(vectors[variable.missing])] = 1.0
            found.append((np.fft.rfftn(unknown), np.fft.rfftn(known)))
        return found

    def _chosen(
        self,
        transforms: Sequence[tuple[Transform, Transform]],
        known: NDArray[np.bool_],
    ) -> list[Transform]:
        return [
            pair[int(known[place])] for pair, place in zip(transforms, self._place, strict=True)
        ]

    def _back(self, transform: Transform) -> Floats:
        axes = tuple(range(len(self._part.shape)))
        return np.fft.irfftn(transform, s=self._part.shape, axes=axes).clip(0.0)


def _beside(
    seen: Sight, found: Patterns, records: Records, rows: Integers, patterns: Integers
) -> Floats:
    """Shape (rows, patterns, grid): the chance of pattern and factor, and of the public bins."""
    rest = np.broadcast_to(
        found.chances[patterns][:, None] * WEIGHTS, (len(rows), len(patterns), len(GRID))
    ).copy()
    for holder in {feature.holder for feature in seen.public}:
        known = found.known[patterns, holder]
        rest *= np.where(
            known[None, :, None],
            records.public[rows][:, None, :, holder],
            records.absent[rows][:, None, None, holder],
        )
    return rest


def _all_but_one(factors: Sequence[Transform]) -> list[Transform]:
    """The products of all factors but each one, without dividing."""
    after = [np.ones_like(factors[0])]
    for factor in reversed(factors[1:]):
        after.append(after[-1] * factor)
    products, before = [], np.ones_like(factors[0])
    for factor, rest in zip(factors, reversed(after), strict=True):
        products.append(before * rest)
        before = before * factor
    return products
