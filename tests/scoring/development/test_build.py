"""From counts to a card: it separates, keeps policy a and b, and refuses what cannot be made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from federation.policy import PolicyThresholds, spacing, spread
from federation.policy.submission import Submission
from scoring.development.build import build_card
from scoring.development.evidence import findings
from scoring.development.modelled import modelled
from scoring.development.plan import DEFAULT, Plan
from scoring.development.weights import GREATEST_SHARE
from scoring.errors import ScorecardError
from scoring.quality import auc
from scoring.rounding import round_points
from scoring.scorecard import FeaturePoints, Scale, Scorecard, ScoreField
from tests.support.modelled_firms import HOLDERS, catalogue, counts, firms

TEXT = {"zh": "无", "en": "none"}
PLAN = Plan.build(
    {
        "fields": [
            {"name": "money", "title": TEXT, "reason": "R02", "kinds": ["tax", "invoice"]},
            {"name": "use", "title": TEXT, "reason": "R03", "kinds": ["power"]},
        ]
    }
)


@pytest.fixture(scope="module")
def population() -> Any:
    return firms(20_000, 8)


@pytest.fixture(scope="module")
def others() -> Any:
    return firms(20_000, 9)


def build(population: Any, **changes: Any) -> Any:
    bins, bad = population
    given = {"sigma": 15.0, "seed": 1, **changes}
    unknown = given.pop("score_unknown", False)
    made = counts(catalogue(), bins, bad, **given)
    return build_card(made, catalogue(), name="t", version="1", plan=PLAN, score_unknown=unknown)[0]


def test_noisy_counts_separate_nearly_as_well_as_exact_ones(population: Any, others: Any) -> None:
    bins, bad = others
    exact, noisy = build(population, sigma=0), build(population)
    best = auc(exact.scores(bins), bad)
    assert best > 0.66
    assert auc(noisy.scores(bins), bad) > best - 0.01


def test_scores_are_odds_that_err_towards_the_middle(population: Any, others: Any) -> None:
    bins, bad = others
    odds = (build(population).scores(bins) - 600) * np.log(2) / 40 + np.log(20)
    chance = 1 / (1 + np.exp(odds))
    assert chance.mean() == pytest.approx(bad.mean(), abs=0.03)
    # These holders' factors agree less than is assumed: scores err towards the middle, not beyond.
    for tail in (chance > np.quantile(chance, 0.9), chance < np.quantile(chance, 0.1)):
        told, true = chance[tail].mean() - chance.mean(), bad[tail].mean() - bad.mean()
        assert 0.4 < told / true < 1.1


@pytest.mark.parametrize("sigma", [0.0, 15.0, 80.0])
def test_the_card_rounds_to_policy_a_and_b(population: Any, sigma: float) -> None:
    card = build(population, sigma=sigma)
    rounded = round_points(card.real_points(catalogue()))
    scorecard = Scorecard(
        name="t",
        version="1",
        catalogue_version="t",
        participants=card.participants,
        fields=tuple(
            ScoreField(
                name=f.name, title=f.title, reason=f.reason, step=round(rounded.steps[f.name], 6)
            )
            for f in card.fields
        ),
        points=tuple(
            FeaturePoints(
                holder=e.holder,
                feature=e.feature,
                field=e.field,
                points=rounded.points[e.holder, e.feature],
            )
            for e in card.features
        ),
        scale=Scale(offset=card.offset),
    )
    submission = Submission(scorecard, catalogue(), PolicyThresholds())
    items = [item for rule in (spread.check, spacing.check) for item in rule(submission)]
    assert items
    assert [item.text.en for item in items if not item.passed] == []


def test_missing_is_neutral_unless_it_is_asked_for(population: Any) -> None:
    bins, bad = population
    hidden = {
        key: np.where(bad & (np.arange(len(bad)) % 2 == 0), 0, row).astype(np.uint16)
        if key[0] == HOLDERS["power"]
        else row
        for key, row in bins.items()
    }
    plain, scored = build((hidden, bad)), build((hidden, bad), score_unknown=True)
    assert {entry.points[0] for entry in plain.features} == {0.0}
    unknown = [e.points[0] for e in scored.features if e.holder == HOLDERS["power"]]
    assert sum(unknown) < -20


def test_a_feature_that_says_most_is_held_down(population: Any) -> None:
    bins, bad = dict(population[0]), population[1]
    # One feature of the field `use` knows the outcome nearly by itself.
    telling = np.where(bad, 1, 6)
    lies = np.random.default_rng(1).random(len(bad)) < 0.1
    bins[HOLDERS["power"], "f0"] = np.where(lies, 3, telling).astype(np.uint16)
    card = build((bins, bad), sigma=0)
    shares = np.array(catalogue().features[0].frequencies)
    spreads = {
        (e.holder, e.feature): float(
            np.sqrt(
                np.average((e.points - np.average(e.points, weights=shares)) ** 2, weights=shares)
            )
        )
        for e in card.features
        if e.field == "use"
    }
    own = spreads[HOLDERS["power"], "f0"]
    assert own == max(spreads.values())
    assert own <= GREATEST_SHARE * np.sqrt(sum(s**2 for s in spreads.values())) * (1 + 1e-9)


def test_what_the_model_assumes_is_what_modelled_firms_do(population: Any) -> None:
    bins, bad = population
    found = findings(counts(catalogue(), bins, bad), catalogue())
    model = modelled(found, catalogue())
    table = np.stack([entry.log_odds[bins[entry.key]] for entry in found.features])
    seen = np.cov(table)
    difference = table[:, ~bad].mean(axis=1) - table[:, bad].mean(axis=1)
    number = len(found.features)
    assert model.difference[:number] == pytest.approx(difference, abs=0.03)
    within = np.kron(np.eye(3), np.ones((6, 6))).astype(bool)
    assert model.covariance[:number, :number][within] == pytest.approx(seen[within], abs=0.05)
    values = np.linalg.eigvalsh(model.covariance)
    assert values.min() > -1e-9


def test_a_kind_without_field_and_a_field_of_too_few_features_are_refused(population: Any) -> None:
    bins, bad = population
    made = counts(catalogue(), bins, bad)
    with pytest.raises(ScorecardError, match="power"):
        build_card(made, catalogue(), name="t", version="1", plan=DEFAULT)
    few = {k: v for k, v in bins.items() if k[0] != HOLDERS["power"] or k[1] in ("f0", "f1")}
    with pytest.raises(ScorecardError, match="field use: 2 non-public"):
        build_card(counts(catalogue(), few, bad), catalogue(), name="t", version="1", plan=PLAN)


def test_loadings_and_recognition_have_to_be_published(population: Any) -> None:
    bins, bad = population
    bare = catalogue(loading=None)
    with pytest.raises(ScorecardError, match="loading"):
        build_card(counts(bare, bins, bad), bare, name="t", version="1", plan=PLAN)
    silent = catalogue().model_copy(update={"recognition": None})
    with pytest.raises(ScorecardError, match="recognition"):
        build_card(counts(silent, bins, bad), silent, name="t", version="1", plan=PLAN)
    with pytest.raises(ScorecardError, match="stands in two fields"):
        Plan.build({"fields": [PLAN.fields[1].model_dump(), PLAN.fields[1].model_dump()]})
