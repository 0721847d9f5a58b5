"""Rule d: a record tells little of any single feature.

For every set G of a non-public feature's bins with equal points, and every set above or below a
cut,

    E[ P(G | record) | G ]  ≤  prior + 0.6 · (1 − prior)

where the prior is P(G) and the record is everything that the bank sees of one firm in one epoch:
the fields of all models of its own and of its affiliates that are valid together, and their
coverage counts. The left side is how sure the bank is, on average, of what is true of a firm in G:
the gain of an adversary that guesses in proportion to its belief (leakage as gain: Alvim et al.
2012). `missing` is a bin like others. A firm that a holder does not know is missing in all of its
features at once and lowers the coverage, so that points of `missing` that stand out would say which
holder it is; points like those of a common bin do not.

Features that the scorecard discloses are left out: consents name them. One that only other models
disclose is judged on the records of those that do not.

Scorecards that another chain certified are judged as if for the holders here, on bins that the
catalogues have in common (`.history`, `.refining`).

For monitoring, the same on the pair of records of two successive months, for sets of bins now, in
a month, and for rises and falls of a feature's points: a step that no other feature makes would
name who moved.

The posterior is exact on the population that the catalogue publishes (see `.population` and
`.posterior`); the expectation is a mean over sampled records of each class, and the figure is three
standard errors above it, plus the share of the set's firms whose pattern of holders was left out.
The sample is drawn from a generator seeded with what is judged, so that bank and regulator find the
same figures; nothing about it is secret.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federation.policy.history import Earlier
from federation.policy.posterior import Posterior, posteriors
from federation.policy.refining import on_common_bins, same_bins
from federation.policy.report import PolicyItem
from federation.policy.submission import Submission
from federation.policy.views import (
    Patterns,
    Sight,
    Variable,
    components,
    patterns,
    prior,
    sight,
    within,
)
from scoring.documents import Text
from scoring.scorecard import Scorecard

DRAWS: Final = 1200
"""Records for each feature, in one epoch or in two."""
MOST_CELLS: Final = 1 << 18
"""Values that a joint sum may take."""
_ERRORS: Final = 3.0

_NOW: Final = Text(zh="单期记录", en="one record")
_PAIR: Final = Text(zh="相邻两月的记录", en="records of two successive months")


_MONTHS: Final = (Text(zh="当月", en="this month"), Text(zh="次月", en="next month"))


@dataclass(frozen=True, slots=True)
class Event:
    """A set of a variable's classes, and what it is for people."""

    classes: NDArray[np.bool_]
    bins: tuple[str, ...]
    what: Text


@dataclass(frozen=True, slots=True)
class Told:
    """How much records tell of an event: the figure, its limit and the prior."""

    event: Event
    prior: float
    figure: float
    limit: float

    @property
    def margin(self) -> float:
        """How far below its limit the figure is."""
        return self.limit - self.figure


def check(submission: Submission) -> Iterator[PolicyItem]:
    """The items of rule d: number of valid models, then every event of every feature."""
    submission = on_common_bins(submission)
    valid = _different(submission)
    number, limit = 1 + len(valid), submission.thresholds.most_valid_models
    yield PolicyItem(
        rule="d",
        field="*",
        figure=number,
        limit=limit,
        passed=number <= limit,
        text=Text(
            zh=f"连同本评分卡共有{number}个有效模型，上限{limit}个；超出时请先撤回一个",
            en=f"Models valid at once, this one included: {number}, at most {limit}; if over, "
            "withdraw one",
        ),
    )
    scorecards = [submission.scorecard]
    if number <= limit:
        strangers = [e.scorecard.name for e in valid if not same_bins(submission.catalogue, e)]
        if strangers:
            yield _other_bins(strangers)
        else:
            scorecards += [earlier.scorecard for earlier in valid]
    for cards, hidden in _hiding(scorecards):
        yield from _judged(submission, sight(cards, submission.catalogue), cards, hidden, _NOW)
    for cards, hidden in _hiding([submission.scorecard]):
        seen = sight(cards, submission.catalogue, months=2)
        yield from _judged(submission, seen, cards, hidden, _PAIR)


