"""The integer programme that gives a field's features their levels: policy b by construction.

A feature's *groups* are its bins of equal real points, in rising order; the target of a group is
(value - lowest value) / step. A path through the groups, from level 0 up and never down, gives
each its level, within two of its target. The variables lie within 0 and 1: one for each *arc*, a
step of a path from a group at one level to the next group at its level, whole; `used[j]`, whole,
which an arc that jumps by j needs; and `helps[i, j]`, at most the number of arcs by j of a
non-public feature i. That at least `support` features help each used jump is the one constraint
between features. The cost of a level of a group is given; the sum is the least.

Built as sparse matrices and solved by HiGHS through `scipy.optimize.milp` (scipy is in the extra
`models`), up to a number of nodes and not of seconds, so that the result is every machine's.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scoring.errors import ScorecardError
from scoring.rounding import RealPoints

Floats = NDArray[np.float64]

NODES: Final = 60
"""Branches that the solver may look at: a limit that every machine reaches alike."""
_WINDOW: Final = 2
_GAP: Final = 0.001


@dataclass(frozen=True)
class Groups:
    """A feature's groups of bins of equal real points, in rising order of points.

    `of_bin` has shape (bins,): each bin's group; `targets` and `shares` have shape (groups,).
    Targets are levels, unrounded: the lowest group is at 0.
    """

    feature: RealPoints
    of_bin: NDArray[np.int64]
    targets: Floats
    shares: Floats

    @staticmethod
    def of(feature: RealPoints, step: float) -> Groups:
        """The groups of a feature, with targets at a step of score points a level."""
        values, of_bin = np.unique(feature.points, return_inverse=True)
        shares = np.bincount(of_bin, weights=feature.frequencies) / feature.frequencies.sum()
        return Groups(feature, of_bin, (values - values[0]) / step, shares)

    def allowed(self, levels: int) -> list[range]:
        """The levels that each group may have: near its target, the lowest group at 0."""
        found = [range(1)]
        for target in self.targets[1:]:
            near = min(math.floor(target), levels - 1)
            found.append(range(max(near - _WINDOW + 1, 0), min(near + _WINDOW, levels - 1) + 1))
        return found


@dataclass
class _Rows:
    """Linear constraints low ≤ row · x ≤ high, collected as a sparse matrix's triplets."""

    cells: list[tuple[int, int, float]] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def add(self, row: Sequence[tuple[int, float]], low: float, high: float) -> None:
        self.cells.extend((len(self.low), column, value) for column, value in row)
        self.low.append(low)
        self.high.append(high)


@dataclass(frozen=True)
class _Arc:
    """One step of a path: feature's group `gap` at level `low`, the next group at `high`."""

    member: int
    gap: int
    low: int
    high: int


class Programme:
    """One field's programme. Variables in order: one an arc; `used`, one a jump; `helps`."""

    def __init__(
        self, members: Sequence[Groups], costs: Sequence[Floats], levels: int, support: int
    ) -> None:
        """`costs` has shape (groups, levels) for each member."""
        self._members, self._levels, self._support = members, levels, support
        self._arcs = [
            _Arc(i, gap, low, high)
            for i, groups in enumerate(members)
            for gap, (here, there) in enumerate(itertools.pairwise(groups.allowed(levels)))
            for low in here
            for high in there
            if high >= low
        ]
        self._used = len(self._arcs)
        self._helps_at = self._used + levels - 1
        own = [i for i, groups in enumerate(members) if not groups.feature.public]
        self._helps = {
            pair: self._helps_at + n
            for n, pair in enumerate(itertools.product(own, range(1, levels)))
        }
        self._rows = _Rows()
        self._cost = np.zeros(self._helps_at + len(self._helps))
        self._add_paths(costs)
        self._add_jumps()

    def _add_paths(self, costs: Sequence[Floats]) -> None:
        nodes: dict[tuple[int, int, int], list[tuple[int, float]]] = {}
        for n, arc in enumerate(self._arcs):
            groups = self._members[arc.member]
            nodes.setdefault((arc.member, arc.gap, arc.low), []).append((n, 1.0))
            if arc.gap + 1 < len(groups.targets) - 1:
                nodes.setdefault((arc.member, arc.gap + 1, arc.high), []).append((n, -1.0))
            self._cost[n] = costs[arc.member][arc.gap + 1, arc.high]
        for (_, gap, _), row in nodes.items():
            # What flows into a node flows out of it; a path starts in the lowest group's.
            inflow = 1.0 if gap == 0 else 0.0
            self._rows.add(row, inflow, inflow)

    def _add_jumps(self) -> None:
        by_gap: dict[tuple[int, int, int], list[tuple[int, float]]] = {}
        by_member: dict[tuple[int, int], list[tuple[int, float]]] = {}
        for n, arc in enumerate(self._arcs):
            jump = arc.high - arc.low
            if jump:
                by_gap.setdefault((arc.member, arc.gap, jump), []).append((n, 1.0))
                by_member.setdefault((arc.member, jump), []).append((n, 1.0))
        for (_, _, jump), row in by_gap.items():
            self._rows.add([*row, (self._used + jump - 1, -1.0)], -math.inf, 0)
        for (member, jump), column in self._helps.items():
            uses = [(n, -1.0) for n, _ in by_member.get((member, jump), [])]
            self._rows.add([(column, 1.0), *uses], -math.inf, 0)
        for jump in range(1, self._levels):
            helpers = [(column, 1.0) for (_, j), column in self._helps.items() if j == jump]
            needed = (self._used + jump - 1, -float(self._support))
            self._rows.add([*helpers, needed], 0, math.inf)

    def solve(self) -> list[NDArray[np.int64]] | None:
        """Each member's level a group, or None where no solution was found within the nodes.

        Raises ScorecardError where scipy is not installed.
        """
        try:
            from scipy.optimize import Bounds, LinearConstraint, milp
            from scipy.sparse import coo_array
        except ImportError as failure:
            raise ScorecardError(
                "sample: rounding by it takes scipy; install the extra `models`, or leave it out"
            ) from failure

        row, column, value = zip(*self._rows.cells, strict=True)
        shape = (len(self._rows.low), len(self._cost))
        matrix: Any = coo_array((value, (row, column)), shape=shape).tocsr()
        whole = np.zeros(len(self._cost))
        whole[: self._helps_at] = 1
        found = milp(
            self._cost,
            integrality=whole,
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(matrix, self._rows.low, self._rows.high),
            options={"node_limit": NODES, "mip_rel_gap": _GAP},
        )
        return None if found.x is None else self._levels_of(found.x)

    def _levels_of(self, solution: Floats) -> list[NDArray[np.int64]]:
        by_group = [np.zeros(len(groups.targets), dtype=np.int64) for groups in self._members]
        for n, arc in enumerate(self._arcs):
            if solution[n] > 0.5:
                by_group[arc.member][arc.gap + 1] = arc.high
        return by_group
