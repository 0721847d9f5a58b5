"""Attacks on certification: each is refused by its rule with its features named, and works without.

The scorecards are those of `yinxin model selftest`. At the regulator's desk, with its history, the
same is tried in tests/attack.
"""

from __future__ import annotations

import numpy as np
import pytest

from federation.policy import Earlier, PolicyThresholds, certify_policy
from node.models.selftest import simulated
from node.models.selftest.attacks import ATTACKS, CATALOGUE, FEATURES, KNOWN, certain_half
from node.models.selftest.laboratory import draw

MADE = {name: make() for name, make in ATTACKS.items()}
FIRMS = draw(FEATURES, KNOWN, 20_000, np.random.default_rng(7))


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_is_refused_with_features_and_figures_named(name: str) -> None:
    attack = MADE[name]
    assert attack.refused()
    failures = [item for item in attack.report.failures if item.rule == attack.rule]
    for feature in attack.features:
        naming = [i for i in failures if feature in (i.about or (i.feature,))]
        assert naming
        assert all(feature in i.text.en and feature in i.text.zh for i in naming)
        assert all(i.figure != i.limit and not i.passed for i in naming)


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_succeeds_without_policy(name: str) -> None:
    found, guessed = MADE[name].read(FIRMS)
    # How far what the bank reads lifts it from guessing towards certainty; policy allows 0.6.
    assert (found - guessed) / (1 - guessed) > 0.6


@pytest.mark.parametrize(
    "name",
    [
        "four_model_tracker",
        "withdrawn_recertified",
        "affiliates",
        "open_and_private",
        "rare_cover",
        "louder_than_cover",
    ],
)
def test_differences_pass_every_rule_but_c(name: str) -> None:
    attack = MADE[name]
    assert {item.rule for item in attack.report.failures} == {"c"}
    assert certify_policy(attack.submitted, CATALOGUE, PolicyThresholds()).passed


def test_what_is_too_loud_is_refused_by_rule_d_while_both_are_valid() -> None:
    attack = MADE["louder_than_cover"]
    history = [Earlier(attack.earlier[0], CATALOGUE, True)]
    report = certify_policy(attack.submitted, CATALOGUE, PolicyThresholds(), history)
    assert {item.rule for item in report.failures} == {"d"}
    before = certify_policy(attack.earlier[0], CATALOGUE, PolicyThresholds())
    assert before.passed


def test_every_pair_of_the_tracker_passes() -> None:
    attack = MADE["four_model_tracker"]
    for earlier in attack.earlier:
        history = [Earlier(earlier, CATALOGUE, False)]
        assert certify_policy(attack.submitted, CATALOGUE, PolicyThresholds(), history).passed


@pytest.mark.parametrize("name", ["certain_half", "moving_steps"])
def test_what_a_record_tells_passes_every_rule_but_d(name: str) -> None:
    assert {item.rule for item in MADE[name].report.failures} == {"d"}


def test_a_move_is_told_by_the_pair_of_months_alone() -> None:
    failures = MADE["moving_steps"].report.failures
    assert failures
    assert all("two successive months" in item.text.en for item in failures)


def test_accepted_scorecards_stay_within_their_bounds_and_the_simulation_can_tell() -> None:
    """A few of the 1,000 of `yinxin model selftest`, and one that policy refuses."""
    figures = simulated.run(lambda _: None, models=3, drawn=300_000, seed=11)
    assert figures["sets"] > 30
    assert 0.3 < figures["worst_ratio_to_bound"] <= 1.0
    attack = certain_half()
    rng = np.random.default_rng(3)
    drawn = simulated.Drawn(draw(FEATURES, KNOWN, 300_000, rng), FIRMS)
    bounds = {
        (item.feature, item.bins): item.limit
        for item in attack.report.failures
        if item.bins and item.feature in attack.features
    }
    population = simulated.Population(FEATURES, KNOWN)
    worst, sets = simulated.worst_ratio(attack.submitted, population, bounds, drawn)
    assert sets
    assert worst > 1.1
