"""Rule c's search against trying every set of features, and how it matches catalogues."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from federation.policy import Earlier, PolicyThresholds, Submission
from federation.policy.atoms import atoms, spread_over
from federation.policy.linear import random_prime, rank, reduced, vanishing
from federation.policy.rank import _Search, _takes_several, check, isolated, lost
from federation.policy.stacking import Stack, stack
from node.models.selftest.attacks import CATALOGUE, honest, key
from node.models.selftest.laboratory import KINDS, scorecard
from scoring.catalogue import Bins, Catalogue


def random_stack(seed: int) -> Stack:
    rng = np.random.default_rng(seed)
    features, bins = 8, 2
    matrix = rng.integers(0, 3, (rng.integers(3, 9), features * bins))
    matrix *= rng.random(matrix.shape) < 0.5
    columns = {("h", f"f{i}"): np.arange(i * bins, (i + 1) * bins) for i in range(features)}
    return Stack(matrix, columns, tuple(range(len(matrix))))


@pytest.mark.parametrize("seed", range(40))
def test_the_search_finds_what_trying_every_set_finds(seed: int) -> None:
    stacked, prime = random_stack(seed), random_prime()
    every = [
        features
        for size in (1, 2, 3)
        for features in itertools.combinations(stacked.columns, size)
        if lost(stacked, features, prime)
    ]
    smallest = [s for s in every if not any(set(other) < set(s) for other in every)]
    found = isolated(stacked, 3)
    assert bool(found) == bool(every)
    assert set(found) <= set(smallest)
    if len(smallest) < 12:
        assert set(found) == set(smallest)


def test_primes_are_prime_and_drawn_anew() -> None:
    primes = {random_prime() for _ in range(20)}
    assert len(primes) > 1
    for prime in primes:
        assert 1 << 30 < prime < 1 << 31
        assert all(prime % divisor for divisor in range(2, 46_341))


def test_elimination_agrees_with_fractions() -> None:
    rng = np.random.default_rng(1)
    prime = random_prime()
    for _ in range(20):
        left = rng.integers(-3, 4, (6, 3))
        matrix = left @ rng.integers(-3, 4, (3, 9))
        assert rank(matrix, prime) == np.linalg.matrix_rank(matrix)
        basis, pivots = reduced(matrix, prime)
        kept = vanishing(basis, np.arange(1), prime)
        assert not (kept[:, 0] % prime).any()
        assert len(kept) == len(basis) - (0 in pivots)


def submission(points: Any, *earlier: Any, catalogue: Catalogue = CATALOGUE) -> Submission:
    before = tuple(
        Earlier(scorecard({"trade": found}, f"r{n}"), catalogue, valid=False)
        for n, found in enumerate(earlier)
    )
    return Submission(scorecard({"trade": points}), CATALOGUE, PolicyThresholds(), before)


def test_the_same_points_again_are_no_news() -> None:
    (item,) = check(submission(honest(), honest()))
    assert item.passed
    assert item.figure == 0


def test_five_changed_features_pass_and_four_do_not() -> None:
    before = honest()
    changed = list(before)
    for number, passes in ((4, False), (5, True)):
        after = before | {k: [max(before[k]) - x for x in before[k]] for k in changed[:number]}
        items = list(check(submission(after, before)))
        assert all(item.passed for item in items) is passes
        if not passes:
            assert set(items[0].about or ()) == {" ".join(k) for k in changed[:4]}


def test_rare_bins_are_no_cover_and_one_field_on_rare_bins_is_for_rule_d() -> None:
    """Five features that change in a bin of 0.1 % each do not hide a sixth."""
    flags = {key(kind, "never"): [0, 0, 1, 0, 0] for kind in KINDS}
    few = {key("tax", "even3"): [1, 0, 1, 2, 3], key("court", "even3"): [2, 0, 1, 2, 4]}
    fields = {"trade": honest(), "flags": {**few, **flags}}
    changed = {k: [p[b] for b in (0, 2, 1, 4, 3)] for k, p in few.items()}
    rarer = {k: [0, 0, 2, 0, 0] for k in flags}
    before = (Earlier(scorecard(fields, "before"), CATALOGUE, valid=False),)
    for points, passes in ((fields["flags"], True), ({**changed, **rarer}, False)):
        card = scorecard({**fields, "flags": points}, "after")
        items = list(check(Submission(card, CATALOGUE, PolicyThresholds(), before)))
        assert all(item.passed for item in items) is passes
        if not passes:
            assert set(items[0].about or ()) == {" ".join(k) for k in few}


def test_a_holder_left_out_is_told_by_the_difference() -> None:
    whole = honest()
    less = {k: p for k, p in whole.items() if k[0] != key("tax", "even0")[0]}
    items = [item for item in check(submission(less, whole)) if not item.passed]
    assert {name.split()[0].rsplit("/", 1)[1] for i in items for name in i.about or ()} == {"tax"}


def test_public_features_are_no_columns() -> None:
    data = CATALOGUE.model_dump(mode="json", exclude_none=True)
    for feature in data["features"]:
        if (feature["kind"], feature["name"]) == ("court", "even0"):
            feature["public"] = True
    public = Catalogue.build(data)
    changed = honest() | {key("court", "even0"): [0, 4, 1, 3, 2]}
    judged = submission(changed, honest(), catalogue=public)
    opened = Submission(judged.scorecard, public, judged.thresholds, judged.earlier)
    assert all(item.passed for item in check(opened))
    assert not all(item.passed for item in check(submission(changed, honest())))


def test_bins_of_two_catalogues_are_compared_on_what_is_common() -> None:
    old, new = Bins(edges=(1.0, 3.0)), Bins(specials=(0.0,), edges=(1.0, 2.0, 3.0))
    common = atoms([old, new])
    assert len(common) == 1 + 1 + 4
    assert spread_over(old, [9, 1, 2, 3], common) == [9, 1, 1, 2, 2, 3]
    assert spread_over(new, [9, 8, 1, 2, 4, 3], common) == [9, 8, 1, 2, 4, 3]
    first, second = Bins(categories=("A", "B")), Bins(categories=("B", "C"))
    common = atoms([first, second])
    assert spread_over(first, [0, 1, 2, 3], common) == [0, 1, 2, 3, 3]
    assert spread_over(second, [0, 2, 4, 3], common) == [0, 3, 2, 4, 3]


def test_a_finer_catalogue_does_not_hide_a_difference() -> None:
    data = CATALOGUE.model_dump(mode="json", exclude_none=True)
    for feature in data["features"]:
        if feature["name"].startswith("even"):
            shares = feature["frequencies"]
            feature["bins"] = {"edges": [1.0, 3.0]}
            feature["frequencies"] = [shares[0], shares[1], shares[2] + shares[3], shares[4]]
            del feature["transitions"]
    older = Catalogue.build(data)
    before = {k: [p[0], p[1], p[2], p[4]] for k, p in honest().items()}
    after = {k: [p[0], p[1], p[2], p[2], p[4]] for k, p in honest().items()}
    assert all(i.passed for i in check(submission(after, before, catalogue=older)))
    after[key("court", "even0")] = [0, 4, 1, 1, 2]
    (item,) = check(submission(after, before, catalogue=older))
    assert item.about == (" ".join(key("court", "even0")),)


def test_the_stack_has_a_row_for_each_field_less_the_commonest_bin() -> None:
    stacked = stack(submission({key("tax", "even0"): [1, 0, 2, 3, 1]}, honest()))
    assert stacked.scorecards == (0, 1)
    assert stacked.matrix[0, stacked.columns[key("tax", "even0")]].tolist() == [1, 2, 3, 1]


@pytest.mark.parametrize("seed", range(25))
def test_what_single_scorecards_tell_does_not_hide_what_several_do(seed: int) -> None:
    """Every smallest set on which more lives than single scorecards have there is found."""
    stacked, prime = random_stack(seed), random_prime()
    cards = tuple(row // 2 for row in range(len(stacked.matrix)))
    search = _Search(Stack(stacked.matrix, stacked.columns, cards), 3, prime, together=True)
    every = [
        features
        for size in (1, 2, 3)
        for features in itertools.combinations(search.stack.columns, size)
        if lost(search.stack, features, prime) and _takes_several(search.stack, features, prime)
    ]
    found = search.run()
    assert set(found) <= set(every)
    if len(found) < 12:
        assert all(any(set(one) <= set(other) for one in found) for other in every)


def test_a_set_within_one_of_a_single_scorecard_is_looked_beyond() -> None:
    """One scorecard tells f0 by itself; with the other it tells of f0 and f1 together."""
    rows = np.zeros((3, 16), dtype=np.int64)
    rows[0, 0] = 1
    rows[1:, 4:] = np.arange(1, 13)
    rows[2, 1] += 1
    rows[2, 2] += 1
    columns = {("h", f"f{i}"): np.arange(2 * i, 2 * i + 2) for i in range(8)}
    search = _Search(Stack(rows, columns, (0, 0, 1)), 4, random_prime(), together=True)
    assert search.run() == [(("h", "f0"), ("h", "f1"))]
