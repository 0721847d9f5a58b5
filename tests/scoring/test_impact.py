"""What a new catalogue changes: features, bins, columns; and from where a new bin's firms come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.catalogue import Bins, Catalogue, Feature
from scoring.columns import encode
from scoring.documents import Text
from scoring.impact import compare, origins
from support.small import small_catalogue


def feature(**changes: Any) -> Feature:
    plain = (
        small_catalogue()
        .features[0]
        .model_copy(update={"frequencies": None, "transitions": None, "loading": None})
    )
    return Feature.build(plain.model_dump() | changes)


def cut(*edges: float, specials: tuple[float, ...] = ()) -> Feature:
    return feature(bins=Bins(edges=edges, specials=specials))


def sorts(*categories: str) -> Feature:
    return feature(type="category", bins=Bins(categories=categories))


def with_features(*features: Feature) -> Catalogue:
    return small_catalogue().model_copy(update={"version": "2", "features": features})


def test_equal_catalogues_differ_in_nothing() -> None:
    found = compare(small_catalogue(), small_catalogue())
    assert (found.gone, found.added, found.changed, found.moved) == ((), (), (), ())


def test_features_added_gone_and_moved_are_named() -> None:
    old = small_catalogue()
    first, *rest = old.features
    extra = first.model_copy(update={"name": "extra"})
    found = compare(old, with_features(*rest, extra))
    assert (found.gone, found.added) == ((first.id,), (extra.id,))
    # What follows the one that is gone moves up, of its own kind only.
    assert found.moved == tuple(f.id for f in rest if f.kind == first.kind)
    assert found.meaning == (first.id,)


def test_a_kind_that_goes_and_one_that_comes() -> None:
    old = small_catalogue()
    *kinds, last = old.holders
    new = old.model_copy(
        update={
            "holders": (*kinds, last.model_copy(update={"kind": "customs"})),
            "features": tuple(f for f in old.features if f.kind != last.kind),
        }
    )
    found = compare(old, new)
    assert (found.kinds_gone, found.kinds_new) == ((last.kind,), ("customs",))


@pytest.mark.parametrize(
    ("part", "changes", "means_another"),
    [
        ("type", {"type": "category", "bins": {"categories": ["a"]}}, True),
        ("unit", {"unit": "wan"}, True),
        ("bins", {"bins": {"edges": [50.0, 100.0]}}, True),
        ("public", {"public": True}, False),
        ("sense", {"sense": "better"}, False),
        ("title", {"title": Text(zh="乙", en="b")}, False),
        ("statistics", {"frequencies": (0.2, 0.3, 0.5)}, False),
    ],
)
def test_what_changes_of_a_feature_is_named(
    part: str, changes: dict[str, Any], means_another: bool
) -> None:
    old, new = feature(), feature(**changes)
    rest = small_catalogue().features[1:]
    (found,) = compare(with_features(old, *rest), with_features(new, *rest)).changed
    assert part in found.parts
    assert found.means_another is means_another
    if part == "bins":
        assert (found.bins_gone, found.bins_new) == (("< 100",), ("< 50", "[50, 100)"))


# --- from where a new bin's firms come -----------------------------------------------------------


def test_intervals_come_from_those_that_they_share_a_stretch_with() -> None:
    old = cut(10, 20, 30)  # missing, <10, [10, 20), [20, 30), ≥30
    assert origins(old, cut(20)) == ({0}, {1, 2}, {3, 4})
    assert origins(old, cut(10, 15, 20, 30)) == ({0}, {1}, {2}, {2}, {3}, {4})
    assert origins(old, cut(15)) == ({0}, {1, 2}, {2, 3, 4})


def test_special_values_come_from_where_they_were() -> None:
    plain, special = cut(10), cut(10, specials=(0, 10))
    assert origins(plain, special) == ({0}, {1}, {2}, {1}, {2})
    assert origins(special, plain) == ({0}, {1, 3}, {2, 4})
    assert origins(special, cut(10, specials=(10,))) == ({0}, {2}, {1, 3}, {4})


def test_categories_come_from_themselves_or_from_other() -> None:
    assert origins(sorts("a", "b"), sorts("b", "c")) == ({0}, {2}, {3}, {1, 3})


@pytest.mark.parametrize("other", [sorts("a"), feature(unit="wan")], ids=["type", "unit"])
def test_another_type_or_unit_has_no_origin(other: Feature) -> None:
    assert origins(feature(), other) is None


NUMBERS = st.integers(-4, 4).map(float)
CUTS = st.builds(
    lambda edges, specials: cut(*sorted(edges), specials=tuple(specials)),
    st.sets(NUMBERS, min_size=1, max_size=5),
    st.lists(NUMBERS, unique=True, max_size=3),
)


VALUES = np.array([np.nan, *(n / 2 for n in range(-10, 11))])


@given(CUTS, CUTS)
def test_every_value_comes_from_a_bin_that_is_named(old: Feature, new: Feature) -> None:
    sources = origins(old, new)
    assert sources is not None
    assert frozenset().union(*sources) == {*range(old.bin_count)}
    for before, after in zip(encode(old, VALUES), encode(new, VALUES), strict=True):
        assert before in sources[after]
