"""What is published of noisy tables is valid whatever the noise, and near the truth."""

from __future__ import annotations

from statistics import NormalDist
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.catalogue import Bins, Catalogue, Feature, HolderKind
from scoring.documents import Text
from scoring.errors import CatalogueError
from scoring.estimates import (
    NoisyTables,
    estimated,
    frequencies,
    loadings,
    recognition,
    transition_matrices,
)
from scoring.statistics import histograms, moments, normal_scores, transitions

COUNTS = (3, 5, 4)
TITLE = Text(zh="甲", en="a")
HOLDER = "spiffe://csj.example/holder/tax-1"


Sense = Literal["better", "worse"] | None


def catalogue(senses: tuple[Sense, ...] = ("better", "worse", None)) -> Catalogue:
    return Catalogue(
        version="1",
        name=TITLE,
        holders=(HolderKind(kind="tax", title=TITLE, refresh="daily"),),
        features=tuple(
            Feature(
                kind="tax",
                name=f"f{number}",
                title=TITLE,
                unit="",
                type="number",
                public=False,
                sense=sense,
                bins=Bins(edges=tuple(float(n) for n in range(count - 2))),
            )
            for number, (count, sense) in enumerate(zip(COUNTS, senses, strict=True))
        ),
    )


numbers = st.integers(-(10**7), 10**7)


@st.composite
def tables(draw: st.DrawFn) -> NoisyTables:
    """Tables as wild as noise could make them, and far wilder."""
    counts = tuple(np.array(draw(st.lists(numbers, min_size=n, max_size=n))) for n in COUNTS)
    moves = tuple(
        np.array(draw(st.lists(numbers, min_size=n * n, max_size=n * n))).reshape(n, n)
        for n in COUNTS
    )
    return NoisyTables(
        rows=draw(st.integers(1, 10**7)),
        known=draw(numbers),
        counts=counts,
        moves=moves if draw(st.booleans()) else (),
        move_scale=draw(st.floats(0, 1000)),
        scores=tuple(normal_scores(of.tolist()) for of in counts),
        moments=np.array(draw(st.lists(numbers, min_size=3, max_size=3))),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(tables(), min_size=1, max_size=3))
def test_any_noise_gives_a_valid_catalogue(holders: list[NoisyTables]) -> None:
    ids = {f"{HOLDER}{n}": ("tax", one) for n, one in enumerate(holders)}
    made = estimated(catalogue(), "2", ids)  # building it checks shapes, sums and ranges
    assert made.version == "2"
    for feature in made.features:
        assert feature.frequencies is not None and feature.loading is not None
        assert sum(feature.frequencies) == pytest.approx(1, abs=1e-9)
        assert all(share >= 0.0001 for share in feature.frequencies[1:])
        assert all(round(share * 10_000, 6).is_integer() for share in feature.frequencies)
        assert (feature.transitions is None) is not any(one.moves for one in holders)
    assert {one.holder for one in made.recognition or ()} == set(ids)


LOADS = np.array([0.8, -0.55, 0.4, 0.7, -0.3])
SHARES = (
    (0.5, 0.3, 0.2),
    (0.1, 0.2, 0.3, 0.4),
    (0.97, 0.03),
    (0.25, 0.25, 0.25, 0.25),
    (0.6, 0.4),
)


