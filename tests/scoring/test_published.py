"""Bundles of published scorecards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.errors import ScorecardError
from scoring.published import publish_weights, read_weights
from scoring.words import MODULUS


@given(st.lists(st.integers(0, MODULUS - 1), min_size=1, max_size=500))
def test_weights_come_back(weights: list[int]) -> None:
    bundle = publish_weights(weights)
    assert len(bundle) == 8 + 6 * len(weights)
    assert read_weights(bundle) == weights


@pytest.mark.parametrize("weights", [[], [0] * 501, [-1], [MODULUS]])
def test_weights_that_are_no_bundle(weights: list[int]) -> None:
    with pytest.raises(ScorecardError, match="weights"):
        publish_weights(weights)


def test_a_bundle_has_one_form() -> None:
    good = publish_weights([1, 2, 3])
    assert good == bytes.fromhex("59585031 00000003 000000000001 000000000002 000000000003")
    for bad in (
        b"", good[:-1], good + b"\0", good[:6] + b"\0\x02" + good[8:], b"YXW1" + good[4:],
        b"YXP1" + bytes(4), good[:7],
    ):  # fmt: skip
        with pytest.raises(ScorecardError, match="bundle"):
            read_weights(bad)
