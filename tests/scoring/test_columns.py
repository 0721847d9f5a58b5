"""Features to bins: every value has exactly one bin, and the bin is the documented one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.catalogue import Bins, Catalogue, Feature, HolderKind
from scoring.columns import encode, encode_table
from scoring.documents import Text
from scoring.errors import CatalogueError

NAME = Text(zh="甲", en="x")


def number(specials: tuple[float, ...] = (), edges: tuple[float, ...] = (1.0,)) -> Feature:
    bins = Bins(specials=specials, edges=edges)
    return Feature(
        kind="tax", name="amount", title=NAME, unit="yuan", type="number", public=False, bins=bins
    )


GRADE = Feature(
    kind="tax",
    name="grade",
    title=NAME,
    unit="grade",
    type="category",
    public=False,
    bins=Bins(categories=("A", "B", "M")),
)

finite = st.floats(allow_nan=False, allow_infinity=False)
edge_lists = st.lists(finite, min_size=1, max_size=12, unique=True).map(
    lambda edges: tuple(sorted(edges))
)


def expected(feature: Feature, value: float | None) -> int:
    """The documented rule, one value at a time."""
    bins = feature.bins
    if value is None or not math.isfinite(value):
        return 0
    if value in bins.specials:
        return 1 + bins.specials.index(value)
    return 1 + len(bins.specials) + sum(value >= edge for edge in bins.edges)


@given(edge_lists, st.lists(finite, max_size=3, unique=True), st.data())
def test_numbers_fall_where_the_rule_says(
    edges: tuple[float, ...], specials: list[float], data: st.DataObject
) -> None:
    feature = number(tuple(specials), edges)
    interesting = st.sampled_from([*edges, *specials, math.nan, math.inf, -math.inf])
    values = data.draw(st.lists(st.one_of(st.floats(), interesting, st.none())))
    column = np.array(values, dtype=object)
    encoded = encode(feature, column)
    assert encoded.dtype == np.uint16
    assert encoded.tolist() == [expected(feature, value) for value in values]
    floats = np.array([math.nan if v is None else v for v in values], dtype=np.float64)
    assert encode(feature, floats).tolist() == encoded.tolist()


def test_intervals_are_left_closed_and_the_outer_ones_unbounded() -> None:
    feature = number(specials=(0.0,), edges=(10.0, 20.0))
    values = np.array([math.nan, 0, -1e300, 9.999, 10, 19.999, 20, 1e300, math.inf, -math.inf])
    assert encode(feature, values).tolist() == [0, 1, 2, 2, 3, 3, 4, 4, 0, 0]


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, np.float32, np.bool_])
def test_every_numeric_type_is_taken(dtype: type) -> None:
    assert encode(number(), np.array([0, 1, 1], dtype=dtype)).tolist() == [1, 2, 2]


@given(st.lists(st.one_of(st.none(), st.sampled_from(["A", "B", "M", "", "a", "A "]), st.text())))
def test_categories_are_exact_and_the_rest_is_other(values: list[str | None]) -> None:
    index = {None: 0, "": 0, "A": 1, "B": 2, "M": 3}
    encoded = encode(GRADE, np.array(values, dtype=object))
    assert encoded.tolist() == [index.get(value, 4) for value in values]


def test_a_category_takes_text_arrays_and_all_missing_columns() -> None:
    assert encode(GRADE, np.array(["A", "Z", ""])).tolist() == [1, 4, 0]
    assert encode(GRADE, np.full(2, math.nan)).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("feature", "values", "said"),
    [
        (number(), np.array(["1"]), "convert the column"),
        (number(), np.array([1.0, "1"], dtype=object), "row 1: a str"),
        (number(), np.array([1 + 2j]), "numbers are due"),
        (number(), np.zeros((2, 2)), "one value a row"),
        (GRADE, np.array([None, 3], dtype=object), "row 1: a int"),
        (GRADE, np.array([1.0]), "one of A, B, M"),
    ],
)
def test_values_of_the_wrong_sort_are_refused(
    feature: Feature, values: np.ndarray[Any, Any], said: str
) -> None:
    with pytest.raises(CatalogueError, match=said):
        encode(feature, values)


def test_a_table_has_catalogue_order_and_absent_features_are_missing() -> None:
    catalogue = Catalogue(
        version="t",
        name=NAME,
        holders=(HolderKind(kind="tax", title=NAME, refresh="daily"),),
        features=(number(), GRADE),
    )
    table = encode_table(catalogue, "tax", {"grade": np.array(["M", "A"])}, 2)
    assert table.dtype == np.uint16
    assert table.tolist() == [[0, 0], [3, 1]]
    with pytest.raises(CatalogueError, match="shoe_size: not in the catalogue"):
        encode_table(catalogue, "tax", {"shoe_size": np.array([1.0])}, 1)
    with pytest.raises(CatalogueError, match="give 3 values"):
        encode_table(catalogue, "tax", {"amount": np.array([1.0])}, 3)
    with pytest.raises(CatalogueError, match="weather"):
        encode_table(catalogue, "weather", {}, 1)
