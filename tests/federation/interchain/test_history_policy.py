"""Policy with what other chains certified: an attack over two chains, and honest use of three."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from federation.policy import Earlier, PolicyError, PolicyThresholds, Submission, certify_policy
from federation.policy.history import changed, readings
from federation.policy.rank import check as rule_c
from federation.policy.refining import on_common_bins
from node.models.selftest.attacks import CATALOGUE, honest, key, louder_than_cover
from node.models.selftest.laboratory import scorecard
from scoring.catalogue import Bins, Catalogue
from scoring.scorecard import Participant, Scorecard

DEFAULT = PolicyThresholds()
FINER = (0.5, 1.0, 2.0, 2.5, 3.0)
Points = Mapping[tuple[str, str], Sequence[int]]


def abroad(card: Scorecard, chain: str = "zsj") -> Scorecard:
    """The same scorecard for the holders of another chain."""

    def there(holder: str) -> str:
        return holder.replace("lab.example", f"{chain}.example")

    return changed(
        card,
        participants=tuple(
            Participant(holder=there(p.holder), kind=p.kind) for p in card.participants
        ),
        points=tuple(p.model_copy(update={"holder": there(p.holder)}) for p in card.points),
    )


def finer() -> tuple[Catalogue, dict[int, int]]:
    """A catalogue that cuts every feature of five bins finer; which bin each of its bins is of."""
    bin_of = {0: 0, 1: 1, 2: 1, 3: 2, 4: 3, 5: 3, 6: 4}
    features = []
    for feature in CATALOGUE.features:
        if feature.bin_count != 5:
            features.append(feature)
            continue
        shares = feature.frequencies or ()
        split = [shares[b] / list(bin_of.values()).count(b) for b in bin_of.values()]
        changes = {"bins": Bins(edges=FINER), "frequencies": tuple(split), "transitions": None}
        features.append(feature.model_copy(update=changes))
    plain = {name: getattr(CATALOGUE, name) for name in Catalogue.model_fields}
    return Catalogue(**plain | {"version": "lab-2", "features": tuple(features)}), bin_of


def on_finer(card: Scorecard) -> Earlier:
    """What the other chain certified of the same model on its finer catalogue."""
    catalogue, bin_of = finer()
    there = abroad(card)
    points = tuple(
        p.model_copy(update={"points": tuple(p.points[b] for b in bin_of.values())})
        for p in there.points
    )
    mapped = changed(there, points=points, catalogue_version="lab-2")
    mapped.check(catalogue)
    return Earlier(mapped, catalogue, True, "zsj")


def failing(card: Scorecard, *earlier: Earlier) -> set[str]:
    return {item.rule for item in certify_policy(card, CATALOGUE, DEFAULT, earlier).failures}


def test_one_feature_more_in_another_chain_is_refused_with_shared_history_only() -> None:
    """A in one chain, A and one feature more in the other: subtracting reads the one."""
    first = scorecard({"trade": honest()}, "a")
    wanted = key("court", "even3")
    second = scorecard({"trade": honest() | {wanted: [1, 0, 1, 2, 3]}}, "a-and-one")
    report = certify_policy(
        second, CATALOGUE, DEFAULT, [Earlier(abroad(first), CATALOGUE, False, "zsj")]
    )
    assert {item.rule for item in report.failures} == {"c"}
    assert {item.about for item in report.failures} == {(" ".join(wanted),)}
    # Without what the other chain told, nothing is wrong with it.
    assert failing(second) == set()


def test_taking_the_other_chains_holders_for_others_would_let_it_pass() -> None:
    first = scorecard({"trade": honest()}, "a")
    second = scorecard({"trade": honest() | {key("court", "even3"): [1, 0, 1, 2, 3]}}, "b")
    unrenamed = Submission(
        second, CATALOGUE, DEFAULT, (Earlier(abroad(first), CATALOGUE, False, "zsj"),)
    )
    assert all(item.passed for item in rule_c(unrenamed))


def test_the_same_scorecard_passes_in_three_chains_whatever_their_bins() -> None:
    card = scorecard({"trade": honest()}, "a")
    third = Earlier(abroad(card, "jjj"), CATALOGUE, True, "jjj")
    assert failing(card, on_finer(card), third) == set()


def test_a_valid_model_of_another_chain_with_other_bins_is_judged_together() -> None:
    attack = louder_than_cover()  # which passes by itself
    assert failing(attack.submitted, on_finer(attack.earlier[0])) == {"d"}


def test_common_bins_keep_what_a_scorecard_says() -> None:
    card = scorecard({"trade": honest()}, "a")
    away = on_finer(card)
    (before,) = readings(card, [away])
    common = on_common_bins(Submission(card, CATALOGUE, DEFAULT, before))
    common.scorecard.check(common.catalogue)
    assert common.catalogue.feature("tax", "even0").bins.edges == FINER
    assert common.scorecard.points == common.earlier[0].scorecard.points
    for feature in common.catalogue.features:
        assert sum(feature.frequencies or ()) == pytest.approx(1)
    alone = Submission(card, CATALOGUE, DEFAULT)
    assert on_common_bins(alone) is alone


def test_own_history_is_one_reading_and_untouched() -> None:
    card = scorecard({"trade": honest()}, "a")
    own = (Earlier(card, CATALOGUE, True),)
    assert list(readings(card, own)) == [own]
    assert list(readings(card, ())) == [()]


def _of(holders: Mapping[str, str]) -> Scorecard:
    card = scorecard({"trade": honest()}, "a")
    names = list(holders)
    points = tuple(
        p.model_copy(update={"holder": names[number % len(names)], "feature": f"f{number}"})
        for number, p in enumerate(card.points)
    )
    parties = tuple(Participant(holder=h, kind=k) for h, k in holders.items())
    return changed(card, participants=parties, points=points)


def test_every_holder_there_meets_every_one_of_its_kind_here_in_some_reading() -> None:
    def named(name: str) -> str:
        return f"spiffe://lab.example/holder/{name}"

    def other(name: str) -> str:
        return f"spiffe://zsj.example/holder/{name}"

    here = _of({named("t1"): "tax", named("t2"): "tax", named("p"): "power"})
    there = _of({other("x1"): "tax", other("x2"): "tax", other("x3"): "tax", other("g"): "gas"})
    found = list(readings(here, [Earlier(there, CATALOGUE, False, "zsj")]))
    assert len(found) == 3
    pairs = set()
    for (one,) in found:
        seats = [p.holder for p in one.scorecard.participants]
        assert len(set(seats)) == 4
        assert seats[3] == other("g")  # no such kind here
        pairs |= {(n, seat) for n, seat in enumerate(seats[:3]) if "lab" in seat}
        assert {e.holder for e in one.scorecard.points} <= set(seats)
    assert pairs == {(n, named(t)) for n in range(3) for t in ("t1", "t2")}


def test_a_category_under_the_name_of_a_number_cannot_be_judged() -> None:
    card = scorecard({"trade": honest()}, "a")
    odd: dict[str, Any] = {"type": "category", "bins": Bins(categories=("x", "y", "z"))}
    features = tuple(
        f.model_copy(update=odd) if f.id == "tax.even0" else f for f in CATALOGUE.features
    )
    plain = {name: getattr(CATALOGUE, name) for name in Catalogue.model_fields}
    other = Catalogue(**plain | {"features": features})
    with pytest.raises(PolicyError, match=r"tax\.even0 .* zsj"):
        certify_policy(card, CATALOGUE, DEFAULT, [Earlier(abroad(card), other, False, "zsj")])
