"""Rule c: no combination of everything certified before and now tells of four features alone.

A bank that holds records of one firm under several scorecards can add and subtract their fields:
R3 − R1 − R2 + R0 isolated one feature where all six pairwise differences passed (a tracker:
Denning, Denning and Schwartz 1979). So the fields are stacked as rows of one matrix, whose
columns are the bins of every non-public feature of every holder, less the feature's commonest
bin (the constant is known). A combination of fields is a vector of the row space; it tells of the
features in whose columns it is not 0. The rule: no vector of the row space but 0 lives on the
columns of at most four features. That is so exactly if deleting the columns of any four features
never lowers the rank: the vectors that deleting takes to 0 are those that live on them.

Fields of withdrawn and expired scorecards, of affiliates and of open scorecards are rows like
others: the records that were asked with them stay with whoever asked.

The search. Call features an *information set* if no vector but 0 vanishes on them all. A vector on
few features meets each information set in at least one of them, so five disjoint information sets
prove the rule at once. Otherwise one of them is branched on: the vector is not 0 on its first
feature, or is 0 there and not on the second, and so on, at most four deep. All of this is done
modulo a random prime (`federation.policy.linear`).

Bins that hardly any firm is in are no cover: if a difference tells of one feature for all firms but
those in rare bins of others, it tells of that feature. So the search is done once more on common
bins alone: of each feature the rarest bins, `RARE` of all firms together, are left out. There a
vector counts that takes fields of several scorecards; what fields of one tell is for rule d, which
has the frequencies. Last, by size: no feature has too much of any combination of two scorecards
that rule d does not judge together (`federation.policy.dominance`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from federation.policy.dominance import dominating
from federation.policy.linear import Matrix, independent, random_prime, rank, reduced, vanishing
from federation.policy.report import PolicyItem
from federation.policy.stacking import Feature, Stack, stack
from federation.policy.submission import Submission
from scoring.documents import Text

MOST_SETS: Final = 12
"""Sets that a report lists; more say nothing more."""


@dataclass
class _Search:
    stack: Stack
    most: int
    prime: int
    together: bool = False
    """Count only what takes fields of several scorecards."""
    found: list[tuple[Feature, ...]] = field(default_factory=list)

    def run(self) -> list[tuple[Feature, ...]]:
        basis, _ = reduced(self.stack.matrix, self.prime)
        if len(basis):
            self._descend(basis, ())
        return self.found

    def _descend(self, basis: Matrix, chosen: tuple[Feature, ...]) -> None:
        """Find vectors in the span of `basis` on `chosen` and at most so many more features."""
        if len(self.found) >= MOST_SETS or any(set(s) <= set(chosen) for s in self.found):
            return
        outside = [key for key in self.stack.columns if key not in chosen]
        elsewhere = _columns(self.stack, outside)
        if rank(basis[:, elsewhere], self.prime) < len(basis):
            if self._counts(chosen):
                self.found.append(self._smallest(chosen))
                return
            # What lives here is of single scorecards: look on for what takes several, beside it.
            basis = independent(basis, elsewhere, self.prime)
            if not len(basis):
                return
        left = self.most - len(chosen)
        if left == 0:
            return
        sets = self._information_sets(basis, outside, left + 1)
        if len(sets) > left:
            return
        remaining = basis
        for key in min(sets, key=len):
            self._descend(remaining, (*chosen, key))
            remaining = vanishing(remaining, self.stack.columns[key], self.prime)
            if not len(remaining):
                return

    def _information_sets(
        self, basis: Matrix, features: Sequence[Feature], most: int
    ) -> list[list[Feature]]:
        """Disjoint information sets for the span of `basis`, up to `most`."""
        sets: list[list[Feature]] = []
        unused = list(features)
        while len(sets) < most:
            chosen: list[Feature] = []
            remaining = basis
            for key in unused:
                smaller = vanishing(remaining, self.stack.columns[key], self.prime)
                if len(smaller) < len(remaining):
                    chosen.append(key)
                    remaining = smaller
                if not len(remaining):
                    break
            if len(remaining):
                break
            sets.append(chosen)
            unused = [key for key in unused if key not in chosen]
        return sets

    def _counts(self, features: Sequence[Feature]) -> bool:
        """Whether something lives on these features that counts."""
        if not lost(self.stack, features, self.prime):
            return False
        return not self.together or _takes_several(self.stack, features, self.prime)

    def _smallest(self, chosen: tuple[Feature, ...]) -> tuple[Feature, ...]:
        for key in chosen:
            fewer = tuple(other for other in chosen if other != key)
            if self._counts(fewer):
                return self._smallest(fewer)
        return tuple(sorted(chosen))


def _takes_several(stacked: Stack, features: Sequence[Feature], prime: int) -> bool:
    """Whether what lives on these features is more than what single scorecards have there."""
    outside = _columns(stacked, [key for key in stacked.columns if key not in features])
    alone = []
    for number in sorted(set(stacked.scorecards)):
        own = stacked.without(set(stacked.scorecards) - {number}).matrix
        alone.append(vanishing(reduced(own, prime)[0], outside, prime))
    return rank(np.concatenate(alone), prime) < lost(stacked, features, prime)


def _columns(stacked: Stack, features: Sequence[Feature]) -> Matrix:
    none = np.zeros(0, dtype=np.int64)
    return np.concatenate([none, *(stacked.columns[key] for key in features)])


def lost(stacked: Stack, features: Sequence[Feature], prime: int) -> int:
    """By how much deleting the columns of these features lowers the rank."""
    if not features:
        return 0
    kept = _columns(stacked, [key for key in stacked.columns if key not in features])
    return rank(stacked.matrix, prime) - rank(stacked.matrix[:, kept], prime)


def isolated(stacked: Stack, most: int) -> list[tuple[Feature, ...]]:
    """The smallest sets of at most `most` features that combinations of rows live on.

    Every such set contains one of these, unless there are more than `MOST_SETS`.
    """
    return _Search(stacked, most, random_prime()).run()


def check(submission: Submission) -> Iterator[PolicyItem]:
    """The items of rule c: one for every isolated set of features, or one that there is none."""
    most = submission.thresholds.isolated_features
    whole = stacked = stack(submission)
    prime = random_prime()
    found = isolated(stacked, most)
    if not found and submission.earlier:
        stacked = stacked.of_common_bins()
        found = _Search(stacked, most, prime, together=True).run()
    for features in found:
        yield _isolated(stacked, features, lost(stacked, features, prime))
    if found:
        return
    told = list(_by_size(submission, whole))
    yield from told
    if not told:
        yield PolicyItem(
            rule="c",
            field="*",
            figure=0,
            limit=0,
            passed=True,
            text=Text(
                zh=f"各评分项之间、与此前评分卡（{len(submission.earlier)}张）之间作任何加减，"
                f"都不能单独显出{most}个或更少的特征",
                en=f"No combination of its fields, and of earlier scorecards "
                f"({len(submission.earlier)}), tells of {most} features or fewer alone",
            ),
        )


def _by_size(submission: Submission, stacked: Stack) -> Iterator[PolicyItem]:
    """An item for each feature that has too much of a combination, with its greatest share."""
    limit = submission.thresholds.greatest_difference
    greatest: dict[Feature, float] = {}
    for number, earlier in enumerate(submission.earlier, start=1):
        if not earlier.valid:
            for feature, share in dominating(stacked, number, limit):
                greatest[feature] = max(share, greatest.get(feature, 0.0))
    for feature, share in greatest.items():
        name = " ".join(feature)
        yield PolicyItem(
            rule="c",
            field="*",
            feature=name,
            figure=round(share, 4),
            limit=limit,
            passed=False,
            about=(name,),
            text=Text(
                zh=f"与此前一张评分卡的记录相加减，{name}可占其离散度的{share:.0%}，"
                f"上限{limit:.0%}；请沿用此前的分值，或同样改动更多特征",
                en=f"Added to and subtracted from records of an earlier scorecard, {name} has "
                f"{share:.0%} of the spread, at most {limit:.0%} is allowed; keep the "
                "earlier points, or change more features as much",
            ),
        )


def telling(submission: Submission, features: Sequence[Feature]) -> Stack:
    """The stack on which these features are isolated: of all bins, else of common ones."""
    stacked = stack(submission)
    return stacked if lost(stacked, features, random_prime()) else stacked.of_common_bins()


def _isolated(stacked: Stack, features: Sequence[Feature], loss: int) -> PolicyItem:
    needed = _needed(stacked, features)
    names = tuple(" ".join(key) for key in features)
    listed = ", ".join(names)
    return PolicyItem(
        rule="c",
        field="*",
        feature=names[0] if len(names) == 1 else None,
        figure=loss,
        limit=0,
        passed=False,
        about=names,
        text=Text(
            zh=f"与此前{needed}张评分卡的记录相加减，可单独显出{listed}；"
            "请沿用此前的分值，或同时改动更多特征的常见分箱",
            en=f"Added to and subtracted from records of {needed} earlier scorecards, its record "
            f"tells of {listed} alone; keep the earlier points, or change more features at once, "
            "in bins that are not rare",
        ),
    )


def _needed(stacked: Stack, features: Sequence[Feature]) -> int:
    """How many of the earlier scorecards a smallest such combination takes."""
    prime = random_prime()
    dropped: set[int] = set()
    for number in sorted(set(stacked.scorecards) - {0}):
        if lost(stacked.without(dropped | {number}), features, prime):
            dropped.add(number)
    return len(set(stacked.scorecards) - dropped - {0})