def firms(rows: int, seed: int, known: float = 0.8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bins of two months of firms with one factor, and who is known."""
    rng, normal = np.random.default_rng(seed), NormalDist()
    factor = rng.standard_normal(rows)
    own = rng.standard_normal((len(LOADS), rows))
    later = 0.98 * own + np.sqrt(1 - 0.98**2) * rng.standard_normal(own.shape)
    recognised = rng.random(rows) < known
    months = []
    for noise in (own, later):
        values = LOADS[:, None] * factor + np.sqrt(1 - LOADS[:, None] ** 2) * noise
        bins = np.stack(
            [
                1 + np.digitize(row, [normal.inv_cdf(c) for c in np.cumsum(shares)[:-1]])
                for row, shares in zip(values, SHARES, strict=True)
            ]
        ).astype(np.uint16)
        bins[:, ~recognised] = 0
        months.append(bins)
    missing = rng.random(own.shape) < 0.03
    for bins in months:
        bins[missing] = 0
    return months[0], months[1], recognised


def exact(rows: int = 20_000, seed: int = 1, known: float = 0.8) -> NoisyTables:
    before, bins, recognised = firms(rows, seed, known)
    sizes = [1 + len(shares) for shares in SHARES]
    counts = np.split(histograms(sizes, bins, recognised)[1:], np.cumsum(sizes)[:-1])
    scores = tuple(normal_scores(of.tolist()) for of in counts)
    squares = np.split(
        transitions(sizes, before, recognised, bins, recognised),
        np.cumsum([size**2 for size in sizes])[:-1],
    )
    return NoisyTables(
        rows=rows,
        known=int(recognised.sum()),
        counts=tuple(counts),
        moves=tuple(t.reshape(n, n) for t, n in zip(squares, sizes, strict=True)),
        move_scale=0.0,
        scores=scores,
        moments=moments(scores, bins, recognised),
    )


def test_without_noise_frequencies_are_the_counts() -> None:
    one = exact()
    for counts, given_ in zip(one.counts, frequencies([one]), strict=True):
        firms_ = counts.astype(float)
        firms_[0] += one.rows - one.known
        assert given_ == pytest.approx(np.maximum(firms_, [0] + [2.0] * (len(counts) - 1)).tolist())


def test_without_noise_moves_are_the_counts_and_unknown_firms_stay() -> None:
    one = exact()
    matrices = transition_matrices([one])
    assert matrices is not None
    for moves, counts, matrix in zip(one.moves, one.counts, matrices, strict=True):
        assert np.array(matrix[1:]) == pytest.approx(
            moves[1:] / moves[1:].sum(axis=1, keepdims=True), abs=1e-5
        )
        leaving = 1 - moves[0, 0] / moves[0].sum()
        absent = one.rows - one.known + counts[0]
        assert matrix[0][0] == pytest.approx(1 - leaving * counts[0] / absent, abs=1e-4)


def test_loadings_are_those_of_the_population() -> None:
    found = loadings([exact()], [1, -1, 0, 1, 0])
    assert found == pytest.approx(LOADS.tolist(), abs=0.07)


def test_the_sense_turns_the_factor() -> None:
    turned = loadings([exact()], [-1, 1, 0, -1, 0])
    assert turned == pytest.approx((-LOADS).tolist(), abs=0.07)


def test_holders_of_a_kind_count_by_the_firms_they_know() -> None:
    large, small = exact(20_000, 1, 0.9), exact(20_000, 2, 0.1)
    both, alone = (loadings(h, [1, -1, 0, 1, 0]) for h in ([large, small], [large]))
    assert both is not None and alone is not None
    assert both == pytest.approx(alone, abs=0.03)
    assert (recognition(large), recognition(small)) == pytest.approx((0.9, 0.1), abs=0.01)
    shares = np.array(frequencies([large, small])[0])
    assert 1 - shares[0] / shares.sum() == pytest.approx(0.97 * 0.5, abs=0.01)


def test_no_sense_is_refused_and_few_features_have_no_loading() -> None:
    with pytest.raises(CatalogueError, match="sense"):
        loadings([exact()], [0] * 5)
    assert loadings([exact()], [1, 1]) is None


def test_noise_is_not_taken_for_movement() -> None:
    """With clipping alone, noise on the empty cells would look like firms that move."""
    scale, size = 30.0, 8
    stays = np.diag([2000, 1500, 3000, 900, 1200, 700, 2500, 1000])
    noise = np.random.default_rng(3).normal(0, scale, (50, size, size)).round().astype(np.int64)
    kept, clipped = [], []
    for one in noise:
        table = NoisyTables(
            rows=20_000,
            known=20_000,
            counts=(stays.sum(axis=1),),
            moves=(stays + one,),
            move_scale=scale,
            scores=((0,) * size,),
            moments=np.zeros(0, dtype=np.int64),
        )
        matrices = transition_matrices([table])
        assert matrices is not None
        kept.append(np.diag(matrices[0]).mean())
        positive = np.maximum(stays + one, 0)
        clipped.append((np.diag(positive) / positive.sum(axis=1)).mean())
    assert np.mean(kept) > 0.97
    assert np.mean(clipped) < 0.95


def test_what_no_statistics_speak_of_stays() -> None:
    three = exact()
    first = estimated(catalogue(), "2", {HOLDER: ("tax", _cut(three))})
    moved = [f.transitions for f in first.features]
    assert None not in moved
    later = estimated(first, "3", {HOLDER + "0": ("tax", _cut(three, moves=False))})
    assert [f.transitions for f in later.features] == moved
    assert [one.holder for one in later.recognition or ()] == [HOLDER, HOLDER + "0"]


def _cut(tables_: NoisyTables, moves: bool = True) -> NoisyTables:
    """Three features of the five, with the catalogue's numbers of bins."""
    chosen = (2, 1, 0)
    sizes = [len(tables_.counts[c]) for c in chosen]
    assert sizes == [3, 5, 4] == list(COUNTS)
    return NoisyTables(
        rows=tables_.rows,
        known=tables_.known,
        counts=tuple(tables_.counts[c] for c in chosen),
        moves=tuple(tables_.moves[c] for c in chosen) if moves else (),
        move_scale=0.0,
        scores=tuple(tables_.scores[c] for c in chosen),
        moments=np.array([5, 5, 5], dtype=np.int64),
    )
