from __future__ import annotations

import dataclasses
import math

import pytest

from scoring.errors import LatticeError, ScoringError
from scoring.lattice import flooding_bound_log2
from scoring.lattice.params import MAX_COLUMNS, YINXIN_BFV_1, Parameters, context, create_context


def test_218_bits_are_secure_and_one_more_is_refused() -> None:
    create_context(YINXIN_BFV_1)
    for index in range(len(YINXIN_BFV_1.prime_bits)):
        bits = list(YINXIN_BFV_1.prime_bits)
        bits[index] += 1
        if bits[index] > 60:  # SEAL has no longer primes, so take the bit elsewhere.
            continue
        with pytest.raises(LatticeError, match="219 bits"):
            create_context(dataclasses.replace(YINXIN_BFV_1, prime_bits=tuple(bits)))


def test_half_the_degree_is_refused() -> None:
    with pytest.raises(LatticeError, match="not 128-bit secure"):
        create_context(dataclasses.replace(YINXIN_BFV_1, degree=4096))


@pytest.mark.parametrize("bits", [(60, 54, 61, 40), (), (60, 54, 54, 1)])
def test_sizes_without_primes_are_refused_by_name(bits: tuple[int, ...]) -> None:
    with pytest.raises(LatticeError, match="parameters"):
        create_context(dataclasses.replace(YINXIN_BFV_1, prime_bits=bits))


def test_the_context_has_the_documented_chain() -> None:
    ring = context()
    assert [prime.bit_length() for prime in ring.primes] == [60, 54, 54]
    assert ring.special.bit_length() == 50
    assert len({ring.key, ring.first, ring.last}) == 3
    assert context() is ring


def test_flooding_hides_the_worst_noise() -> None:
    assert flooding_bound_log2() <= -70
    assert flooding_bound_log2(MAX_COLUMNS) == flooding_bound_log2()


def test_the_smaller_set_would_not_hide_it() -> None:
    smaller = Parameters(degree=8192, plain_bits=48, prime_bits=(60, 40, 40, 41), flood_bits=88)
    create_context(smaller)  # It is a valid set: what it lacks is room for the flood.
    assert flooding_bound_log2(parameters=smaller) > -70


def test_six_bits_less_flood_would_break_the_bound() -> None:
    assert flooding_bound_log2(parameters=dataclasses.replace(YINXIN_BFV_1, flood_bits=110)) > -70


def test_the_bound_is_the_documented_sum() -> None:
    degree = 8192
    columns = 500 * degree * 21 * 2  # products of N terms
    switched_zero = 4097  # ceil((N + 1) / 2), and next to nothing of what is divided by 2^50
    expected = math.log2(degree * (columns + 500 + switched_zero)) - 116
    assert flooding_bound_log2() == pytest.approx(expected, abs=1e-5)
    assert flooding_bound_log2(1) < flooding_bound_log2(2) < flooding_bound_log2(500)


def test_no_columns_have_no_bound() -> None:
    with pytest.raises(ScoringError, match="columns"):
        flooding_bound_log2(0)


def test_the_flood_leaves_room_to_decrypt() -> None:
    # Flood over the two dropped primes, and rounding at 12 standard deviations, against q0 / 2t.
    first, second, third = context().primes
    flood = 2 ** (YINXIN_BFV_1.flood_bits - 1) / (second * third)
    rounding = 12 * math.sqrt((1 + 2 / 3 * 8192) / 12)
    assert flood + rounding < first / 2 ** (YINXIN_BFV_1.plain_bits + 1)
