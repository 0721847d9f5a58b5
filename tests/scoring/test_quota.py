"""Quota bands: the amount is the rule's to the yuan, and no rule lends beyond its bounds."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.errors import ScorecardError
from scoring.profile import HIGHEST, LOWEST, Profile, grade_of
from scoring.quota import QuotaRules, quotas

EXAMPLE = Path(__file__).parents[2] / "deploy" / "examples" / "quota.toml"


def example() -> dict[str, Any]:
    return tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))


def profile(score: int, coverage: int = 8) -> Profile:
    return Profile.build(
        {
            "score": score,
            "grade": grade_of(score),
            "probability_of_default": 0.02,
            "dimensions": (),
            "reasons": (),
            "coverage": coverage,
            "participants": 8,
            "as_of": {},
        }
    )


def amount(score: int, coverage: int = 8, **stated: str) -> Decimal:
    numbers = {name: Decimal(value) for name, value in stated.items()}
    (found,) = quotas(QuotaRules.build(example()), profile(score, coverage), numbers)
    return found.amount


def test_the_example_lends_what_it_says() -> None:
    assert amount(730, tax_paid_yearly="123456.78") == 1_234_000
    assert amount(690, tax_paid_yearly="123456.78") == 987_000
    assert amount(640, invoiced_12m="20000000") == 2_000_000
    assert amount(601, electricity_bill_yearly="50000") == 150_000
    assert amount(800, invoiced_12m="90000000") == 5_000_000  # the cap


def test_a_score_within_a_grade_and_thin_files_count() -> None:
    assert amount(609, tax_paid_yearly="100000") == 0
    assert amount(610, tax_paid_yearly="100000") == 400_000
    assert amount(610, coverage=7, tax_paid_yearly="100000") == 280_000
    assert amount(610, coverage=2, tax_paid_yearly="100000") == 0


def test_too_little_is_nothing() -> None:
    assert amount(730, tax_paid_yearly="999") == 0
    assert amount(730, tax_paid_yearly="1000") == 10_000


@given(
    st.integers(LOWEST, HIGHEST),
    st.integers(0, 8),
    st.decimals(0, 10**9, places=2, allow_nan=False),
)
def test_no_amount_is_beyond_the_bounds(score: int, coverage: int, base: Decimal) -> None:
    rules = QuotaRules.build(example())
    stated = {product.base.name: base for product in rules.products}
    for product, found in zip(
        rules.products, quotas(rules, profile(score, coverage), stated), strict=True
    ):
        assert 0 <= found.amount <= min(product.cap, base * product.most_multiple)
        assert found.amount % product.unit == 0
        assert found.amount == 0 or found.amount >= product.floor
        assert (found.amount == 0) or found.band is not None


def test_the_rule_is_told_in_both_languages() -> None:
    (found,) = quotas(
        QuotaRules.build(example()), profile(730, 7), {"tax_paid_yearly": Decimal(100_000)}
    )
    assert found.rule.en == "band 1 (grade AA or better): 10 times, of which a thin file gets 0.7"
    assert "数据不足" in found.rule.zh


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"bands": [{"least_grade": "AA", "multiple": "100"}]}, "multiple 100 is not 0"),
        ({"floor": "9000000"}, "above cap"),
        ({"cap": "-1"}, "cap"),
        ({"bands": [{"least_grade": "Z", "multiple": "1"}]}, "least_grade"),
        ({"multiples": 3}, "multiples"),
    ],
)
def test_rules_that_slip_are_refused(change: dict[str, Any], problem: str) -> None:
    data = example()
    data["products"][0] |= change
    with pytest.raises(ScorecardError, match=problem):
        QuotaRules.build(data)


@pytest.mark.parametrize("value", ["-1", "NaN", "Infinity"])
def test_a_base_that_is_no_amount_is_refused(value: str) -> None:
    with pytest.raises(ScorecardError, match="give an amount in yuan"):
        amount(700, tax_paid_yearly=value)
    with pytest.raises(ScorecardError, match="no product has it"):
        amount(700, profit="1")