def _hiding(
    scorecards: Sequence[Scorecard],
) -> Iterator[tuple[Sequence[Scorecard], frozenset[str]]]:
    """Features, and the scorecards that do not disclose them: their records must not tell of them.

    A record under a scorecard that discloses a feature takes a consent that names it; those under
    the others do not, and must not tell of it without. Features that the first scorecard discloses
    are left out: the others were judged without it.
    """
    used = {
        f"{card.kind_of(entry.holder)}.{entry.feature}"
        for card in scorecards
        for entry in card.points
    }
    groups: dict[tuple[int, ...], set[str]] = {}
    for name in sorted(used - set(scorecards[0].disclosed)):
        rest = tuple(n for n, card in enumerate(scorecards) if name not in card.disclosed)
        groups.setdefault(rest, set()).add(name)
    for rest, names in groups.items():
        yield [scorecards[n] for n in rest], frozenset(names)


def _different(submission: Submission) -> list[Earlier]:
    """The valid earlier scorecards whose records show anything else: a renewal shows the same."""
    seen = {_shown(submission.scorecard)}
    found = []
    for earlier in submission.earlier:
        if earlier.valid and _shown(earlier.scorecard) not in seen:
            seen.add(_shown(earlier.scorecard))
            found.append(earlier)
    return found


def _shown(scorecard: Scorecard) -> object:
    """What a record of the scorecard depends on."""
    fields = {
        frozenset(
            (e.holder, e.feature, e.points)
            for e in scorecard.points
            if e.field == field.name and len(set(e.points)) > 1
        )
        for field in scorecard.fields
    }
    return (
        scorecard.catalogue_version,
        frozenset(p.holder for p in scorecard.participants),
        frozenset(fields),
    )


def _other_bins(names: Sequence[str]) -> PolicyItem:
    listed = ", ".join(names)
    return PolicyItem(
        rule="d",
        field="*",
        figure=len(names),
        limit=0,
        passed=False,
        text=Text(
            zh=f"{listed}所用目录的分箱与本目录不同，其记录不能合并判定；请先撤回",
            en=f"{listed}: valid still, for a catalogue with other bins, so that the joint record "
            "cannot be judged; withdraw it first",
        ),
    )


def _judged(
    submission: Submission,
    seen: Sight,
    scorecards: Sequence[Scorecard],
    hidden: frozenset[str],
    where: Text,
) -> Iterator[PolicyItem]:
    parts = components(seen)
    largest = max((part.cells for part in parts), default=1)
    if largest > MOST_CELLS:
        yield _too_large(largest)
        return
    found = patterns(seen)
    rng = np.random.default_rng(_seed(submission, scorecards, where))
    for variable, posterior in zip(
        seen.variables, posteriors(seen, parts, found, DRAWS, rng), strict=True
    ):
        if variable.feature.id not in hidden:
            continue
        share = float(seen.shares[variable.holder])
        events = _pair_events(variable) if where is _PAIR else _events(variable)
        told = [measured(variable, share, event, posterior, found, submission) for event in events]
        for item in _reported(told, where):
            yield _item(scorecards[0], variable, item, where)


def _seed(submission: Submission, scorecards: Sequence[Scorecard], where: Text) -> int:
    digest = hashlib.sha256(where.en.encode() + submission.catalogue.digest())
    for card in scorecards:
        digest.update(card.digest())
    return int.from_bytes(digest.digest(), "big")


def measured(
    variable: Variable,
    share: float,
    event: Event,
    posterior: Posterior,
    found: Patterns,
    submission: Submission,
) -> Told:
    """How much the records tell of one event.

    Firms of the event whose pattern was left out count as told. That bounds the sum over records
    of P(event, record)²/P(record): (a + b)²/(c + d) ≤ a²/c + b²/d ≤ a²/c + b.
    """
    gain = submission.thresholds.greatest_gain
    before = float(prior(variable, share)[event.classes].sum())
    if before <= 0:
        return Told(event, 0.0, 0.0, gain)
    shares = within(variable, found) / before
    sure = posterior.told[:, event.classes].sum(axis=1)
    mean, variance = 1 - float(shares[event.classes].sum()), 0.0
    for number in np.flatnonzero(event.classes & (shares > 0)):
        drawn = sure[posterior.drawn == number]
        mean += shares[number] * float(drawn.mean())
        variance += shares[number] ** 2 * float(drawn.var(ddof=1)) / len(drawn)
    figure = min(1.0, mean + _ERRORS * math.sqrt(variance))
    return Told(event, before, figure, before + gain * (1 - before))


