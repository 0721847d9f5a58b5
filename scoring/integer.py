"""Rounds a scorecard by integer programming on a sample of firms whose outcome is known.

`scoring.rounding` looks at features one by one: it makes each one's error small and leaves it to
chance whether the errors of features that move together add up, and it strikes off jumps one by
one. Here a field's points are chosen together (`scoring.programme`), for the mean squared error
that the field's sum has on the sample's firms, the good and the bad with half of the weight each,
as in AUC. With δ_i the error of feature i, less its mean, that is

    E[(Σ_i δ_i)²] = Σ_i E[δ_i²] + Σ_i E[δ_i · Σ_{j≠i} δ_j]

The programme needs a cost for each group of bins and level. In the first round that is the first
sum alone; in later rounds the error that the other features had in the round before, averaged
over the firms of the group, counts as well (half of it new each time, or the features would all
mend the same error). Rounds end when the error no longer falls.

Rounds at several steps, and the rounding of `scoring.rounding`, are the candidates of a field.
Those are taken whose AUC and KS on the sample are best together, never with an AUC below that of
`scoring.rounding`. Last, the fields' steps are fitted to the real score, all at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scoring.errors import ScorecardError
from scoring.programme import Groups, Programme
from scoring.quality import auc, ks, rounding_cost
from scoring.rounding import JUMP_SUPPORT, LEVELS, RealPoints, RoundedPoints, round_points

Floats = NDArray[np.float64]
Key = tuple[str, str]
FieldPoints = dict[Key, tuple[int, ...]]
Admits = Callable[[str, FieldPoints], bool]
"""Whether a field may have these points: what policy asks beyond b."""

Memo = dict[tuple[str, bytes], tuple[RoundedPoints, list[FieldPoints]]]
"""Fields that were rounded before, by name and real points: alone, and all candidates."""

ROUNDS: Final = 4
_PUBLISHED: Final = 0.05
"""Weight of the published frequencies besides the sample's, for bins that the sample lacks."""
_LEAST_SHARE: Final = 1e-6
"""Weight of a group that never occurs, so that it still gets its nearest level."""
STEPS: Final = (0.7, 0.8, 0.9, 1.0, 1.15, 1.35, 1.6)
"""Steps tried, as multiples of the one that `scoring.rounding` finds."""
_KS_SHARE: Final = 0.25
"""What KS counts for besides AUC: it hangs on one point of the curve, so it is the noisier."""


@dataclass(frozen=True)
class Sample:
    """Firms with known outcome: each feature's fine bins, shape (firms,), and who defaulted."""

    bins: Mapping[Key, NDArray[np.uint16]]
    bad: NDArray[np.bool_]

    def total(self, points: Mapping[Key, Floats]) -> Floats:
        """The sum of the features' points of each firm, shape (firms,)."""
        total = np.zeros(len(self.bad))
        for key, values in points.items():
            total += values[self.bins[key]]
        return total

    def check(self, features: Sequence[RealPoints]) -> None:
        """Raise ScorecardError unless the sample has bins of every feature."""
        for feature in features:
            where = f"sample: {feature.holder} {feature.feature}"
            bins = self.bins.get(feature.key)
            if bins is None:
                raise ScorecardError(f"{where}: has no column; add it or drop the feature")
            if bins.shape != self.bad.shape:
                raise ScorecardError(f"{where}: give one bin a firm")
            if len(bins) and int(bins.max()) >= len(feature.points):
                raise ScorecardError(f"{where}: a bin beyond {len(feature.points) - 1}; map it")
        auc(np.zeros(len(self.bad)), self.bad)  # refuses a sample of one outcome


def round_by_sample(
    features: Sequence[RealPoints],
    sample: Sample,
    admits: Admits | None = None,
    *,
    levels: int = LEVELS,
    support: int = JUMP_SUPPORT,
    tell: Callable[[str], None] = lambda _: None,
    memo: Memo | None = None,
    target: Floats | None = None,
) -> RoundedPoints:
    """Round every field to policy b so that AUC and KS on the sample stay.

    `admits` says of a field's points whether the rest of policy allows them; `tell` is told of
    each programme solved. Calls that differ in some fields alone may share a `memo`. Steps are
    fitted to `target`, a score of each of the sample's firms, where it is not the features' own.
    Raises ScorecardError as `round_points` does, and for a sample that lacks a feature or an
    outcome.
    """
    sample.check(features)
    memo = {} if memo is None else memo
    choices: dict[str, list[FieldPoints]] = {}
    alone = []
    for field in dict.fromkeys(feature.field for feature in features):
        members = [feature for feature in features if feature.field == field]
        key = field, b"".join(member.points.tobytes() for member in members)
        if key not in memo:
            plain = round_points(members, levels, support)
            found = [dict(plain.points)]
            for multiple in STEPS:
                tell(f"{field} × {multiple:g}")
                step = multiple * plain.steps[field]
                for points in _Rounds(members, sample, step, levels, support):
                    if points not in found and (admits is None or admits(field, points)):
                        found.append(points)
            memo[key] = plain, found
        alone.append(memo[key][0])
        choices[field] = memo[key][1]
    plain = RoundedPoints(
        {key: row for one in alone for key, row in one.points.items()},
        {field: step for one in alone for field, step in one.steps.items()},
        sum(one.offset for one in alone),
    )
    real = target if target is not None else sample.total({f.key: f.points for f in features})
    chosen = _choose(real, sample, choices)
    after, before = (
        rounding_cost(features, r, sample.bins, sample.bad).auc_after for r in (chosen, plain)
    )
    return chosen if after >= before else plain


