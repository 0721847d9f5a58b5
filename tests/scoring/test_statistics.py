"""The tables of a holder's firms, and that their sensitivities are what one firm can change."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.errors import CatalogueError
from scoring.statistics import (
    UNIT,
    histogram_sensitivity,
    histograms,
    moment_sensitivity,
    moments,
    normal_scores,
    transition_sensitivity,
    transitions,
)

COUNTS = (4, 3, 7, 3, 12)


def drawn(seed: int, rows: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    known = rng.random(rows) < 0.7
    bins = np.stack([rng.integers(0, count, rows) for count in COUNTS]).astype(np.uint16)
    bins[:, ~known] = 0
    return bins, known


def without(bins: np.ndarray, known: np.ndarray, row: int) -> tuple[np.ndarray, np.ndarray]:
    bins, known = bins.copy(), known.copy()
    bins[:, row], known[row] = 0, False
    return bins, known


def scores_of(bins: np.ndarray) -> list[tuple[int, ...]]:
    return [
        normal_scores(np.bincount(row, minlength=count).tolist())
        for row, count in zip(bins, COUNTS, strict=True)
    ]


@pytest.mark.parametrize("seed", range(12))
def test_no_firm_changes_a_table_by_more_than_its_sensitivity(seed: int) -> None:
    bins, known = drawn(seed)
    before, known_before = drawn(seed + 100, 35)
    scores = scores_of(bins)
    size = len(COUNTS)
    changes: dict[str, list[float]] = {"counts": [], "moves": [], "products": []}
    for row in range(len(known)):
        bins_1, known_1 = without(bins, known, row)
        old = (before, known_before)
        old_1 = without(before, known_before, row) if row < len(known_before) else old
        for name, table, table_1 in (
            ("counts", histograms(COUNTS, bins, known), histograms(COUNTS, bins_1, known_1)),
            (
                "moves",
                transitions(COUNTS, *old, bins, known),
                transitions(COUNTS, *old_1, bins_1, known_1),
            ),
            ("products", moments(scores, bins, known), moments(scores, bins_1, known_1)),
        ):
            changes[name].append(float(np.linalg.norm(table - table_1)))
    assert max(changes["products"]) <= moment_sensitivity(size)
    # A known firm changes these two by exactly the bound: a smaller one would be wrong.
    assert max(changes["counts"]) == pytest.approx(histogram_sensitivity(size))
    assert max(changes["counts"]) <= histogram_sensitivity(size)
    assert max(changes["moves"]) == pytest.approx(transition_sensitivity(size))
    assert max(changes["moves"]) <= transition_sensitivity(size)


@pytest.mark.parametrize("features", [3, 4, 9, 12])
def test_a_firm_made_to_weigh_most_stays_within_the_sensitivity_of_products(features: int) -> None:
    """Equal scores far beyond the limit are the worst case, and come close to the bound."""
    for score in (70, 111, 253):
        scores = [(0, score, -score)] * features
        one = np.ones((features, 1), dtype=np.uint16)
        change = np.linalg.norm(moments(scores, one, np.array([True])))
        assert change <= moment_sensitivity(features)
        if score > UNIT * 1.75:
            assert change > 0.95 * moment_sensitivity(features)


def test_the_worst_case_without_the_limit_would_break_the_bound() -> None:
    scores = np.full(9, 253)
    unlimited = np.outer(scores, scores)[np.triu_indices(9, 1)]
    assert np.linalg.norm(unlimited) > 5 * moment_sensitivity(9)


def test_histograms_count_known_firms_alone() -> None:
    bins = np.array([[0, 1, 2, 2, 0]], dtype=np.uint16)
    known = np.array([True, True, True, True, False])
    assert histograms((4,), bins, known).tolist() == [4, 1, 1, 2, 0]


def test_moves_are_of_firms_known_in_both_months() -> None:
    before = np.array([[1, 1, 2, 0]], dtype=np.uint16)
    known_before = np.array([True, True, True, False])
    bins = np.array([[1, 2, 0, 1, 2]], dtype=np.uint16)
    known = np.array([True, True, False, True, True])
    moved = transitions((3,), before, known_before, bins, known).reshape(3, 3)
    assert moved.tolist() == [[0, 0, 0], [0, 1, 1], [0, 0, 0]]


def test_scores_are_means_of_a_standard_normal_variable() -> None:
    shares = [5.0, 1.0, 3.0, 4.0, 2.0]
    scores = np.array(normal_scores(shares)) / UNIT
    weights = np.array(shares[1:]) / sum(shares[1:])
    assert scores[0] == 0
    assert abs(weights @ scores[1:]) < 0.01
    assert (np.diff(scores[1:]) > 0).all()
    draws = np.sort(np.random.default_rng(1).standard_normal(200_000))
    parts = np.split(draws, (np.cumsum(weights)[:-1] * len(draws)).astype(int))
    assert scores[1:] == pytest.approx([part.mean() for part in parts], abs=0.02)


def test_scores_are_bounded_whatever_noise_made_of_the_counts() -> None:
    for shares in ([0, -5, 100000, 3], [1, 0, 0, 0], [0.0, 1e-9, 1, 1e-9], [3, -1, -1, -1]):
        assert all(abs(score) <= 3.97 * UNIT for score in normal_scores(shares))


def test_products_are_sums_over_known_firms() -> None:
    bins, known = drawn(5)
    scores = [tuple(score // 4 for score in row) for row in scores_of(bins)]  # below the limit
    values = np.stack([np.array(row)[column] for row, column in zip(scores, bins, strict=True)])
    expected = (values[:, known] @ values[:, known].T)[np.triu_indices(len(COUNTS), 1)]
    assert moments(scores, bins, known).tolist() == expected.tolist()


def test_data_that_do_not_fit_are_refused() -> None:
    bins, known = drawn(1)
    with pytest.raises(CatalogueError, match="shape"):
        histograms(COUNTS[:-1], bins, known)
    with pytest.raises(CatalogueError, match="has only 3 bins"):
        histograms((4, 3, 3, 3, 12), bins, known)
    with pytest.raises(CatalogueError, match="not known has a value"):
        histograms(COUNTS, bins, np.zeros_like(known))
    with pytest.raises(CatalogueError, match="swap the epochs"):
        transitions(COUNTS, bins, known, bins[:, :9], known[:9])
