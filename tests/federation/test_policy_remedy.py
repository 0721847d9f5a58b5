"""Remedies: what they claim is so when policy judges again, and nothing else is claimed."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest

import node.sample as sample
from federation.identity import SpiffeId
from federation.policy import (
    Earlier,
    PolicyItem,
    PolicyReport,
    PolicyThresholds,
    certify_policy,
)
from federation.policy.conceal import conceal
from federation.policy.disguise import drivers
from federation.policy.mending import ladder, shift, with_points
from federation.policy.remedy import Remedies, remedies
from federation.policy.steps import plain_failures
from federation.policy.submission import Submission
from scoring.catalogue import Catalogue
from scoring.documents import Text
from scoring.scorecard import FeaturePoints, Scorecard
from support.small import KINDS, small_catalogue, small_scorecard

HOLDERS = [(SpiffeId.parse(f"spiffe://csj.yinxin.example/holder/{kind}"), kind) for kind in KINDS]
CATALOGUE = small_catalogue()
CARD = small_scorecard("alpha", HOLDERS)
DEFAULT = PolicyThresholds()


def changed(card: Scorecard, points: dict[int, tuple[int, ...]], **more: object) -> Scorecard:
    """The scorecard with other points of some features, by number."""
    entries = [
        entry.model_copy(update={"points": points[n]}) if n in points else entry
        for n, entry in enumerate(card.points)
    ]
    return Scorecard.build({**dict(card), "points": entries, **more})


def submit(card: Scorecard, *earlier: Earlier) -> Submission:
    return Submission(card, CATALOGUE, DEFAULT, earlier)


def judged(submission: Submission) -> PolicyReport:
    return certify_policy(
        submission.scorecard, submission.catalogue, submission.thresholds, submission.earlier
    )


def sought(submission: Submission, judgements: int = 12) -> Remedies:
    report = judged(submission)
    assert not report.passed
    return remedies(submission, report, judgements)


def failing(report: PolicyReport) -> set[str]:
    return {item.rule for item in report.failures}


def test_a_code_is_rounded_and_then_passes_and_the_search_tells_and_repeats() -> None:
    submission = submit(changed(CARD, {0: (0, 40, 90)}))
    report = judged(submission)
    told: list[tuple[int, int]] = []
    found = remedies(submission, report, 9, lambda made, most: told.append((made, most)))
    assert told == [(n, 9) for n in range(1, found.judgements + 1)]
    assert {"a", "b"} <= set(found.found[0].rules)
    assert found.whole is not None
    assert judged(dataclasses.replace(submission, scorecard=found.whole)).passed
    assert found.found[-1].passes and not found.unmended
    assert found.found[-1].shift > 0
    assert remedies(submission, report, 9) == found


def test_every_claim_holds_when_policy_judges_again() -> None:
    submission = submit(changed(CARD, {0: (7, 0, 0), 3: (0, 0, 7)}))
    found = sought(submission)
    assert found.found
    for remedy in found.found:
        report = judged(dataclasses.replace(submission, scorecard=remedy.scorecard))
        assert report.passed is remedy.passes
        assert not failing(report) & set(remedy.rules)
        assert remedy.changes


def test_a_scorecard_one_feature_away_from_an_earlier_one_takes_its_points() -> None:
    near = changed(CARD, {2: tuple(reversed(CARD.points[2].points))})
    earlier = Earlier(CARD, CATALOGUE, valid=False)
    submission = submit(near, earlier)
    report = judged(submission)
    assert failing(report) == {"c"}
    key = CARD.points[2].holder, CARD.points[2].feature
    assert drivers(submission, [key]) == [1]
    found = sought(submission)
    assert found.whole is not None
    assert found.whole.points[2].points == CARD.points[2].points
    assert "alpha@1" in found.found[0].changes[0].en and "alpha@1" in found.found[0].changes[0].zh
    assert judged(dataclasses.replace(submission, scorecard=found.whole)).passed


def test_too_many_valid_models_ask_for_a_withdrawal() -> None:
    """Two models are valid with other points of every feature: a third is one too many."""
    turned = [tuple((value + n) % 4 for value in CARD.points[0].points) for n in (1, 2)]
    others = [changed(CARD, dict.fromkeys(range(16), points), name="b") for points in turned]
    earlier = [Earlier(card, CATALOGUE, valid=True) for card in others]
    submission = submit(CARD, *earlier)
    items = [i for i in judged(submission).failures if i.rule == "d" and i.feature is None]
    assert [item.figure for item in items] == [3]
    found = sought(submission)
    assert [change.en for change in found.found[0].changes] == ["Withdraw the model b@1 first"]
    fewer = dataclasses.replace(earlier[0], valid=False), earlier[1]
    assert judged(submit(CARD, *fewer)).passed


def test_nothing_is_claimed_where_nothing_is_found() -> None:
    """Two non-public features that vary: no rounding or joining gives a field of five."""
    points = dict.fromkeys(range(len(CARD.points)), (0, 0, 0)) | {0: (0, 1, 2), 1: (0, 2, 1)}
    fields = (CARD.fields[0],)
    entries = [entry.model_copy(update={"field": "money"}) for entry in CARD.points]
    card = Scorecard.build({**dict(CARD), "points": entries, "fields": fields})
    found = sought(submit(changed(card, points)))
    assert not any("a" in remedy.rules or remedy.passes for remedy in found.found)
    assert found.whole is None
    assert "a" in found.unmended


def test_the_budget_ends_the_search_and_says_so() -> None:
    submission = submit(changed(CARD, {0: (7, 0, 0), 3: (0, 0, 7)}))
    found = sought(submission, judgements=0)
    assert found.stopped and found.judgements == 0
    assert not found.found and found.whole is None and found.unmended


def test_a_ladder_narrows_to_nothing_one_by_one() -> None:
    steps = list(ladder((0, 1, 5, 5, 7)))
    spans = [max(points) for points in steps]
    assert spans == sorted(spans, reverse=True) and spans[0] == 6 and spans[-1] == 0
    assert all(a - b == 1 for a, b in itertools.pairwise(spans))
    # The gap that hides what is asked for goes first.
    assert next(ladder((0, 1, 5), first=(0,))) == (0, 0, 4)


def test_changed_points_keep_the_mean_score() -> None:
    entry = CARD.points[0]
    other = with_points(CARD, CATALOGUE, {(entry.holder, entry.feature): (0, 0, 5)})
    assert mean(other) == pytest.approx(mean(CARD), abs=1e-3)
    assert shift(CARD, other, CATALOGUE) > 0
    assert shift(CARD, CARD, CATALOGUE) == 0


def mean(card: Scorecard) -> float:
    steps = {field.name: field.step for field in card.fields}
    return float(card.scale.offset + sum(steps[e.field] * expected(e) for e in card.points))


def expected(entry: FeaturePoints) -> float:
    feature = CATALOGUE.feature(CARD.kind_of(entry.holder), entry.feature)
    return sum(p * s for p, s in zip(entry.points, feature.frequencies or (), strict=True))


def test_the_shipped_sample_with_one_feature_trebled_is_mended() -> None:
    folder = Path(sample.__file__).parent / "data"
    catalogue = Catalogue.from_json((folder / "catalogue-sample-1.json").read_bytes())
    card = Scorecard.from_json((folder / "scorecard-sample-1.json").read_bytes())
    number = next(n for n, e in enumerate(card.points) if e.feature == "late_payments_12m")
    points = tuple(3 * value for value in card.points[number].points)
    submission = Submission(changed(card, {number: points}), catalogue, DEFAULT)
    assert plain_failures(submission)
    found = sought(submission, judgements=6)
    assert found.whole is not None
    again = dataclasses.replace(submission, scorecard=found.whole)
    assert certify_policy(again.scorecard, catalogue, DEFAULT).passed


def test_what_cannot_be_hidden_is_disclosed_and_the_rest_narrowed_no_more_than_needed() -> None:
    """The search alone: one feature is always told too much of, another while it spans over 2."""
    stubborn, wide = CARD.points[0], CARD.points[1]
    assert max(wide.points) == 3
    judged_cards: list[Scorecard] = []

    def judge(submission: Submission) -> PolicyReport:
        judged_cards.append(submission.scorecard)
        entries = {(e.holder, e.feature): e for e in submission.scorecard.points}
        span = max(entries[wide.holder, wide.feature].points)
        open_ = "tax.f0" not in submission.scorecard.disclosed
        return PolicyReport(items=(told(stubborn, not open_), told(wide, span <= 2)))

    submission = submit(CARD)
    step = conceal(submission, judge(submission), judge)
    assert step is not None and step.report is not None and step.report.passed
    after = {(e.holder, e.feature): e for e in step.submission.scorecard.points}
    assert step.submission.scorecard.disclosed == ("tax.f0",)
    assert max(after[stubborn.holder, stubborn.feature].points) > 0
    assert max(after[wide.holder, wide.feature].points) == 2
    assert len(judged_cards) <= 8
    assert not plain_failures(step.submission)


def told(entry: FeaturePoints, passed: bool) -> PolicyItem:
    return PolicyItem(
        rule="d",
        field=entry.field,
        feature=f"{entry.holder} {entry.feature}",
        figure=0.5 if passed else 0.9,
        limit=0.7,
        passed=passed,
        bins=("≥ 100",),
        prior=0.4,
        text=Text(zh="甲", en="x"),
    )
