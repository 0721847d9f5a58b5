"""Rounding to policy b: allowed by construction, close, deterministic; and the figures of cost."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.errors import ScorecardError
from scoring.quality import auc, ks, rounding_cost
from scoring.rounding import JUMP_SUPPORT, LEVELS, RealPoints, RoundedPoints, round_points
from scoring.scorecard import jumps


def features(seed: int, count: int = 8, public: int = 1, size: float = 12.0) -> list[RealPoints]:
    random = np.random.default_rng(seed)
    made = []
    for i in range(count):
        bins = int(random.integers(3, 11))
        made.append(
            RealPoints(
                holder="spiffe://csj.yinxin.example/holder/h",
                feature=f"f{i}",
                field="money" if i % 2 or count < 8 else "use",
                public=i < public,
                points=random.normal(0, size * random.uniform(0.3, 1.3), bins),
                frequencies=random.dirichlet(np.full(bins, 2.0)),
            )
        )
    return made


def assert_policy_b(given_: list[RealPoints], rounded: RoundedPoints) -> None:
    """The rule itself, written without the code that it judges."""
    for field in {feature.field for feature in given_}:
        members = [feature for feature in given_ if feature.field == field]
        values = {value for member in members for value in rounded.points[member.key]}
        assert values <= set(range(LEVELS))
        support: Counter[int] = Counter()
        used: set[int] = set()
        for member in members:
            mine = jumps(rounded.points[member.key])
            used |= mine
            if not member.public:
                support.update(mine)
        assert used and all(support[jump] >= JUMP_SUPPORT for jump in used)


@settings(max_examples=7, deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 9), st.integers(0, 2), st.floats(0.01, 500))
def test_rounded_points_obey_policy_b(seed: int, count: int, public: int, size: float) -> None:
    made = features(seed, count, public, size)
    try:
        rounded = round_points(made)
    except ScorecardError as refusal:
        assert "non-public features vary" in str(refusal)
        return
    assert_policy_b(made, rounded)
    assert all(step > 0 for step in rounded.steps.values())


def test_rounding_is_close_and_the_offset_holds_the_constants() -> None:
    made = features(3, count=16, public=2)
    rounded = round_points(made)
    error = mean = 0.0
    for feature in made:
        points = np.array(rounded.points[feature.key], dtype=float)
        change = rounded.steps[feature.field] * points - feature.points
        average = float(np.average(change, weights=feature.frequencies))
        mean += average
        error += float(np.average((change - average) ** 2, weights=feature.frequencies))
    total = sum(
        np.average(
            (f.points - np.average(f.points, weights=f.frequencies)) ** 2, weights=f.frequencies
        )
        for f in made
    )
    assert error < 0.06 * total  # at most 6 % of the score's variance is lost
    assert mean + rounded.offset == pytest.approx(0, abs=1e-3)  # the mean score stays


def test_rounding_is_deterministic_and_exact_points_stay_exact() -> None:
    made = features(4, count=16)
    assert round_points(made) == round_points(made)
    grid = [
        RealPoints("h", f"f{i}", "x", False, 2.5 * np.array(p, dtype=float) - 9, np.full(4, 0.25))
        for i, p in enumerate([[0, 1, 2, 3], [0, 2, 3, 1], [4, 3, 2, 1]])
    ]
    rounded = round_points(grid)
    assert rounded.steps["x"] == pytest.approx(2.5)
    assert [rounded.points[g.key] for g in grid] == [(0, 1, 2, 3), (0, 2, 3, 1), (3, 2, 1, 0)]
    assert rounded.offset == pytest.approx(-9 - 9 - 6.5)


def test_a_lonely_jump_is_struck_off() -> None:
    """One feature in jumps of 5, four in jumps of 1: left alone, 5 would name the feature."""
    even = np.full(2, 0.5)
    made = [RealPoints("h", f"f{i}", "x", False, np.array([0.0, 1.0]), even) for i in range(4)]
    made.append(RealPoints("h", "wide", "x", False, np.array([0.0, 5.0]), even))
    rounded = round_points(made)
    assert_policy_b(made, rounded)
    assert jumps(rounded.points["h", "wide"]) == {1}


@pytest.mark.parametrize("public", [0, 3])
def test_a_field_with_too_few_varying_features_is_refused_by_name(public: int) -> None:
    made = features(5, count=5, public=public) if public else features(5, count=2, public=0)
    with pytest.raises(ScorecardError, match="field money: 2 non-public features vary"):
        round_points(made)


@pytest.mark.parametrize(
    ("points", "frequencies", "said"),
    [
        ([0.0, np.inf], [0.5, 0.5], "not finite"),
        ([0.0, 1.0], [0.5, 0.3, 0.2], "as many frequencies"),
        ([0.0, 1.0], [0.0, 0.0], "sum to 1"),
        ([0.0, 1.0], [1.5, -0.5], "sum to 1"),
    ],
)
def test_points_that_cannot_be_rounded_are_refused(
    points: list[float], frequencies: list[float], said: str
) -> None:
    wrong = RealPoints("h", "f", "x", False, np.array(points), np.array(frequencies))
    with pytest.raises(ScorecardError, match=said):
        round_points([*features(1), wrong])
    with pytest.raises(ScorecardError, match="stands twice"):
        round_points([*features(1), *features(1)])


outcomes = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=60).filter(
    lambda rows: len({bad for _, bad in rows}) == 2
)


@given(outcomes)
def test_auc_and_ks_equal_brute_force(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in rows], dtype=float)
    bad = np.array([flag for _, flag in rows])
    pairs = [(g, b) for g in scores[~bad] for b in scores[bad]]
    wins = sum((g > b) + 0.5 * (g == b) for g, b in pairs)
    assert auc(scores, bad) == pytest.approx(wins / len(pairs))
    gaps = [abs(np.mean(scores[bad] <= s) - np.mean(scores[~bad] <= s)) for s in scores]
    assert ks(scores, bad) == pytest.approx(max(gaps))


def test_auc_equals_sklearn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(6)
    bad = random.random(2000) < 0.15
    scores = np.round(random.normal(0, 3, 2000) - bad)
    assert auc(scores, bad) == pytest.approx(metrics.roc_auc_score(~bad, scores))


@pytest.mark.parametrize(
    ("scores", "bad"),
    [
        ([1.0, 2.0], [True, True]),
        ([1.0, 2.0], [False, False]),
        ([1.0, np.nan], [True, False]),
        ([1.0], [True, False]),
        ([1.0, 2.0], [1, 0]),
    ],
)
def test_figures_without_meaning_are_refused(scores: list[float], bad: list[Any]) -> None:
    with pytest.raises(ScorecardError):
        auc(np.array(scores), np.array(bad))
    with pytest.raises(ScorecardError):
        ks(np.array(scores), np.array(bad))


def test_the_cost_of_rounding_is_small_and_measured_on_both_scores() -> None:
    made = features(7, count=16, public=2)
    random = np.random.default_rng(8)
    rows = 4000
    bins = {
        f.key: random.choice(len(f.points), rows, p=f.frequencies).astype(np.uint16) for f in made
    }
    score = np.sum([f.points[bins[f.key]] for f in made], axis=0)
    bad = random.random(rows) < 1 / (1 + np.exp((score - score.mean()) / 25 + 1.5))
    rounded = round_points(made)
    cost = rounding_cost(made, rounded, bins, bad)
    assert cost.auc_before == pytest.approx(auc(score, bad))
    assert cost.ks_before == pytest.approx(ks(score, bad))
    assert 0.65 < cost.auc_after < 1
    assert abs(cost.auc_before - cost.auc_after) < 0.01
    assert abs(cost.ks_before - cost.ks_after) < 0.03
    with pytest.raises(ScorecardError, match="f0"):
        rounding_cost(made, rounded, dict(list(bins.items())[1:]), bad)


def test_bins_of_equal_points_stay_together() -> None:
    made = features(8, count=6, public=0)
    for number, feature in enumerate(made):
        # A rare bin beside a common one of the same points, below a wide jump.
        low, high = 0.0, 5.0 + number % 2
        points = np.array([low, low, high, high])
        shares = np.array([0.49, 0.001, 0.009, 0.5])
        made[number] = RealPoints(feature.holder, feature.feature, "f", False, points, shares)
    for row in round_points(made).points.values():
        assert row[0] == row[1] and row[2] == row[3]
