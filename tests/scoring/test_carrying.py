"""A scorecard on a new catalogue: carried over only where every firm keeps its points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.identity import SpiffeId
from scoring.carrying import Conflict, State, Why, carry
from scoring.catalogue import Bins, Catalogue, Feature
from scoring.columns import encode
from scoring.errors import ScorecardError
from scoring.scorecard import Scorecard
from support.small import DOMAIN, KINDS, small_catalogue, small_scorecard

HOLDERS = [(SpiffeId.parse(f"spiffe://{DOMAIN}/holder/{kind}-1"), kind) for kind in KINDS]


def catalogue(version: str, bins: Bins, **changes: Any) -> Catalogue:
    """The small catalogue with other bins of its first feature."""
    first, *rest = small_catalogue().features
    update = {"bins": bins, "frequencies": None, "transitions": None} | changes
    features = (first.model_copy(update=update), *rest)
    return small_catalogue().model_copy(update={"version": version, "features": features})


def changed(catalogue: Catalogue, **update: Any) -> Catalogue:
    """Another version of a catalogue, made anew: a copy would remember its features by kind."""
    return Catalogue.build(catalogue.model_dump() | {"version": "new"} | update)


def scorecard(points: Sequence[int], version: str = "old") -> Scorecard:
    card = small_scorecard("model", HOLDERS).model_dump(mode="json")
    card["points"][0]["points"] = points
    return Scorecard.build(card | {"catalogue_version": version})


OLD = catalogue("old", Bins(edges=(10.0, 20.0, 30.0)))
CARD = scorecard((1, 0, 2, 2, 3))


def test_statistics_and_titles_change_nothing() -> None:
    new = catalogue("new", OLD.features[0].bins, unit="yuan", sense="better")
    impact = carry(CARD, OLD, new)
    assert impact.state is State.UNCHANGED
    assert impact.carried == CARD.model_copy(update={"catalogue_version": "new"})


def test_the_carried_scorecard_may_have_a_version_of_its_own() -> None:
    carried = carry(CARD, OLD, changed(OLD), "2").carried
    assert carried is not None
    assert (carried.version, carried.catalogue_version) == ("2", "new")


@pytest.mark.parametrize(
    ("edges", "points"),
    [
        ((10.0, 15.0, 20.0, 25.0, 30.0), (1, 0, 2, 2, 2, 2, 3)),  # split anywhere
        ((10.0, 30.0), (1, 0, 2, 3)),  # merged where points are equal
        ((10.0, 12.0, 30.0, 40.0), (1, 0, 2, 2, 3, 3)),  # both
    ],
)
def test_bins_are_split_and_merged_where_points_are_equal(
    edges: tuple[float, ...], points: tuple[int, ...]
) -> None:
    new = catalogue("new", Bins(edges=edges))
    impact = carry(CARD, OLD, new)
    assert impact.state is State.CARRIED
    assert impact.points[0].points == points
    assert {entry.state for entry in impact.points[1:]} == {State.UNCHANGED}
    assert impact.carried is not None
    impact.carried.check(new)
    assert impact.carried.points[0].points == points
    assert impact.carried.layout() == CARD.layout()


def test_a_lost_edge_between_unequal_points_is_named() -> None:
    impact = carry(CARD, OLD, catalogue("new", Bins(edges=(20.0, 30.0))))
    assert (impact.state, impact.carried) == (State.BROKEN, None)
    (broken,) = impact.broken
    assert (broken.holder, broken.feature) == (str(HOLDERS[0][0]), "f0")
    assert broken.why is Why.BINS
    assert broken.conflicts == (Conflict("< 20", (("< 10", 0), ("[10, 20)", 2)), (10.0,)),)


def test_a_special_value_of_its_own_points_is_not_given_up() -> None:
    special = catalogue("old", Bins(edges=(10.0,), specials=(0.0,)))
    plain = catalogue("new", Bins(edges=(10.0,)))
    assert carry(scorecard((1, 0, 0, 3)), special, plain).state is State.CARRIED
    (broken,) = carry(scorecard((1, 2, 0, 3)), special, plain).broken
    assert broken.conflicts == (Conflict("< 10", (("= 0", 2), ("< 10", 0))),)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"unit": "wan"}, Why.UNIT),
        ({"type": "category", "bins": Bins(categories=("a", "b"))}, Why.TYPE),
        ({"name": "renamed"}, Why.FEATURE_GONE),
    ],
)
def test_another_unit_type_or_name_is_another_feature(changes: dict[str, Any], why: Why) -> None:
    new = catalogue("new", **{"bins": OLD.features[0].bins} | changes)
    impact = carry(CARD, OLD, new)
    assert [entry.why for entry in impact.broken] == [why]
    assert impact.carried is None


def test_a_kind_that_is_gone_breaks_and_is_named() -> None:
    kind = KINDS[-1]
    new = changed(
        OLD,
        holders=tuple(h for h in OLD.holders if h.kind != kind),
        features=tuple(f for f in OLD.features if f.kind != kind),
        recognition=None,
    )
    impact = carry(CARD, OLD, new)
    assert (impact.state, impact.kinds_gone) == (State.BROKEN, (kind,))
    assert {entry.feature for entry in impact.broken} == {"f0", "f1", "f2", "f3"}


def test_disclosed_features_that_go_and_those_that_become_public_are_named() -> None:
    first, second, *rest = OLD.features
    extra = second.model_copy(update={"name": "extra"})
    old = changed(OLD, version="old", features=(*OLD.features, extra))
    disclosed = (extra.id, second.id)
    card = CARD.model_copy(update={"disclosed": disclosed})
    features = (first.model_copy(update={"public": True}), second, *rest)
    impact = carry(card, old, changed(old, features=features))
    assert (impact.disclosed_gone, impact.now_public, impact.not_public) == (
        (extra.id,),
        (first.id,),
        (),
    )
    assert impact.carried is not None
    assert impact.carried.disclosed == (second.id,)
    back = carry(CARD, changed(OLD, version="old", features=features), OLD)
    assert (back.now_public, back.not_public) == ((), (first.id,))


def test_a_scorecard_of_another_catalogue_is_refused() -> None:
    with pytest.raises(ScorecardError, match="catalogue_version"):
        carry(scorecard((1, 0, 2, 2, 3), "other"), OLD, OLD)


NUMBERS = st.integers(-4, 4).map(float)
BINS = st.builds(
    lambda edges, specials: Bins(edges=tuple(sorted(edges)), specials=tuple(specials)),
    st.sets(NUMBERS, min_size=1, max_size=4),
    st.lists(NUMBERS, unique=True, max_size=2),
)
VALUES = np.array([np.nan, *(n / 2 for n in range(-10, 11))])


@given(BINS, BINS, st.data())
def test_every_firm_keeps_its_points_or_the_card_is_broken_for_one(
    before: Bins, after: Bins, data: st.DataObject
) -> None:
    levels = st.lists(st.integers(0, 1), min_size=before.count, max_size=before.count)
    card = scorecard(data.draw(levels))
    old, new = catalogue("old", before), catalogue("new", after)
    impact = carry(card, old, new)
    was = np.array(card.points[0].points)[encode(_first(old), VALUES)]
    if impact.carried is not None:
        now = np.array(impact.carried.points[0].points)[encode(_first(new), VALUES)]
        assert (was == now).all()
        return
    # No points for the new bins would do: firms of one of them had different ones.
    bins = encode(_first(new), VALUES)
    assert any(len({*was[bins == number]}) > 1 for number in range(after.count))


def _first(catalogue: Catalogue) -> Feature:
    return catalogue.features[0]
