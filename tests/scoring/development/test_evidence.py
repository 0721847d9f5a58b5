"""Evidence of counts: near the truth without noise, shrunk by noise, honest about its deviation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from scoring.development.evidence import findings
from scoring.errors import ScorecardError
from tests.support.modelled_firms import FEATURES, HOLDERS, catalogue, counts, firms

FIRMS = 20_000


@pytest.fixture(scope="module")
def population() -> Any:
    return firms(FIRMS, 2)


def test_exact_counts_give_the_usual_weights_of_evidence(population: Any) -> None:
    bins, bad = population
    found = findings(counts(catalogue(), bins, bad), catalogue())
    assert len(found.features) == FEATURES * len(HOLDERS)
    assert found.base == pytest.approx(math.log((~bad).sum() / bad.sum()))
    for entry in found.features:
        row = bins[entry.key]
        good = np.bincount(row[~bad], minlength=7) / (~bad).sum()
        other = np.bincount(row[bad], minlength=7) / bad.sum()
        plain = np.log(good / other)
        assert entry.woe[1:] == pytest.approx(plain[1:], abs=0.25)
        assert entry.iv == pytest.approx(float((good - other) @ plain), abs=0.05)
        assert entry.shares == pytest.approx(np.bincount(row, minlength=7) / FIRMS, abs=1e-3)
        assert entry.log_odds[0] == 0


def test_deviations_cover_the_truth(population: Any) -> None:
    bins, bad = population
    # The law of the firms, from a hundred times as many: what noisy counts are an estimate of.
    many, outcome = firms(400_000, 3)
    truth = findings(counts(catalogue(), many, outcome), catalogue())
    off = []
    for seed in range(6):
        noisy = findings(counts(catalogue(), bins, bad, sigma=15, seed=seed), catalogue())
        for seen, true in zip(noisy.features, truth.features, strict=True):
            off.append((seen.log_odds - true.log_odds)[1:] / seen.deviation[1:])
    within = np.mean(np.abs(np.concatenate(off)) < 2)
    assert 0.85 < within <= 1.0


def test_noise_alone_is_read_as_nothing() -> None:
    bins, bad = firms(FIRMS, 4)
    shuffled = np.random.default_rng(5).permutation(bad)
    found = findings(counts(catalogue(), bins, shuffled, sigma=15, seed=1), catalogue())
    told = findings(counts(catalogue(), bins, bad, sigma=15, seed=1), catalogue())
    assert max(np.ptp(entry.log_odds) for entry in found.features) < 0.6
    assert np.mean([e.iv for e in found.features]) < 0.1 * np.mean([e.iv for e in told.features])


def test_more_noise_less_said_and_wider_deviations(population: Any) -> None:
    bins, bad = population
    calm = findings(counts(catalogue(), bins, bad), catalogue())
    loud = findings(counts(catalogue(), bins, bad, sigma=150, seed=1), catalogue())
    assert np.mean([e.iv for e in loud.features]) < np.mean([e.iv for e in calm.features])
    assert np.mean([e.deviation.max() for e in loud.features]) > 2 * np.mean(
        [e.deviation.max() for e in calm.features]
    )


def test_firms_unknown_to_a_holder_are_told_by_all_its_features() -> None:
    bins, bad = firms(FIRMS, 6)
    # The power company does not know many of those that defaulted.
    holder = HOLDERS["power"]
    gone = bad & (np.random.default_rng(7).random(FIRMS) < 0.5)
    for key in bins:
        if key[0] == holder:
            bins[key] = np.where(gone, 0, bins[key]).astype(np.uint16)
    found = findings(counts(catalogue(), bins, bad, sigma=15, seed=1), catalogue())
    told = {unknown.holder: unknown for unknown in found.unknown}
    absent = bins[holder, "f0"] == 0
    truth = math.log((absent & ~bad).sum() / (absent & bad).sum()) - math.log(
        (~absent & ~bad).sum() / (~absent & bad).sum()
    )
    assert told[holder].log_odds == pytest.approx(truth, abs=3 * told[holder].deviation + 0.1)
    assert told[holder].log_odds < -1 < told[HOLDERS["tax"]].log_odds


def test_the_deviation_of_iv_is_that_of_repeated_noise(population: Any) -> None:
    bins, bad = population
    found = [
        findings(counts(catalogue(), bins, bad, sigma=15, seed=seed), catalogue()).features[0]
        for seed in range(8)
    ]
    spread = np.std([entry.iv for entry in found])
    assert spread < 2 * found[0].iv_deviation


def test_frequencies_have_to_be_published() -> None:
    bins, bad = firms(2_000, 1)
    bare = catalogue().model_copy(
        update={
            "features": tuple(
                f.model_copy(update={"frequencies": None}) for f in catalogue().features
            )
        }
    )
    with pytest.raises(ScorecardError, match="frequencies"):
        findings(counts(bare, bins, bad), bare)
