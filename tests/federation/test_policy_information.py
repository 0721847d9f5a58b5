"""Rule d's posteriors against listing every firm that there can be, and what it makes of them."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from federation.policy import (
    Earlier,
    PolicyError,
    PolicyThresholds,
    Submission,
    certify_policy,
    information,
    views,
)
from federation.policy.population import GRID, WEIGHTS, margins
from federation.policy.posterior import posteriors
from federation.policy.records import draw_records
from node.models.selftest.attacks import ATTACKS, CATALOGUE, FEATURES, certain_half, honest, key
from node.models.selftest.laboratory import KINDS, Published, catalogue, scorecard
from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard

KNOWN = {"tax": 0.9, "power": 0.8, "insurance": 0.97, "court": 1.0, "invoice": 1.0}
SMALL = (
    Published("tax", "a", (0.05, 0.5, 0.45, 0.0, 0.0), 0.6),
    Published("tax", "b", (0.0, 0.7, 0.3, 0.0, 0.0), -0.4),
    Published("power", "c", (0.1, 0.3, 0.6, 0.0, 0.0), 0.5, moving=0.3),
    Published("insurance", "d", (0.0, 0.2, 0.2, 0.6, 0.0), 0.2),
    Published("insurance", "e", (0.0, 0.9, 0.1, 0.0, 0.0), 0.3),
)
FIRST = {
    "x": {SMALL[0].key: [2, 0, 1, 0, 0], SMALL[2].key: [0, 1, 2, 0, 0]},
    "y": {SMALL[1].key: [0, 1, 0, 0, 0], SMALL[3].key: [0, 0, 1, 2, 0]},
}
SECOND = {"x": {SMALL[0].key: [0, 1, 1, 0, 0], SMALL[3].key: [1, 0, 1, 0, 0]}}


def small(
    points: Mapping[str, Mapping[tuple[str, str], Sequence[int]]], name: str = "m"
) -> Scorecard:
    return scorecard(points, name, ("tax", "power", "insurance"))


def published(public: Sequence[str] = ()) -> Catalogue:
    data = catalogue(SMALL, KNOWN).model_dump(mode="json", exclude_none=True)
    for feature in data["features"]:
        feature["public"] = feature["name"] in public
    return Catalogue.build(data)


def listed(
    cards: Sequence[Scorecard], found: Catalogue, public: Sequence[str] = ()
) -> tuple[Mapping[object, Mapping[tuple[str, int], float]], Mapping[object, float]]:
    """By what the bank sees: the chance of each (feature, bin) with it, and its own chance.

    Every factor, pattern of holders and combination of bins is listed, one after the other.
    """
    kinds = sorted({f.kind for f in SMALL})
    tables = {f.key: margins(found, found.feature(f.kind, f.name)).given for f in SMALL}
    joint: dict[object, dict[tuple[str, int], float]] = defaultdict(lambda: defaultdict(float))
    total: dict[object, float] = defaultdict(float)
    for (z, weight), pattern in itertools.product(
        enumerate(WEIGHTS), itertools.product((0, 1), repeat=len(kinds))
    ):
        knows = dict(zip(kinds, pattern, strict=True))
        chance = weight
        for kind in kinds:
            chance *= KNOWN[kind] if knows[kind] else 1 - KNOWN[kind]
        choices = []
        for f in SMALL:
            row = tables[f.key][z] if knows[f.kind] else np.eye(5)[0]
            choices.append([(b, float(row[b])) for b in range(5) if row[b] > 0])
        for combination in itertools.product(*choices):
            p = chance
            for _, share in combination:
                p *= share
            bins = {f.key: b for f, (b, _) in zip(SMALL, combination, strict=True)}
            sums = tuple(
                sum(e.points[bins[e.holder, e.feature]] for e in card.points if e.field == f.name)
                for card in cards
                for f in card.fields
            )
            shown = tuple(b for (_, name), b in bins.items() if name in public)
            coverage = tuple(sum(knows.get(p.kind, 1) for p in card.participants) for card in cards)
            sight = (sums, coverage, shown)
            total[sight] += p
            for (_, name), b in bins.items():
                joint[sight][name, b] += p
    return joint, total


@pytest.mark.parametrize("public", [(), ("e",), ("b", "e")])
@pytest.mark.parametrize("models", [1, 2])
def test_figures_agree_with_listing_every_firm(public: tuple[str, ...], models: int) -> None:
    found = published(public)
    cards = [small(f, f"m{n}") for n, f in enumerate((FIRST, SECOND)[:models])]
    joint, total = listed(cards, found, public)
    seen = views.sight(cards, found)
    patterns = views.patterns(seen)
    assert 1 - patterns.chances.sum() < 1e-3
    told = posteriors(seen, views.components(seen), patterns, 3_000, np.random.default_rng(1))
    for variable, posterior in zip(seen.variables, told, strict=True):
        name = variable.name.split()[1]
        for number in range(len(variable.points)):
            bins = {b for b, _ in variable.bins[number]}
            inside = sum(joint[s][name, b] for s in joint for b in bins)
            if inside == 0:
                continue
            exact = (
                sum(sum(joint[s][name, b] for b in bins) ** 2 / total[s] for s in joint) / inside
            )
            sure = posterior.told[posterior.drawn == number][:, number]
            error = sure.std() / np.sqrt(len(sure))
            assert abs(sure.mean() - exact) < 5 * error + 2e-3, (name, bins)


def test_each_posterior_is_the_listed_one() -> None:
    found, cards = published(), [small(FIRST)]
    joint, total = listed(cards, found)
    seen = views.sight(cards, found)
    parts, patterns = views.components(seen), views.patterns(seen)
    records = draw_records(seen, parts, patterns, 200, np.random.default_rng(2))
    told = posteriors(seen, parts, patterns, 200, np.random.default_rng(2))
    least = [
        sum(min(e.points) for e in cards[0].points if e.field == f.name) for f in cards[0].fields
    ]
    compared = 0
    for number, (variable, posterior) in enumerate(zip(seen.variables, told, strict=True)):
        name = variable.name.split()[1]
        for place, row in enumerate(np.flatnonzero(records.owner == number)):
            sums = [0, 0]
            for part, cells in zip(parts, records.cells, strict=True):
                for view, cell in zip(part.views, cells[row], strict=True):
                    sums[view] = int(cell) + least[view]
            # Records say the sums and the group of patterns: all coverages of the group are one.
            group = patterns.known[patterns.group == records.group[row]]
            coverage = int(group[0].sum())
            sight = (tuple(sums), (coverage,), ())
            for c, chance in enumerate(posterior.told[place]):
                bins = {b for b, _ in variable.bins[c]}
                exact = sum(joint[sight][name, b] for b in bins) / total[sight]
                assert chance == pytest.approx(exact, abs=1e-6)
                compared += 1
    assert compared > 1000


def test_the_population_has_the_published_frequencies() -> None:
    for feature in CATALOGUE.features:
        known = margins(CATALOGUE, feature)
        share = CATALOGUE.mean_recognition(feature.kind)
        found = share * (WEIGHTS @ known.given)
        found[0] += 1 - share
        assert np.abs(found - np.array(feature.frequencies)).max() < 2e-4
        assert known.moves is not None
        assert known.moves.sum(axis=1) == pytest.approx(1)
    assert pytest.approx(0, abs=1e-12) == GRID @ WEIGHTS
    assert pytest.approx(1, abs=1e-3) == GRID**2 @ WEIGHTS


def test_a_loading_makes_features_go_together() -> None:
    joint, total = listed([small(FIRST)], published())
    both = defaultdict(float)
    for sight in joint:
        both["a"] += joint[sight]["a", 2]
    assert both["a"] == pytest.approx(0.45 * 0.9, abs=2e-3)
    assert sum(total.values()) == pytest.approx(1)


def judged(points: object, *, earlier: Sequence[Earlier] = (), **limits: float) -> list:
    thresholds = PolicyThresholds(**limits)
    card = scorecard({"trade": points})
    return list(information.check(Submission(card, CATALOGUE, thresholds, tuple(earlier))))


def test_a_good_scorecard_passes_every_rule() -> None:
    assert certify_policy(scorecard({"trade": honest()}), CATALOGUE, PolicyThresholds()).passed


def test_the_same_submission_gets_the_same_figures() -> None:
    assert judged(honest()) == judged(honest())


def test_every_bin_of_every_feature_is_in_the_report() -> None:
    items = [item for item in judged(honest()) if item.feature and item.bins]
    for (holder, feature), points in honest().items():
        mine = [i for i in items if i.feature == f"{holder} {feature}"]
        labels = {label for item in mine for label in item.bins or ()}
        assert len(labels) == len(points)
        assert all(0 < i.prior < 1 and i.prior < i.limit for i in mine)


def test_a_disclosed_feature_may_be_told() -> None:
    attack = certain_half()
    data = attack.submitted.model_dump(mode="json")
    named = {
        i.feature.split()[0].rsplit("/", 1)[1] + "." + i.feature.split()[1]
        for i in attack.report.failures
        if i.feature
    }
    disclosed = Scorecard.build(data | {"disclosed": sorted(named)})
    assert not attack.report.passed
    assert certify_policy(disclosed, CATALOGUE, PolicyThresholds()).passed


def test_what_a_third_model_discloses_is_judged_beside_the_second() -> None:
    """The difference of two models tells of a feature that only a third one discloses."""
    attack = ATTACKS["withdrawn_recertified"]()
    third = scorecard({"other": {key(kind, "half"): [0, 0, 1, 0, 0] for kind in KINDS}}, "third")
    names = tuple(sorted(".".join(n.rsplit("/", 1)[1].split()) for n in attack.features))
    valid = [*attack.earlier, third.model_copy(update={"disclosed": names})]
    submission = Submission(
        attack.submitted,
        CATALOGUE,
        PolicyThresholds(most_valid_models=3),
        tuple(Earlier(card, CATALOGUE, True) for card in valid),
    )
    told = {item.feature for item in information.check(submission) if not item.passed}
    assert attack.features <= told


def test_a_third_valid_model_is_one_too_many_and_a_renewal_is_none() -> None:
    again = [Earlier(scorecard({"trade": honest()}, f"r{n}"), CATALOGUE, True) for n in range(3)]
    assert judged(honest(), earlier=again)[0].figure == 1
    others = [
        Earlier(scorecard({"trade": honest(turn)}, f"r{turn}"), CATALOGUE, True) for turn in (1, 2)
    ]
    item = judged(honest(), earlier=others)[0]
    assert (item.figure, item.passed) == (3, False)
    withdrawn = [Earlier(e.scorecard, CATALOGUE, False) for e in others]
    assert judged(honest(), earlier=withdrawn)[0].figure == 1


def test_two_valid_models_tell_more_than_one() -> None:
    other = Earlier(scorecard({"trade": honest(1)}, "other"), CATALOGUE, True)
    alone, joint = judged(honest()), judged(honest(), earlier=[other])
    figures = [
        {(i.feature, i.bins): i.figure for i in items if i.feature and i.bins}
        for items in (alone, joint)
    ]
    common = figures[0].keys() & figures[1].keys()
    assert len(common) > 20
    higher = sum(figures[1][k] >= figures[0][k] - 0.02 for k in common)
    assert higher == len(common)
    assert np.mean([figures[1][k] - figures[0][k] for k in common]) > 0.01


@pytest.mark.parametrize("known", [1.0, 0.9995])
def test_firms_unknown_to_a_holder_that_knows_nearly_all_are_judged(known: float) -> None:
    """Odd points of `missing` alone: an odd record says which holder does not know the firm."""
    even = [key(kind, f"even{n}") for kind in KINDS for n in range(2)]
    odd = [key("tax", f"even{n}") for n in range(3)]
    points = {k: [2, 0, 2, 4, 6] for k in even} | {k: [3, 0, 2, 4, 6] for k in odd}
    found = catalogue(FEATURES, dict.fromkeys(KINDS, known))
    report = certify_policy(scorecard({"trade": points}), found, PolicyThresholds())
    told = {item.feature for item in report.failures if item.bins == ("missing",)}
    assert {" ".join(k) for k in odd} <= told


def test_fields_that_mix_beyond_what_can_be_judged_are_refused() -> None:
    kinds = [key(kind, f"even{n}") for kind in KINDS for n in range(8)]
    split = {f"x{n}": {k: [1, 0, 1, 2, 3] for k in kinds[n::4]} for n in range(4)}
    mixed = {f"x{n}": {k: [1, 0, 1, 2, 3] for k in kinds[10 * n : 10 * n + 10]} for n in range(4)}
    earlier = Earlier(scorecard(mixed, "mixed"), CATALOGUE, True)
    card = scorecard(split)
    submission = Submission(card, CATALOGUE, PolicyThresholds(), (earlier,))
    refused = [item for item in information.check(submission) if not item.passed]
    assert refused[0].figure > information.MOST_CELLS


def test_statistics_that_are_not_published_are_asked_for() -> None:
    data = CATALOGUE.model_dump(mode="json", exclude_none=True)
    for member, what in (("loading", "loading"), ("transitions", "transitions")):
        features = [{k: v for k, v in f.items() if k != member} for f in data["features"]]
        lacking = Catalogue.build(data | {"features": features})
        with pytest.raises(PolicyError, match=what):
            certify_policy(scorecard({"trade": honest()}), lacking, PolicyThresholds())
    with pytest.raises(PolicyError, match="recognition"):
        certify_policy(
            scorecard({"trade": honest()}),
            Catalogue.build({k: v for k, v in data.items() if k != "recognition"}),
            PolicyThresholds(),
        )
