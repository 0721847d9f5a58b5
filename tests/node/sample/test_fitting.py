from __future__ import annotations

import math

import numpy as np
import pytest

from scoring.catalogue import Bins, Feature
from scoring.documents import Text
from scoring.errors import ScorecardError
from scoring.quality import auc
from scoring.scorecard import FACTOR

pytest.importorskip("optbinning", reason="extra `models` is not installed")

from node.sample.evidence import weights_of_evidence
from node.sample.fitting import Candidate, fit

FIRMS = 6000


def feature(name: str, public: bool = False, **bins: tuple[object, ...]) -> Feature:
    kind = "category" if "categories" in bins else "number"
    return Feature(
        kind="k",
        name=name,
        title=Text(zh=name, en=name),
        unit="",
        type=kind,
        public=public,
        bins=Bins.model_validate(bins),
    )


def firms(strengths: list[float], seed: int = 1) -> tuple[list[Candidate], np.ndarray]:
    """Candidates h/f0, h/f1 … that shift the log odds of default by strength a bin."""
    rng = np.random.default_rng(seed)
    bins = rng.integers(0, 6, (len(strengths), FIRMS)).astype(np.uint16)
    odds = -2.0 - sum(s * (row - 3.0) * (row > 0) for s, row in zip(strengths, bins, strict=True))
    bad = rng.random(FIRMS) < 1 / (1 + np.exp(-odds))
    edges = (1.0, 2.0, 3.0, 4.0)
    return [
        Candidate("h", feature(f"f{i}", edges=edges), "field", row) for i, row in enumerate(bins)
    ], bad


def test_evidence_is_monotone_for_numbers_and_average_for_missing() -> None:
    (candidate,), bad = firms([0.6])
    woe = weights_of_evidence(candidate.feature, candidate.bins, bad, 0.03)
    assert (np.diff(woe[1:]) >= 0).all()
    assert woe[5] - woe[1] > 1.5
    mean = woe[candidate.bins[candidate.bins > 0]].mean()
    assert woe[0] == min(woe[1:], key=lambda value: abs(value - mean))


def test_a_special_is_ordered_by_its_value() -> None:
    rng = np.random.default_rng(2)
    zero = feature("zero", specials=(0.0,), edges=(-5.0, 10.0, 20.0))
    # Bins: missing, = 0, < -5, [-5, 10), [10, 20), ≥ 20; risk rises with value.
    bins = rng.integers(1, 6, FIRMS).astype(np.uint16)
    rank = np.array([0, 1, 0, 2, 3, 4])[bins]
    bad = rng.random(FIRMS) < 0.05 + 0.08 * rank
    woe = weights_of_evidence(zero, bins, bad, 0.03)
    assert woe[2] > woe[1] > woe[3] > woe[4] > woe[5]
    assert woe[0] in woe[1:]


def test_categories_merge_without_order() -> None:
    rng = np.random.default_rng(3)
    grade = feature("grade", categories=("A", "B", "C"))
    bins = rng.integers(1, 5, FIRMS).astype(np.uint16)
    bad = rng.random(FIRMS) < np.array([0, 0.02, 0.3, 0.02, 0.1])[bins]
    woe = weights_of_evidence(grade, bins, bad, 0.03)
    assert abs(woe[1] - woe[3]) < 0.3
    assert woe[2] < woe[4] < woe[1]


def test_a_group_without_defaults_stays_finite() -> None:
    (candidate,), bad = firms([0.6])
    bad = bad & (candidate.bins != 5)
    woe = weights_of_evidence(candidate.feature, candidate.bins, bad, 0.03)
    assert np.isfinite(woe).all()


def test_the_score_gives_the_odds_it_says() -> None:
    candidates, bad = firms([0.4, 0.3, 0.3, 0.3, 0.25, 0.25])
    model = fit(candidates, bad)
    points = {real.key: real.points for real in model.features}
    score = model.offset + sum(points[c.holder, c.feature.name][c.bins] for c in candidates)
    probability = 1 / (1 + 20 * np.exp((score - 600) / FACTOR))
    assert probability.mean() == pytest.approx(bad.mean(), rel=0.02)
    high, low = score > np.quantile(score, 0.75), score < np.quantile(score, 0.25)
    for part in (high, low):
        assert probability[part].mean() == pytest.approx(bad[part].mean(), rel=0.15)
    assert auc(score, bad) > 0.7
    assert pytest.approx(40 / math.log(2)) == FACTOR


def test_no_feature_dominates_and_noise_is_dropped() -> None:
    candidates, bad = firms([0.9, 0.25, 0.25, 0.25, 0.25, 0.25, 0.0])
    spreads = {}
    for share in (0.5, 1.0):
        model = fit(candidates, bad, greatest_share=share)
        spreads[share] = {
            real.feature: float(np.std(real.points[c.bins]))
            for real in model.features
            for c in candidates
            if c.feature.name == real.feature
        }
        assert "f6" not in spreads[share]
    held = spreads[0.5]
    assert held["f0"] <= 0.5 * math.hypot(*held.values()) * 1.001
    assert spreads[1.0]["f0"] > 0.7 * math.hypot(*spreads[1.0].values())


def test_too_few_features_are_refused() -> None:
    candidates, bad = firms([0.5, 0.5, 0.2])
    with pytest.raises(ScorecardError, match="field: 3 features"):
        fit(candidates, bad)


def test_features_that_tell_nothing_are_refused() -> None:
    candidates, _ = firms([0.0])
    blank = [Candidate("h", candidates[0].feature, "field", np.zeros(FIRMS, dtype=np.uint16))]
    bad = np.arange(FIRMS) % 10 == 0
    with pytest.raises(ScorecardError, match="features"):
        fit(blank, bad)