def _choose(
    real: Floats, sample: Sample, choices: Mapping[str, list[FieldPoints]]
) -> RoundedPoints:
    """The best combination, field by field until nothing gets better; the first ones are plain."""
    sums = {
        field: [_floats(sample, points) for points in found] for field, found in choices.items()
    }
    taken = dict.fromkeys(choices, 0)

    def judged(chosen: Mapping[str, int]) -> tuple[float, float]:
        columns = [sums[field][index] for field, index in chosen.items()]
        steps, _ = _steps(columns, real)
        if (steps <= 0).any():
            return 0.0, 0.0
        scores = np.column_stack(columns) @ steps
        found = auc(scores, sample.bad)
        return found, found + _KS_SHARE * ks(scores, sample.bad)

    least, best = judged(taken)
    while True:
        before = best
        for field, found in sums.items():
            for index in range(len(found)):
                area, value = judged(taken | {field: index})
                if area >= least and value > best:
                    taken[field], best = index, value
        if best == before:
            break
    steps, offset = _steps([sums[field][index] for field, index in taken.items()], real)
    if (steps <= 0).any():
        raise ScorecardError(
            "sample: a field's points fall where the score rises; give a larger sample"
        )
    points = {key: row for f, index in taken.items() for key, row in choices[f][index].items()}
    return RoundedPoints(points, dict(zip(taken, steps.tolist(), strict=True)), offset)


def _floats(sample: Sample, points: FieldPoints) -> Floats:
    return sample.total({key: np.array(row, dtype=np.float64) for key, row in points.items()})


def _steps(columns: Sequence[Floats], real: Floats) -> tuple[Floats, float]:
    """Steps and constant of the least squares fit of the real score by the fields' sums."""
    rows = np.column_stack([*columns, np.ones(len(real))])
    fitted, *_ = np.linalg.lstsq(rows, real, rcond=None)
    return np.asarray(fitted[:-1], dtype=np.float64), float(fitted[-1])


class _Rounds:
    """A field's rounds at one step. Levels, targets and errors are in units of the step."""

    def __init__(
        self, members: Sequence[RealPoints], sample: Sample, step: float, levels: int, support: int
    ) -> None:
        self._groups = [Groups.of(member, step) for member in members]
        self._bins = [g.of_bin[sample.bins[g.feature.key]] for g in self._groups]
        self._weights = np.where(sample.bad, 0.5 / sample.bad.sum(), 0.5 / (~sample.bad).sum())
        self._shares = [
            (1 - _PUBLISHED) * np.bincount(bins, self._weights, len(g.shares))
            + _PUBLISHED * g.shares
            + _LEAST_SHARE
            for g, bins in zip(self._groups, self._bins, strict=True)
        ]
        self._levels, self._support = levels, support

    def __iter__(self) -> Iterator[FieldPoints]:
        """The field's points, round by round while the error falls."""
        chosen = [np.clip(np.rint(g.targets), 0, self._levels - 1) for g in self._groups]
        others = [np.zeros(len(g.targets)) for g in self._groups]
        least = math.inf
        for _ in range(ROUNDS):
            costs = [self._costs(i, row, others[i]) for i, row in enumerate(chosen)]
            solved = Programme(self._groups, costs, self._levels, self._support).solve()
            if solved is None or not any(row.any() for row in solved):
                return
            chosen = [row.astype(np.float64) for row in solved]
            errors = [
                row - g.targets - self._constant(i, row)
                for i, (g, row) in enumerate(zip(self._groups, chosen, strict=True))
            ]
            total = np.zeros(len(self._weights))
            for error, bins in zip(errors, self._bins, strict=True):
                total += error[bins]
            squared = float(self._weights @ total**2)
            if squared >= least:
                return
            least = squared
            yield self._lowest_terms(solved)
            for i, bins in enumerate(self._bins):
                sums = np.bincount(bins, self._weights * (total - errors[i][bins]), len(errors[i]))
                others[i] = (others[i] + sums / self._shares[i]) / 2

    def _constant(self, member: int, chosen: Floats) -> float:
        """What a feature's levels are above its targets, on average."""
        above = chosen - self._groups[member].targets
        return float(np.average(above, weights=self._shares[member]))

    def _costs(self, member: int, chosen: Floats, others: Floats) -> Floats:
        """What each group costs at each level, shape (groups, levels): its own squared error,
        and twice its product with the error that the other features have there.
        """
        targets, shares = self._groups[member].targets, self._shares[member]
        error = np.arange(self._levels) - targets[:, None] - self._constant(member, chosen)
        return np.asarray(shares[:, None] * (error**2 + 2 * error * others[:, None]))

    def _lowest_terms(self, solved: Sequence[NDArray[np.int64]]) -> FieldPoints:
        factor = math.gcd(*(value for row in solved for value in row.tolist()))
        return {
            g.feature.key: tuple((row[g.of_bin] // factor).tolist())
            for g, row in zip(self._groups, solved, strict=True)
        }
