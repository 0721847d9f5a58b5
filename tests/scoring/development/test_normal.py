"""The copula: normal scores, slices at each value of the factor, and the order of bins."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scoring.catalogue import Feature
from scoring.development.normal import GRID, LARGEST_LOADING, MASS, below, given, in_order, scores


def test_the_grid_integrates_a_normal_variable() -> None:
    for power, moment in ((0, 1), (1, 0), (2, 1), (3, 0), (4, 3)):
        assert MASS @ GRID**power == pytest.approx(moment, abs=1e-9)
    assert below(np.array([0.0, 1.96])) == pytest.approx([0.5, 0.975], abs=1e-4)


def test_slices_have_their_shares_and_correlate_as_loaded() -> None:
    shares = np.array([0.05, 0.2, 0.4, 0.25, 0.1])
    for loading in (-0.6, 0.0, 0.3, 0.8):
        at = given(shares, loading)
        assert at.sum(axis=1) == pytest.approx(np.ones(len(GRID)))
        assert MASS @ at == pytest.approx(shares, abs=2e-3)
        slope = float((MASS * GRID) @ (at @ scores(shares)))
        assert math.copysign(1, slope) == math.copysign(1, loading) or loading == 0
    # Many narrow slices are the variable itself: the slope is the loading.
    narrow = np.full(200, 1 / 200)
    assert (MASS * GRID) @ (given(narrow, 0.5) @ scores(narrow)) == pytest.approx(0.5, abs=0.01)


def test_extreme_loadings_are_held_back() -> None:
    shares = np.array([0.5, 0.5])
    assert given(shares, 1.0) == pytest.approx(given(shares, LARGEST_LOADING))


def test_a_special_value_comes_before_the_interval_that_it_lies_in() -> None:
    text = {"zh": "无", "en": "none"}
    feature = Feature.build(
        {
            "kind": "k",
            "name": "f",
            "title": text,
            "unit": "yuan",
            "type": "number",
            "public": False,
            "bins": {"specials": [0, 7], "edges": [-5, 5]},
        }
    )
    # missing, = 0, = 7, < -5, [-5, 5), ≥ 5
    assert in_order(feature) == [3, 1, 4, 2, 5]
