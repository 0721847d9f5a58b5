"""The parameter set `yinxin-bfv-1`, and the bound that its noise flooding has to keep.

BFV in Z[x]/(x^8192 + 1) with plaintext modulus 2^48 and coefficient modulus {60, 54, 54} plus a
special prime of 50 bits: 218 bits, all that the Homomorphic Encryption Security Standard (Albrecht
et al. 2018) allows at degree 8192 for 128-bit classical security with a ternary secret. SEAL
enforces the standard's table; one bit more is refused.
Coefficient j of a polynomial is row j of the bucket.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from scoring.errors import LatticeError
from scoring.lattice.seal import Context
from scoring.words import ROWS

PARAMETER_SET = "yinxin-bfv-1"

MAX_COLUMNS = 500
"""Columns that one holder's answer may sum: the flooding bound is proved up to here."""

MAX_BUCKETS = 500
"""Buckets that one count of labels may sum: `counting_bound_log2` is proved up to here."""

LARGEST_ERROR = 21
"""SEAL samples errors from a centred binomial distribution over 42 coin flips: at most 21."""

LARGEST_ENTRY = 2
"""A column's polynomial has the coefficients 1 (not in the bin) and 2 (in it)."""


@dataclass(frozen=True)
class Parameters:
    """A BFV parameter set; `prime_bits` ends with the special prime."""

    degree: int
    plain_bits: int
    prime_bits: tuple[int, ...]
    flood_bits: int


YINXIN_BFV_1 = Parameters(degree=ROWS, plain_bits=48, prime_bits=(60, 54, 54, 50), flood_bits=116)


def create_context(parameters: Parameters) -> Context:
    """SEAL's context of a parameter set; LatticeError unless it is valid and 128-bit secure."""
    return Context(parameters.degree, 1 << parameters.plain_bits, parameters.prime_bits)


@cache
def context() -> Context:
    """The context of `yinxin-bfv-1`, created once in a process (40 ms)."""
    return create_context(YINXIN_BFV_1)


def flooding_bound_log2(
    columns: int = MAX_COLUMNS, *, parameters: Parameters = YINXIN_BFV_1
) -> float:
    """log2 of the statistical distance by which one answer's noise can depend on the data.

    Write an answer before flooding as c0 + c1·s = (q/t)·m + v. The holder adds f to c0, each
    coefficient uniform in [-F/2, F/2), F = 2^flood_bits. Shifting such an f by an integer v_j
    changes a share |v_j| / F of its range, so that f + v is within N·B/F of f, which knows
    nothing of the data, where B bounds every |v_j| (smudging, for circuit privacy: Gentry 2009,
    A fully homomorphic encryption scheme; the smudging lemma of Asharov et al., EUROCRYPT 2012;
    Ducas and Stehlé, EUROCRYPT 2016, reach the same end by repeated re-randomising). What
    follows, the switch to the first prime, is a function of the flooded answer and cannot add
    to the distance. B is the sum of:

    * the weights' errors through the columns: in Σ e_c·X_c mod x^N + 1 a coefficient is a sum of
      N products, |e| ≤ 21 and X ≤ 2, for each column;
    * the rounding of (q/t)·w in a weight, at most 1/2 and in the constant coefficient alone, so
      that X multiplies it by at most 2: 1 for each column;
    * the rounding of (q/t)·clear: 1/2;
    * Enc_pk(0), made at the key level and divided by the special prime P: (e·u + e0 + e1·s)/P
      with u and s ternary, at most 21·(2N + 1)/P, and the division's rounding r0 + r1·s with
      |r| ≤ 1/2, at most (N + 1)/2: together 4097.

    This is the worst case: every error and every coefficient at its largest with the worst sign.
    For 500 columns: B < 2^27.4, and a distance below 2^-75.6.
    """
    if columns < 1:
        raise LatticeError(f"columns: {columns} is no number of columns; give at least one")
    through_columns = columns * parameters.degree * LARGEST_ERROR * LARGEST_ENTRY
    rounding = columns * LARGEST_ENTRY / 2
    return _distance_log2(through_columns + rounding, parameters)


def counting_bound_log2(
    buckets: int = MAX_BUCKETS, *, parameters: Parameters = YINXIN_BFV_1
) -> float:
    """The same for one count of labels (`scoring.lattice.labels`).

    There the encrypted polynomials, one a bucket, are full and not constant, so that a rounding of
    at most 1/2 stands in every coefficient beside the error, and (e + r)·X over the buckets is at
    most N · (21 + 1/2) · 2 for each. For 500 buckets: B < 2^27.4, and a distance below 2^-75.6.
    """
    if buckets < 1:
        raise LatticeError(f"buckets: {buckets} is no number of buckets; give at least one")
    through = buckets * parameters.degree * (LARGEST_ERROR + 1 / 2) * LARGEST_ENTRY
    return _distance_log2(through, parameters)


def _distance_log2(through_data: float, parameters: Parameters) -> float:
    """log2 of N·B/F, B being what went through the data, the clear words' rounding and Enc(0)."""
    degree, special_bits = parameters.degree, parameters.prime_bits[-1]
    fresh_zero = LARGEST_ERROR * (2 * degree + 1) / 2 ** (special_bits - 1) + (degree + 1) / 2
    worst = through_data + 1 / 2 + fresh_zero
    return math.log2(degree) + math.log2(worst) - parameters.flood_bits
