"""Ranks of integer matrices, modulo a random prime.

Elimination in fractions is slow and in floating point inexact. Modulo a prime p it is neither,
and gives the rank over the rationals unless p divides certain minors of the matrix. A matrix of
100 rows with entries up to 2^10 has minors below 2^1000, so with at most 34 prime factors of 30
bits or more; p is drawn anew from the 5·10^7 primes between 2^30 and 2^31, so that nobody can make
a matrix for it.
"""

from __future__ import annotations

import secrets
from typing import Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64]

_LOW: Final = 1 << 30
_WITNESSES: Final = (2, 3, 5, 7)
"""Bases of Miller and Rabin's test that leave no doubt below 3,215,031,751 (Jaeschke 1993)."""


def random_prime() -> int:
    """A prime between 2^30 and 2^31, so that products of two residues fit 63 bits."""
    while True:
        candidate = _LOW + secrets.randbelow(_LOW) | 1
        if _is_prime(candidate):
            return candidate


def _is_prime(number: int) -> bool:
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in _WITNESSES:
        power = pow(base, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def reduced(matrix: Matrix, prime: int) -> tuple[Matrix, list[int]]:
    """The reduced row echelon form modulo `prime` without its zero rows, and the pivot columns."""
    rows = matrix % prime
    pivots: list[int] = []
    for column in range(rows.shape[1]):
        rank = len(pivots)
        if rank == len(rows):
            break
        below = np.flatnonzero(rows[rank:, column])
        if not len(below):
            continue
        pivot = rank + int(below[0])
        if pivot != rank:
            rows[[rank, pivot]] = rows[[pivot, rank]]
        rows[rank] = rows[rank] * pow(int(rows[rank, column]), -1, prime) % prime
        others = np.flatnonzero(rows[:, column])
        others = others[others != rank]
        rows[others] = (rows[others] - rows[others, column][:, None] * rows[rank] % prime) % prime
        pivots.append(column)
    return rows[: len(pivots)], pivots


def rank(matrix: Matrix, prime: int) -> int:
    """The rank modulo `prime`."""
    return len(reduced(matrix, prime)[1])


def independent(rows: Matrix, columns: Matrix, prime: int) -> Matrix:
    """Combinations of `rows` that are independent in these columns, as many as there can be.

    With `vanishing` of the same columns they span the rows.
    """
    ordered = np.concatenate([rows[:, columns], rows], axis=1)
    echelon, pivots = reduced(ordered, prime)
    return echelon[: sum(pivot < len(columns) for pivot in pivots), len(columns) :]


def vanishing(rows: Matrix, columns: Matrix, prime: int) -> Matrix:
    """A basis of the combinations of `rows` that are 0 in all of these columns.

    `rows` has shape (dimension, columns) and independent rows; so has the result.
    """
    if not len(rows) or not len(columns):
        return rows
    ordered = np.concatenate([rows[:, columns], rows], axis=1)
    echelon, pivots = reduced(ordered, prime)
    start = sum(pivot < len(columns) for pivot in pivots)
    return echelon[start:, len(columns) :]
