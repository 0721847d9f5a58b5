"""Scorecards: layout, weights and the plaintext reference agree; overflow cannot happen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.catalogue import Bins, Catalogue, Feature, HolderKind
from scoring.documents import Text
from scoring.errors import ScorecardError
from scoring.record import RECORD_BITS
from scoring.reference import record_word, record_words
from scoring.scorecard import Scorecard, jumps

NAME = {"zh": "甲", "en": "x"}
HOLDERS = [f"spiffe://csj.yinxin.example/holder/{name}" for name in ("tax-1", "tax-2", "water")]
KINDS = ("tax", "tax", "water")


def make_catalogue(edges: dict[str, list[int]]) -> Catalogue:
    """`edges`: for each kind, how many edges each of its features f0, f1 … has."""
    return Catalogue(
        version="t",
        name=Text(**NAME),
        holders=tuple(HolderKind(kind=k, title=Text(**NAME), refresh="daily") for k in edges),
        features=tuple(
            Feature(
                kind=kind,
                name=f"f{i}",
                title=Text(**NAME),
                unit="yuan",
                type="number",
                public=False,
                bins=Bins(edges=tuple(float(e) for e in range(count))),
            )
            for kind, counts in edges.items()
            for i, count in enumerate(counts)
        ),
    )


CATALOGUE = make_catalogue({"tax": [1, 2, 1], "water": [1]})


def entry(holder: int, feature: str, field: str, points: list[int]) -> dict[str, Any]:
    return {"holder": HOLDERS[holder], "feature": feature, "field": field, "points": points}


def make_fields(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "title": NAME, "reason": "R02", "step": 2.5} for name in names]


DOCUMENT: dict[str, Any] = {
    "name": "small",
    "version": "1",
    "catalogue_version": "t",
    "participants": [
        {"holder": holder, "kind": kind} for holder, kind in zip(HOLDERS, KINDS, strict=True)
    ],
    "fields": make_fields("money", "use"),
    "points": [
        entry(0, "f0", "money", [0, 1, 3]),
        entry(0, "f2", "use", [2, 0, 1]),
        entry(1, "f1", "money", [1, 0, 2, 4]),
        entry(2, "f0", "use", [0, 5, 7]),
    ],
    "scale": {"offset": 480.5},
}


def test_layout_is_computed_from_the_largest_sums() -> None:
    layout = Scorecard.build(DOCUMENT).layout()
    money, use = layout.fields
    assert (money.offset, money.width, money.maximum) == (0, 3, 7)
    assert (use.offset, use.width, use.maximum) == (3, 4, 9)
    assert (layout.coverage.offset, layout.coverage.width, layout.coverage.maximum) == (7, 2, 3)


def test_weights_are_every_column_of_the_holder_shifted_to_its_field() -> None:
    scorecard = Scorecard.build(DOCUMENT)
    assert scorecard.weights(CATALOGUE, HOLDERS[0]) == [0, 1, 3, 0, 0, 0, 0, 2 << 3, 0, 1 << 3]
    assert scorecard.weights(CATALOGUE, HOLDERS[1]) == [0, 0, 0, 1, 0, 2, 4, 0, 0, 0]
    assert scorecard.weights(CATALOGUE, HOLDERS[2]) == [0, 5 << 3, 7 << 3]


def test_reference_counts_an_unknown_firm_as_missing_and_uncovered() -> None:
    scorecard = Scorecard.build(DOCUMENT)
    bins = {
        HOLDERS[0]: np.array([2, 1, 0], dtype=np.uint16),  # money 3, use 2
        HOLDERS[1]: None,  # f1 missing: money 1
        HOLDERS[2]: np.array([1], dtype=np.uint16),  # use 5
    }
    record = scorecard.layout().unpack(record_word(scorecard, CATALOGUE, bins))
    assert record.values == {"money": 4, "use": 7}
    assert record.coverage == 2


def test_reference_refuses_other_holders_shapes_and_bins() -> None:
    scorecard = Scorecard.build(DOCUMENT)
    good: dict[str, Any] = dict.fromkeys(HOLDERS)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({HOLDERS[0]: None}, "exactly the participants"),
        (good | {HOLDERS[2]: np.array([0, 0], dtype=np.uint16)}, "1 features"),
        (good | {HOLDERS[2]: np.array([3], dtype=np.uint16)}, "no bin 3"),
        (good | {"spiffe://csj.yinxin.example/holder/x": None}, "holder/x"),
    ]
    for bins, said in wrong:
        with pytest.raises(ScorecardError, match=said):
            record_word(scorecard, CATALOGUE, bins)
    rows = {h: np.zeros((len(CATALOGUE.features_of(k)), 1), dtype=np.uint16)
            for h, k in zip(HOLDERS, KINDS, strict=True)}  # fmt: skip
    rows[HOLDERS[2]] += 1
    with pytest.raises(ScorecardError, match="has to be missing"):
        record_words(scorecard, CATALOGUE, rows, {h: np.array([False]) for h in HOLDERS})


@st.composite
def models(draw: st.DrawFn) -> tuple[Catalogue, Scorecard]:
    edges = {
        kind: draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)) for kind in ("tax", "water")
    }
    catalogue = make_catalogue(edges)
    names = draw(st.sampled_from([("a",), ("a", "b"), ("a", "b", "c")]))
    points = []
    for holder, kind in enumerate(KINDS):
        for i, count in enumerate(edges[kind]):
            field = draw(st.sampled_from(names))
            values = draw(st.lists(st.integers(0, 7), min_size=count + 2, max_size=count + 2))
            points.append(entry(holder, f"f{i}", field, values))
    used = [n for n in names if any(p["field"] == n and max(p["points"]) for p in points)]
    if not used:
        used = ["a"]
        points[0] |= {"field": "a", "points": [1] * len(points[0]["points"])}
    points = [p for p in points if p["field"] in used]
    document = DOCUMENT | {"fields": make_fields(*used), "points": points}
    return catalogue, Scorecard.build(document)


@given(models(), st.data())
def test_record_is_the_sum_of_points_field_by_field(
    model: tuple[Catalogue, Scorecard], data: st.DataObject
) -> None:
    catalogue, scorecard = model
    bins: dict[str, Any] = {}
    sums = {field.name: 0 for field in scorecard.fields}
    by_feature = {(p.holder, p.feature): p for p in scorecard.points}
    for holder, kind in zip(HOLDERS, KINDS, strict=True):
        features = catalogue.features_of(kind)
        chosen = [data.draw(st.integers(0, feature.bin_count - 1)) for feature in features]
        known = data.draw(st.booleans())
        bins[holder] = np.array(chosen, dtype=np.uint16) if known else None
        for feature, index in zip(features, chosen if known else [0] * len(chosen), strict=True):
            points = by_feature.get((holder, feature.name))
            if points:
                sums[points.field] += points.points[index]
    record = scorecard.layout().unpack(record_word(scorecard, catalogue, bins))
    assert record.values == sums
    assert record.coverage == sum(chosen is not None for chosen in bins.values())


@given(models())
def test_no_choice_of_bins_overflows_a_field(model: tuple[Catalogue, Scorecard]) -> None:
    catalogue, scorecard = model
    best = {
        holder: np.array(
            [int(np.argmax(p)) for p in scorecard.points_for(catalogue, holder)], dtype=np.uint16
        )
        for holder in HOLDERS
    }
    record = scorecard.layout().unpack(record_word(scorecard, catalogue, best))
    layout = scorecard.layout()
    assert record.values == {field.name: field.maximum for field in layout.fields}
    assert all(field.maximum < 1 << field.width for field in layout.everything)
    assert layout.coverage.offset + layout.coverage.width <= RECORD_BITS


def test_a_document_survives_json() -> None:
    scorecard = Scorecard.build(DOCUMENT)
    assert Scorecard.from_json(scorecard.to_json()) == scorecard
    assert '"format":"yinxin-scorecard/1"' in scorecard.to_json()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"participants": DOCUMENT["participants"][:2]}, "participants: .*at least 3"),
        (
            {"participants": [*DOCUMENT["participants"], DOCUMENT["participants"][0]]},
            "participants: a holder stands twice",
        ),
        ({"points": [entry(0, "f0", "shoes", [0, 1, 3])]}, "add it to fields"),
        ({"points": [*DOCUMENT["points"], entry(0, "f0", "use", [0, 1, 2])]}, "stands twice"),
        ({"points": [entry(0, "f0", "money", [0, 1, -1])]}, r"points\.0\.points\.2"),
        ({"points": [entry(0, "f0", "money", [0, 1, 1.5])]}, r"points\.0\.points\.2"),  # type: ignore[list-item]
        ({"points": DOCUMENT["points"][:1]}, "use is 0 for every firm"),
        ({"fields": make_fields("money", "coverage")}, "none may be 'coverage'"),
        ({"fields": make_fields("money", "use", "use")}, "names must differ"),
        ({"disclosed": ["tax.f1", "tax.f0"]}, "sort"),
        ({"format": "yinxin-scorecard/2"}, "format"),
        ({"weights": []}, "weights"),
        (
            {
                "points": [
                    entry(0, "f0", "money", [0, 1, (1 << 30) - 1]),
                    entry(2, "f0", "use", [0, 1, 1 << 10]),
                ]
            },
            "43 bits .money 30, use 11, coverage 2",
        ),
    ],
)
def test_a_document_that_breaks_a_rule_is_refused_by_name(change: Any, said: str) -> None:
    Scorecard.build(DOCUMENT)
    with pytest.raises(ScorecardError, match=said):
        Scorecard.build(DOCUMENT | change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"catalogue_version": "u"}, "catalogue_version"),
        ({"points": [*DOCUMENT["points"], entry(2, "f9", "use", [0])]}, "f9"),
        ({"points": [*DOCUMENT["points"], entry(1, "f0", "use", [0, 1])]}, "2 numbers for 3 bins"),
        ({"disclosed": ["gas.f0"]}, r"gas\.f0: no participant"),
    ],
)
def test_a_scorecard_of_another_catalogue_is_refused(change: Any, said: str) -> None:
    scorecard = Scorecard.build(DOCUMENT | change)
    with pytest.raises(ScorecardError, match=said):
        scorecard.weights(CATALOGUE, HOLDERS[0])


def test_weights_of_a_stranger_are_refused() -> None:
    with pytest.raises(ScorecardError, match="participants"):
        Scorecard.build(DOCUMENT).weights(CATALOGUE, "spiffe://csj.yinxin.example/holder/x")


def test_jumps_are_between_neighbouring_used_values() -> None:
    assert jumps([4, 0, 4, 1]) == {1, 3}
    assert jumps([2, 2]) == frozenset()
