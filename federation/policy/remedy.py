"""What would make a refused scorecard pass: concrete changes, judged again, not guessed.

The search goes rule by rule, each on what the changes before made of the scorecard:

* a, b: round a field again on its present points; narrow the feature that dominates it; join it
  with another field;
* c: take the points that an earlier scorecard had, or change so many more features that no
  combination of records tells of a few;
* d: narrow the points of each feature that is told too much, as little as will do (bisection over
  the ladder of `federation.policy.mending`, all such features at once); failing that, disclose
  the feature: the last resort, as every consent then has to name it. With too many
  valid models, withdraw one.

Judging rule d takes seconds to minutes, so those judgements are counted and limited.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from federation.policy import PolicyReport, certify_policy
from federation.policy.conceal import Exhausted, conceal
from federation.policy.disguise import disguise
from federation.policy.history import readings
from federation.policy.mending import shift
from federation.policy.steps import Step, mend
from federation.policy.submission import Submission
from scoring.documents import Text
from scoring.scorecard import Scorecard

_ORDER: Final = (("a", "b"), ("c",), ("d",))
_ROUNDS: Final = 2
"""A later step may undo an earlier one: narrowed points may be those of an earlier scorecard."""
JUDGEMENTS: Final = 12
"""How often rule d is judged, unless more is allowed."""

Tell = Callable[[int, int], None]
"""Told how many judgements were made, and how many may be."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Changes after which `rules` are met.

    `scorecard` has them and those of the remedies before it. `shift` is how far they move a firm's
    score: the root of the mean square over firms, in score points, taking features as independent.
    `passes` says that the whole policy is met.
    """

    rules: tuple[str, ...]
    changes: tuple[Text, ...]
    scorecard: Scorecard
    shift: float
    passes: bool


@dataclass(frozen=True, slots=True)
class Remedies:
    """Remedies in the order in which they are applied.

    `unmended` are the rules for which none was found; `stopped` says that the limit of
    `judgements` ended the search.
    """

    found: tuple[Remedy, ...]
    unmended: tuple[str, ...]
    judgements: int
    stopped: bool

    @property
    def whole(self) -> Scorecard | None:
        """The scorecard that passes the whole policy, where one was found."""
        return self.found[-1].scorecard if self.found and self.found[-1].passes else None


def remedies(
    submission: Submission,
    report: PolicyReport,
    judgements: int = JUDGEMENTS,
    tell: Tell | None = None,
) -> Remedies:
    """What would make a submission pass; `report` is the one on it.

    At most `judgements` changed submissions are judged by rule d; `tell` hears of each. Of what
    other chains certified, changes are looked for in the first reading, and judged in all.
    """
    before = next(readings(submission.scorecard, submission.earlier))
    submission = replace(submission, earlier=before)
    judge = _Judge(judgements, tell)
    original, current = submission.scorecard, report
    found: list[Remedy] = []
    tried: list[tuple[tuple[str, ...], PolicyReport]] = []
    for rules in _ORDER * _ROUNDS:
        failing = tuple(r for r in rules if any(i.rule == r for i in current.failures))
        if not failing or (rules, current) in tried:
            continue
        tried.append((rules, current))
        try:
            step = _step(rules, submission, current, judge)
            after = (step.report or judge(step.submission)) if step else None
        except Exhausted:
            break
        if step is None or after is None or any(i.rule in failing for i in after.failures):
            continue
        card = step.submission.scorecard
        far = shift(original, card, submission.catalogue)
        found.append(Remedy(failing, step.changes, card, far, after.passed))
        submission, current = step.submission, after
    unmended = tuple(sorted({item.rule for item in current.failures}))
    return Remedies(tuple(found), unmended, judge.made, judge.stopped)


def _step(
    rules: tuple[str, ...], submission: Submission, report: PolicyReport, judge: _Judge
) -> Step | None:
    if rules == ("c",):
        return disguise(submission)
    return conceal(submission, report, judge) if rules == ("d",) else mend(submission)


class _Judge:
    """Judges submissions, and counts; raises Exhausted past the limit."""

    def __init__(self, most: int, tell: Tell | None) -> None:
        self.made = 0
        self.stopped = False
        self._most = most
        self._tell = tell

    def __call__(self, submission: Submission) -> PolicyReport:
        if self.made >= self._most:
            self.stopped = True
            raise Exhausted(f"judgements: {self._most} were made; allow more")
        self.made += 1
        if self._tell is not None:
            self._tell(self.made, self._most)
        return certify_policy(
            submission.scorecard, submission.catalogue, submission.thresholds, submission.earlier
        )
