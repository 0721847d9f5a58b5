"""The published catalogue, and the rules of any catalogue."""

from __future__ import annotations

import json
import math

import pytest

from scoring.catalogue import Bins, Catalogue, Feature
from scoring.data.build_catalogue import PUBLISHED, SOURCE, build
from scoring.documents import Text, canonical_json
from scoring.errors import CatalogueError, ScoringError

KINDS = [
    *("registry", "tax", "invoice", "social_insurance", "housing_fund", "electricity", "water"),
    *("gas", "customs", "courts", "ip", "environment", "science", "real_estate", "movables"),
    *("receivables", "bills", "credit_database"),
]
FLOODING_COLUMNS = 500  # the flooding bound of the lattice half is computed for so many


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.from_json(PUBLISHED.read_bytes())


def test_published_file_is_built_from_its_source(catalogue: Catalogue) -> None:
    assert build(SOURCE.read_text(encoding="utf-8")) == catalogue
    assert PUBLISHED.read_text(encoding="utf-8") == catalogue.to_json() + "\n"


def test_catalogue_has_every_kind_and_fits_the_flooding_bound(catalogue: Catalogue) -> None:
    assert list(catalogue.kinds) == KINDS
    for kind in KINDS:
        assert 0 < sum(catalogue.bins_per_feature(kind)) <= FLOODING_COLUMNS
        assert len(catalogue.features_of(kind)) >= 4


def test_published_lists_are_public_and_raw_data_are_not(catalogue: Catalogue) -> None:
    public = {feature.id for feature in catalogue.features if feature.public}
    courts = ("dishonest_debtor", "consumption_limit", "bankruptcy_filed", "equity_frozen")
    assert {f"courts.{name}" for name in courts} | {"registry.status"} <= public
    holders = {name.partition(".")[0] for name in public}
    assert holders == {"registry", "courts", "ip", "environment", "science"}
    assert "registry.staff" not in public and "courts.under_enforcement" not in public


def test_bins_start_with_missing_and_labels_name_each() -> None:
    numbers = Bins(specials=(0,), edges=(10, 2000.5))
    assert numbers.labels == ("missing", "= 0", "< 10", "[10, 2,000.5)", "≥ 2,000.5")
    assert numbers.count == 5
    assert Bins(categories=("A", "B")).labels == ("missing", "A", "B", "other")


@pytest.mark.parametrize(
    ("bins", "said"),
    [
        ({}, "either edges"),
        ({"edges": [1], "categories": ["A"]}, "either edges"),
        ({"edges": [2, 1]}, "edges: must increase"),
        ({"edges": [1, 1]}, "edges: must increase"),
        ({"edges": [1], "specials": [0, 0]}, "specials: a value stands twice"),
        ({"categories": ["A"], "specials": [0]}, "specials: a category needs none"),
        ({"categories": ["A", "A"]}, "categories: a value stands twice"),
        ({"categories": ["other"]}, "'other' is implied"),
        ({"edges": [math.inf]}, "finite"),
    ],
)
def test_bins_that_break_a_rule_are_refused(bins: dict[str, object], said: str) -> None:
    with pytest.raises(ScoringError, match=said):
        Bins.build(bins)


def test_a_repeated_or_homeless_feature_is_refused(catalogue: Catalogue) -> None:
    plain = json.loads(catalogue.to_json())
    twice = plain | {"features": [*plain["features"], plain["features"][0]]}
    with pytest.raises(CatalogueError, match=r"registry\.months_since_founding: stands twice"):
        Catalogue.build(twice)
    homeless = plain | {"holders": plain["holders"][1:]}
    with pytest.raises(CatalogueError, match="registry"):
        Catalogue.build(homeless)
    with pytest.raises(CatalogueError, match="surprise"):
        Catalogue.build(plain | {"surprise": 1})


def test_unknown_names_are_refused_with_what_there_is(catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError, match="has registry, tax"):
        catalogue.features_of("weather")
    with pytest.raises(CatalogueError, match="credit_grade"):
        catalogue.feature("tax", "shoe_size")


def test_frequencies_are_scaled_rounded_and_keep_rare_bins(catalogue: Catalogue) -> None:
    counts = [10, 1, 0, 300_000, 99_989, 7, 0]
    published = catalogue.with_frequencies({"tax.arrears": counts})
    shares = published.feature("tax", "arrears").frequencies
    assert shares is not None
    assert shares[1] == 0.0001 and shares[2] == 0
    assert math.isclose(math.fsum(shares), 1, abs_tol=1e-12)
    assert all(round(share * 10_000) / 10_000 == share for share in shares)
    assert published.feature("tax", "credit_grade").frequencies is None
    assert Catalogue.from_json(published.to_json()) == published
    assert published.digest() != catalogue.digest()


@pytest.mark.parametrize("counts", [[1, 2], [0] * 7, [-1, *[1] * 6], [math.nan] * 7])
def test_frequencies_that_are_none_are_refused(catalogue: Catalogue, counts: list[float]) -> None:
    with pytest.raises(CatalogueError, match=r"tax\.arrears"):
        catalogue.with_frequencies({"tax.arrears": counts})


def test_frequencies_of_an_unknown_feature_are_refused(catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError, match=r"tax\.shoes"):
        catalogue.with_frequencies({"tax.shoes": [1]})


def test_feature_with_frequencies_that_do_not_fit_is_refused() -> None:
    feature = {
        "kind": "tax",
        "name": "x",
        "title": Text(zh="甲", en="x"),
        "unit": "yuan",
        "type": "number",
        "public": False,
        "bins": {"edges": [1]},
    }
    assert Feature.build(feature | {"frequencies": [0.5, 0.25, 0.25]}).bin_count == 3
    for wrong in ([0.5, 0.5], [0.5, 0.25, 0.1], [1.5, -0.25, -0.25]):
        with pytest.raises(ScoringError, match="frequencies"):
            Feature.build(feature | {"frequencies": wrong})
    with pytest.raises(ScoringError, match="bins"):
        Feature.build(feature | {"type": "category"})


@pytest.mark.parametrize(
    ("value", "text"),
    [  # numbers of RFC 8785, appendix B, and the thresholds of ECMA-262
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (1e21, "1e+21"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (333333333.3333333, "333333333.3333333"),
        (-0.0000033333333333333333, "-0.0000033333333333333333"),
        (0.25, "0.25"),
        (6.0, "6"),
    ],
)
def test_numbers_are_written_as_rfc_8785_demands(value: float, text: str) -> None:
    assert canonical_json(value) == text


def test_canonical_json_sorts_and_refuses_what_json_cannot_hold() -> None:
    assert canonical_json({"b": [1, True, None], "a": "隐\n"}) == '{"a":"隐\\n","b":[1,true,null]}'
    for impossible in (math.nan, math.inf, 1 << 60, b"bytes", {1, 2}):
        with pytest.raises(ScoringError):
            canonical_json(impossible)
