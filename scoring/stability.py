"""Score distributions, and how far one has moved from another: the population stability index.

PSI = Σ_b (p_b − q_b) · ln(p_b / q_b) over the classes b of a distribution, p the later shares and
q those at development (Siddiqi, *Credit Risk Scorecards*, 2006, ch. 9; it is the symmetrised
Kullback-Leibler divergence, Jeffreys 1946). By convention below 0.1 is stable, from 0.25 the
population has changed; neither is a test. With n and m firms and no change at all PSI is about
(B − 1)(1/n + 1/m) for B classes (Yurdakul and Naranjo 2020): with few firms a figure above 0.1
means nothing, so that chance level is given beside it.

A class that is empty on one side has no logarithm. Half a firm is added to every class of both
sides, as in weights of evidence; what a class of one firm adds then depends on how many there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from scoring.documents import Document
from scoring.errors import ScorecardError, ScoringError
from scoring.profile import GRADES
from scoring.scored import Scored

FORMAT: Literal["yinxin-distribution/1"] = "yinxin-distribution/1"
STABLE: Final = 0.10
CHANGED: Final = 0.25
TENTHS: Final = 10

Counts = tuple[int, ...]
Integers = NDArray[np.int64]


class FieldCounts(Document):
    """How many firms have each value of a field, from 0 to its maximum."""

    name: str
    counts: tuple[int, ...]

    @property
    def mean(self) -> float:
        """The mean value, in units of the field; 0 where there is no firm."""
        return float(np.average(np.arange(len(self.counts)), weights=self.counts))


class Distribution(Document):
    """How a model's scores lay over some firms: counts only, no firm stands in it."""

    error: ClassVar[type[ScoringError]] = ScorecardError

    format: Literal["yinxin-distribution/1"] = FORMAT
    model: str
    """`name@version` of the scorecard."""
    firms: int = Field(ge=1)
    cuts: tuple[int, ...] = Field(min_length=1)
    """Scores at which the classes of `scores` begin, but for the lowest; rising."""
    scores: Counts
    """Firms by class of score, one more than cuts."""
    grades: Counts
    """Firms by grade, the best first."""
    coverage: Counts
    """Firms by the number of holders that knew them, from 0."""
    fields: tuple[FieldCounts, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if list(self.cuts) != sorted(set(self.cuts)):
            raise ValueError("cuts: must rise; sort them and drop repeats")
        if len(self.scores) != len(self.cuts) + 1 or len(self.grades) != len(GRADES):
            raise ValueError(f"scores, grades: give {len(self.cuts) + 1} and {len(GRADES)} counts")
        for counts in (self.scores, self.grades, self.coverage, *(f.counts for f in self.fields)):
            if min(counts, default=-1) < 0 or sum(counts) != self.firms:
                raise ValueError(f"counts: each list has to add up to {self.firms} firms")
        return self

    def field(self, name: str) -> FieldCounts:
        """The counts of a field; raises ScorecardError where there are none."""
        for counts in self.fields:
            if counts.name == name:
                return counts
        raise ScorecardError(f"distribution of {self.model}: has no field {name!r}")


def tenths(scores: Integers) -> tuple[int, ...]:
    """Cuts that part the scores into ten classes, or fewer where many firms have one score."""
    shares = np.arange(1, TENTHS) / TENTHS
    cuts = sorted({int(cut) for cut in np.quantile(scores, shares, method="higher")})
    return tuple(cut for cut in cuts if cut > int(scores.min())) or (int(scores.max()) + 1,)


def distribution_of(
    model: str, scored: Scored, maxima: Mapping[str, int], holders: int, cuts: Sequence[int] = ()
) -> Distribution:
    """The distribution of scored firms; without `cuts` its classes are tenths of these firms.

    `maxima` gives each field's largest value, `holders` the number of participants. Raises
    ScorecardError without firms.
    """
    if not len(scored.scores):
        raise ScorecardError("distribution: there is no firm to count")
    edges = tuple(cuts) or tenths(scored.scores)
    lowest = [least for least, _ in reversed(GRADES)][1:]
    return Distribution(
        model=model,
        firms=len(scored.scores),
        cuts=edges,
        scores=_classes(scored.scores, edges),
        grades=_classes(scored.scores, lowest)[::-1],
        coverage=_values(scored.coverage, holders),
        fields=tuple(
            FieldCounts(name=name, counts=_values(scored.fields[name], maximum))
            for name, maximum in maxima.items()
        ),
    )


def _classes(scores: Integers, cuts: Sequence[int]) -> Counts:
    index = np.searchsorted(np.array(cuts), scores, side="right")
    return tuple(np.bincount(index, minlength=len(cuts) + 1).tolist())


def _values(values: Integers, maximum: int) -> Counts:
    return tuple(np.bincount(values, minlength=maximum + 1).tolist())


class Drift(Document):
    """PSI of one distribution against another, and what chance alone would give."""

    psi: float = Field(ge=0)
    by_chance: float = Field(ge=0)
    verdict: Literal["stable", "moving", "changed"]
    """By the conventions 0.1 and 0.25; no more than `by_chance` explains counts as stable."""


def drift(later: Sequence[int], earlier: Sequence[int]) -> Drift:
    """The drift of counts by class, shape (classes,) each.

    Raises ScorecardError for lists of other lengths or without firms.
    """
    p, q = np.array(later, dtype=np.float64), np.array(earlier, dtype=np.float64)
    if p.shape != q.shape or p.sum() <= 0 or q.sum() <= 0:
        raise ScorecardError("distributions: give counts of the same classes, with firms in both")
    chance = (len(p) - 1) * (1 / p.sum() + 1 / q.sum())
    p, q = p + 0.5, q + 0.5
    p, q = p / p.sum(), q / q.sum()
    # Each term is of one sign; the sum can only fall below 0 by rounding.
    psi = max(float(np.sum((p - q) * np.log(p / q))), 0.0)
    verdict: Literal["stable", "moving", "changed"] = "stable"
    if psi >= STABLE and psi > 2 * chance:
        verdict = "changed" if psi >= CHANGED else "moving"
    return Drift(psi=psi, by_chance=chance, verdict=verdict)


def grouped(counts: Sequence[int], reference: Sequence[int], groups: int = TENTHS) -> Counts:
    """Counts by value, gathered into at most `groups` classes of about equal reference counts.

    A field may have fifty values: of so many classes most would be nearly empty.
    """
    total, classes = sum(reference), np.zeros(len(counts), dtype=np.int64)
    below = np.concatenate([[0], np.cumsum(reference)[:-1]])
    classes = np.minimum(below * groups // max(total, 1), groups - 1).astype(np.int64)
    _, index = np.unique(classes, return_inverse=True)
    return tuple(np.bincount(index, weights=counts).astype(np.int64).tolist())
