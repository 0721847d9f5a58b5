"""The step of `remedy` for rule d: records that tell less of each feature."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace

from federation.errors import FederationError
from federation.policy.mending import Key, Points, feature_of
from federation.policy.report import PolicyItem, PolicyReport
from federation.policy.steps import Step, rungs, tidied, with_changes
from federation.policy.submission import Submission, name_of
from federation.policy.wording import said_changes
from scoring.documents import Text
from scoring.scorecard import FeaturePoints, Scorecard

Judge = Callable[[Submission], PolicyReport]
"""Judges a submission by all rules; raises `Exhausted` once it may not any more."""
Told = Mapping[Key, Sequence[PolicyItem]]
"""The features of which too much is told, with the figures that say so."""


class Exhausted(FederationError):
    """No more judgements may be made."""


def conceal(submission: Submission, report: PolicyReport, judge: Judge) -> Step | None:
    """Changes with which rule d holds; `report` is the one on `submission`."""
    step = Step(submission, (), report)
    if any(item.feature is None for item in _failing(report)):
        fewer = _withdrawn(submission, judge)
        if fewer is None:
            return None
        step, report = fewer
    told = _told(step.submission.scorecard, report)
    if not told:
        return step
    try:
        last = _Narrowing(step.submission, judge).run(told)
    except Exhausted:
        last = _disclosed(step.submission, told)
    return Step(last.submission, step.changes + last.changes, last.report)


def _failing(report: PolicyReport) -> list[PolicyItem]:
    return [item for item in report.items if item.rule == "d" and not item.passed]


def _told(scorecard: Scorecard, report: PolicyReport) -> Told:
    names = {name_of(entry): (entry.holder, entry.feature) for entry in scorecard.points}
    found: dict[Key, list[PolicyItem]] = {}
    for item in _failing(report):
        if item.feature in names:
            found.setdefault(names[item.feature], []).append(item)
    return found


def _withdrawn(submission: Submission, judge: Judge) -> tuple[Step, PolicyReport] | None:
    """One valid model less, where what fails of the models together is then met."""
    for number, earlier in enumerate(submission.earlier):
        if not earlier.valid:
            continue
        others = list(submission.earlier)
        others[number] = replace(earlier, valid=False)
        option = replace(submission, earlier=tuple(others))
        report = judge(option)
        if all(item.feature is not None for item in _failing(report)):
            name = f"{earlier.scorecard.name}@{earlier.scorecard.version}"
            said = Text(zh=f"先撤回模型{name}", en=f"Withdraw the model {name} first")
            return Step(option, (said,), report), report
    return None


def _disclosed(submission: Submission, told: Iterable[Key]) -> Step:
    """The features disclosed: the last resort."""
    card = submission.scorecard
    kinds = [(card.kind_of(holder), feature) for holder, feature in told]
    names = sorted({f"{kind}.{feature}" for kind, feature in kinds})
    changed = card.model_copy(update={"disclosed": tuple(sorted({*card.disclosed, *names}))})
    listed = ", ".join(names)
    said = Text(
        zh=f"声明披露 {listed}（最后手段：每份企业授权都须写明）",
        en=f"Disclose {listed} (the last resort: every consent has to name them)",
    )
    return Step(replace(submission, scorecard=Scorecard.build(changed.model_dump())), (said,))


class _Narrowing:
    """The least narrowing, by bisection on each feature's ladder, all features at once.

    A ladder's rung 0 is the points as they are. Of each feature `low` is a rung that tells too
    much, `high` one that does not, or the last, of which nothing is known yet. A feature whose
    last rung tells too much keeps its points, and is disclosed.
    """

    def __init__(self, submission: Submission, judge: Judge) -> None:
        self._submission = submission
        self._judge = judge
        self._entries = {(e.holder, e.feature): e for e in submission.scorecard.points}
        self._ladders: dict[Key, list[Points]] = {}
        self._low: dict[Key, int] = {}
        self._high: dict[Key, int] = {}
        self._given_up: list[Key] = []

    def run(self, told: Told) -> Step:
        """The narrowed submission; raises Exhausted where none was found in time."""
        best: tuple[dict[Key, int], int] | None = None
        step: Step | None = None
        while True:
            self._begin(told)
            changed = self._changed()
            trial = {key: self._rung(key) for key in self._ladders}
            if step is not None and best == (trial, len(self._given_up)):
                return step
            try:
                report = self._judge(changed.submission)
            except Exhausted:
                if step is None:
                    raise
                return step
            told = _told(changed.submission.scorecard, report)
            if not told:
                best = trial, len(self._given_up)
                step = Step(changed.submission, changed.changes, report)
            self._learn(trial, told)

    def _begin(self, told: Told) -> None:
        """Ladders for features that are new."""
        for key in [key for key in told if key not in self._ladders]:
            edges = self._edges(self._entries[key], told[key])
            ladder = rungs(self._submission, self._entries[key], edges)
            if len(ladder) > 1:
                self._ladders[key], self._low[key], self._high[key] = ladder, 0, len(ladder) - 1
            else:
                self._given_up.append(key)

    def _changed(self) -> Step:
        """The submission on the rungs of now. Where rules a and b fail of all features together,
        one with which they do is given up, then the next.
        """
        points = {key: ladder[self._rung(key)] for key, ladder in self._ladders.items()}
        option = self._with(points)
        if option is None:
            points, option = {}, self._submission
            for key, ladder in list(self._ladders.items()):
                wider = {**points, key: ladder[self._rung(key)]}
                tried = self._with(wider)
                if tried is None:
                    self._give_up(key)
                else:
                    points, option = wider, tried
        said = said_changes(self._submission, option, points)
        if not self._given_up:
            return Step(option, said)
        disclosed = _disclosed(option, self._given_up)
        return Step(disclosed.submission, said + disclosed.changes)

    def _with(self, points: dict[Key, Points]) -> Submission | None:
        narrower = with_changes(self._submission, points)
        return tidied(narrower) if narrower else None

    def _give_up(self, key: Key) -> None:
        del self._ladders[key]
        self._given_up.append(key)

    def _edges(self, entry: FeaturePoints, items: Sequence[PolicyItem]) -> list[int]:
        """The values under the gaps beside the sets of bins that are told too much of."""
        card = self._submission.scorecard
        labels = feature_of(card, self._submission.catalogue, entry).bin_labels
        used, edges = sorted(set(entry.points)), set[int]()
        for item in items:
            told = {p for p, n in zip(entry.points, labels, strict=True) if n in (item.bins or ())}
            edges |= {a for a, b in itertools.pairwise(used) if (a in told) != (b in told)}
        return sorted(edges)

    def _rung(self, key: Key) -> int:
        low, high = self._low[key], self._high[key]
        return (low + high) // 2 if high - low > 1 else high

    def _learn(self, trial: Mapping[Key, int], failing: Container[Key]) -> None:
        """Moves the ends of each search, and gives up on a feature at its last rung."""
        for key, rung in trial.items():
            if key not in failing:
                self._high[key] = rung
                continue
            self._low[key] = rung
            if rung == self._high[key]:  # what passed before does not beside the others
                self._high[key] = len(self._ladders[key]) - 1
            if rung == self._high[key]:
                self._give_up(key)