def _events(variable: Variable) -> list[Event]:
    """Sets of equal points, and sets above and below each cut, in every view and jointly."""
    whole = len(variable.points)
    sets: dict[tuple[int, ...], Text] = {}
    equal = Text(zh="同分的分箱", en="bins of equal points")
    for number in range(whole):
        sets.setdefault((number,), equal)
    for column in variable.points.T:
        for value in sorted(set(column.tolist())):
            sets.setdefault(tuple(np.flatnonzero(column == value)), equal)
        for value in sorted(set(column.tolist()))[1:]:
            above = Text(zh="分值较高的分箱", en="bins with more points than a cut")
            below = Text(zh="分值较低的分箱", en="bins with fewer points than a cut")
            sets.setdefault(tuple(np.flatnonzero(column >= value)), above)
            sets.setdefault(tuple(np.flatnonzero(column < value)), below)
    chosen = [(classes, what) for classes, what in sets.items() if 0 < len(classes) < whole]
    return [_event(variable, classes, what, month=0) for classes, what in chosen]


def _event(variable: Variable, classes: Sequence[int], what: Text, month: int) -> Event:
    mask = np.zeros(len(variable.points), dtype=np.bool_)
    mask[list(classes)] = True
    numbers = sorted({pair[month] for number in classes for pair in variable.bins[number]})
    return Event(mask, tuple(variable.feature.bin_labels[n] for n in numbers), what)


def _pair_events(variable: Variable) -> list[Event]:
    """Sets of equal points and cuts in either month, rises and falls."""
    found = []
    for month, when in enumerate(_MONTHS):
        column = variable.points[:, month]
        sets: dict[tuple[int, ...], None] = {}
        for value in sorted(set(column.tolist())):
            sets[tuple(np.flatnonzero(column == value))] = None
            sets[tuple(np.flatnonzero(column >= value))] = None
            sets[tuple(np.flatnonzero(column <= value))] = None
        for classes in sets:
            if 0 < len(classes) < len(column):
                found.append(_event(variable, classes, when, month))
    steps = variable.points[:, 1] - variable.points[:, 0]
    for mask, what in (
        (steps > 0, Text(zh="分值上升", en="points rise")),
        (steps < 0, Text(zh="分值下降", en="points fall")),
    ):
        if mask.any():
            found.append(Event(mask, (), what))
    return found


def _reported(told: Sequence[Told], where: Text) -> list[Told]:
    """What the report lists: for one record every event, for two the narrowest and all failures."""
    likely = [item for item in told if item.prior > 0]
    if where is not _PAIR:
        return likely
    worst = sorted(likely, key=lambda item: item.margin)
    return [item for n, item in enumerate(worst) if n == 0 or item.margin < 0]


def _item(scorecard: Scorecard, variable: Variable, told: Told, where: Text) -> PolicyItem:
    holder, name = variable.name.split(" ")
    fields = [e.field for e in scorecard.points if (e.holder, e.feature) == (holder, name)]
    bins = ", ".join(told.event.bins)
    inside = f" ({bins})" if bins else ""
    return PolicyItem(
        rule="d",
        field=fields[0] if fields else "*",
        feature=variable.name,
        figure=round(told.figure, 4),
        limit=round(told.limit, 4),
        passed=told.figure <= told.limit,
        bins=told.event.bins or None,
        prior=round(told.prior, 4),
        event=told.event.what if where is _PAIR else None,
        text=Text(
            zh=f"{variable.name}{told.event.what.zh}{inside}：{where.zh}使其概率由{told.prior:.1%}"
            f"平均升至{told.figure:.1%}，上限{told.limit:.1%}；超出时请缩小该特征的分值差距，"
            "或将其列为须告知的特征",
            en=f"{variable.name}, {told.event.what.en}{inside}: {where.en} lift the probability "
            f"from {told.prior:.1%} to {told.figure:.1%} on average, at most {told.limit:.1%} is "
            "allowed; if over, narrow the feature's points, or disclose it",
        ),
    )


def _too_large(cells: int) -> PolicyItem:
    return PolicyItem(
        rule="d",
        field="*",
        figure=cells,
        limit=MOST_CELLS,
        passed=False,
        text=Text(
            zh=f"有效模型的评分项交叉，合计取值{cells}种，超出可精确判定的{MOST_CELLS}种；"
            "请让各模型的同一特征处于同样的评分项，或先撤回一个模型",
            en=f"The fields of the valid models mix into {cells} joint values, and {MOST_CELLS} "
            "can be judged exactly; keep each feature in the same field in all models, or "
            "withdraw one",
        ),
    )
