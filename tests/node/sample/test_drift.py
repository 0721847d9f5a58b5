"""Some months before: on one way from then to now."""

from __future__ import annotations

import numpy as np
import pytest

from node.sample.drift import before, month_before
from node.sample.holders import HOLDERS
from node.sample.population import population

FIRMS = population(300, 7)


@pytest.mark.parametrize("kind", sorted(HOLDERS))
def test_the_farther_back_the_more_firms_are_another(kind: str) -> None:
    """And who was another firm a month ago was so two months ago."""
    now = HOLDERS[kind](FIRMS)
    differing = []
    for months in (0.25, 1.0, 2.0):
        columns, _ = before(kind, FIRMS, months)
        names = [name for name in now if name != "months_since_founding"]
        differing.append(np.array([columns[name] != now[name] for name in names]))
    shares = [float(found.mean()) for found in differing]
    assert 0 < shares[0] <= shares[1] <= shares[2] < 1
    assert not (differing[1] & ~differing[2]).any()


@pytest.mark.parametrize("kind", sorted(HOLDERS))
def test_one_month_is_the_month_before(kind: str) -> None:
    (one, younger), (other, also) = month_before(kind, FIRMS), before(kind, FIRMS, 1.0)
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert np.array_equal(younger.age_months, also.age_months)
