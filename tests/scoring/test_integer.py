"""Rounding by integer programming: the optimum, policy b by construction, no worse than plain."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from scoring.errors import ScorecardError
from scoring.integer import Sample, round_by_sample
from scoring.programme import Groups, Programme
from scoring.quality import rounding_cost
from scoring.rounding import RealPoints, round_points
from scoring.scorecard import jumps
from tests.scoring.test_rounding import assert_policy_b, features

pytest.importorskip("scipy", reason="extra `models` is not installed")


def sample_of(made: list[RealPoints], firms: int = 3000, seed: int = 5) -> Sample:
    """Firms whose features move together, and who default by their real score."""
    random = np.random.default_rng(seed)
    factor = random.random(firms)
    bins, score = {}, np.zeros(firms)
    for feature in made:
        order = np.argsort(feature.points)
        mixed = np.where(random.random(firms) < 0.5, factor, random.random(firms))
        edges = np.cumsum(feature.frequencies[order])[:-1]
        bins[feature.key] = order[np.searchsorted(edges, mixed)].astype(np.uint16)
        score += feature.points[bins[feature.key]]
    odds = (score - score.mean()) / score.std()
    return Sample(bins, random.random(firms) < 1 / (1 + np.exp(2 + odds)))


@pytest.mark.parametrize("seed", [1, 3])
def test_points_obey_policy_b_and_lose_no_more_than_plain_rounding(seed: int) -> None:
    made = features(seed, count=6)
    sample = sample_of(made)
    rounded = round_by_sample(made, sample)
    assert_policy_b(made, rounded)
    best = rounding_cost(made, rounded, sample.bins, sample.bad)
    plain = rounding_cost(made, round_points(made), sample.bins, sample.bad)
    assert best.auc_after >= plain.auc_after
    assert best.auc_after > best.auc_before - 0.01


def test_the_scale_stays_where_it_was() -> None:
    made = features(4, count=8)
    sample = sample_of(made)
    rounded = round_by_sample(made, sample)
    real = sample.total({f.key: f.points for f in made})
    after = rounded.offset + sum(
        rounded.steps[f.field] * np.array(rounded.points[f.key])[sample.bins[f.key]] for f in made
    )
    assert abs(float(np.mean(after - real))) < 1e-6
    assert float(np.std(after - real)) < 0.2 * float(np.std(real))


def test_the_same_sample_gives_the_same_points() -> None:
    made = features(6, count=5)
    assert round_by_sample(made, sample_of(made)) == round_by_sample(made, sample_of(made))


def test_what_policy_refuses_is_not_taken() -> None:
    made = features(2, count=5)
    plain = round_points(made)
    rounded = round_by_sample(made, sample_of(made), lambda _field, _points: False)
    assert rounded.points == plain.points


def feature(name: str, points: list[float], public: bool = False) -> RealPoints:
    return RealPoints("h", name, "f", public, np.array(points), np.full(len(points), 0.25))


def brute(groups: list[Groups], costs: list[np.ndarray], levels: int, support: int) -> float:
    """The least cost over every choice of levels, written without the programme."""
    paths = [
        [p for p in itertools.product(*g.allowed(levels)) if list(p) == sorted(p)] for g in groups
    ]
    least = float("inf")
    for choice in itertools.product(*paths):
        used = [jumps(path) for path in choice]
        helped = [jumps(p) for p, g in zip(choice, groups, strict=True) if not g.feature.public]
        if all(sum(j in h for h in helped) >= support for j in frozenset().union(*used)):
            cost = sum(
                c[i, level]
                for path, c in zip(choice, costs, strict=True)
                for i, level in enumerate(path)
                if i
            )
            least = min(least, float(cost))
    return least


@pytest.mark.parametrize("seed", range(6))
def test_the_programme_finds_the_least_cost(seed: int) -> None:
    random = np.random.default_rng(seed)
    groups = [
        Groups.of(feature(f"f{i}", random.uniform(0, 4, 3).tolist(), public=i == 0), 1.0)
        for i in range(4)
    ]
    costs = [random.random((3, 5)) for _ in groups]
    solved = Programme(groups, costs, 5, 2).solve()
    assert solved is not None
    cost = sum(
        c[i, level]
        for path, c in zip(solved, costs, strict=True)
        for i, level in enumerate(path.tolist())
        if i
    )
    assert cost == pytest.approx(brute(groups, costs, 5, 2), rel=2e-3)


def test_a_sample_without_a_feature_or_an_outcome_is_refused() -> None:
    made = features(1, count=8)
    sample = sample_of(made)
    with pytest.raises(ScorecardError, match="has no column"):
        round_by_sample(made, Sample(dict(list(sample.bins.items())[1:]), sample.bad))
    with pytest.raises(ScorecardError, match="defaulted"):
        round_by_sample(made, Sample(sample.bins, np.zeros_like(sample.bad)))
    beyond = {key: np.full_like(row, 99) for key, row in sample.bins.items()}
    with pytest.raises(ScorecardError, match="a bin beyond"):
        round_by_sample(made, Sample(beyond, sample.bad))
