"""Intervals of AUC and KS: DeLong's by its definition, and how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.errors import ScorecardError
from scoring.quality import auc, auc_difference, auc_interval, ks, ks_interval


def firms(random: np.random.Generator, size: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Whole scores, ties among them; the AUC of the population is about 0.76."""
    bad = random.random(size) < 0.25
    return np.round(random.normal(np.where(bad, 560, 600), 40) / 5) * 5, bad


def placements(scores: np.ndarray, bad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong's V10 and V01 by their definition, pair by pair."""
    good, ill = scores[~bad][:, None], scores[bad][None, :]
    pairs = (good > ill) + 0.5 * (good == ill)
    return pairs.mean(axis=1), pairs.mean(axis=0)


def test_the_interval_is_delongs() -> None:
    scores, bad = firms(np.random.default_rng(1))
    by_good, by_bad = placements(scores, bad)
    deviation = np.sqrt(by_good.var(ddof=1) / len(by_good) + by_bad.var(ddof=1) / len(by_bad))
    found = auc_interval(scores, bad)
    assert found.value == pytest.approx(by_good.mean()) == auc(scores, bad)
    logit = np.log(found.value / (1 - found.value))
    high = logit + 1.959964 * deviation / (found.value * (1 - found.value))
    assert found.high == pytest.approx(1 / (1 + np.exp(-high)))
    assert 0 < found.low < found.value < found.high < 1


def test_the_interval_holds_the_truth_about_19_times_in_20() -> None:
    random = np.random.default_rng(2)
    scores, bad = firms(random, 200_000)
    truth, inside = auc(scores, bad), 0
    for _ in range(200):
        found = auc_interval(*firms(random))
        inside += found.low <= truth <= found.high
    assert 180 <= inside <= 199


def test_paired_scores_are_compared_more_closely_than_apart() -> None:
    random = np.random.default_rng(3)
    scores, bad = firms(random, 1000)
    other = scores + random.normal(0, 5, len(scores))
    found = auc_difference(scores, other, bad)
    alone = auc_interval(scores, bad)
    assert found.value == pytest.approx(auc(scores, bad) - auc(other, bad))
    assert found.low < found.value < found.high
    assert found.high - found.low < (alone.high - alone.low) / 2
    same = auc_difference(scores, scores, bad)
    assert same.value == 0 and same.high - same.low < 1e-6


def test_firms_parted_without_exception_still_have_an_interval() -> None:
    scores, bad = np.arange(20.0), np.arange(20) < 8
    found = auc_interval(scores, bad)
    assert found.value == 1 and 0.5 < found.low < 0.7 and found.high == 1
    turned = auc_interval(-scores, bad)
    assert turned.value == 0 and turned.high == pytest.approx(1 - found.low)
    few = auc_interval(np.arange(5.0), np.arange(5) < 1)
    assert (few.low, few.high) == (0, 1)


def test_the_interval_of_ks_holds_it_and_narrows_with_firms() -> None:
    random = np.random.default_rng(4)
    wide, narrow = (ks_interval(*firms(random, size)) for size in (200, 5000))
    scores, bad = firms(random)
    assert ks_interval(scores, bad) == ks_interval(scores, bad)
    assert ks_interval(scores, bad).value == ks(scores, bad)
    assert wide.low <= wide.value <= wide.high
    assert narrow.high - narrow.low < (wide.high - wide.low) / 2


def test_a_single_outcome_is_refused() -> None:
    with pytest.raises(ScorecardError, match="defaulted"):
        auc_interval(np.arange(3.0), np.zeros(3, dtype=bool))
    with pytest.raises(ScorecardError, match="two firms of each"):
        auc_difference(np.arange(3.0), np.arange(3.0), np.arange(3) == 0)
