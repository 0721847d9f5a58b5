"""Unified social credit codes and names of firms that do not exist.

GB 32100-2015 gives a code 18 characters: registration department, category, six
digits of region, nine of the organisation code (GB 11714-1997, its last one a check
character) and a check character over the other seventeen. Region 999999 is assigned
to nobody, so no generated code is a real firm's.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from node.sample.errors import SampleError

REGION: Final = "999999"
ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_PREFIX: Final = "91" + REGION + "MA"
_BODY: Final = 6
SPACE: Final = len(ALPHABET) ** _BODY

_CHARACTERS: Final = np.array(list(ALPHABET))
_CODE_WEIGHTS: Final = np.array([pow(3, i, 31) for i in range(17)], dtype=np.int64)
_ORGANISATION_WEIGHTS: Final = np.array([3, 7, 9, 10, 5, 8, 4, 2], dtype=np.int64)
_ORGANISATION_CHECKS: Final = np.array(list("0123456789X0"))
_PLACES: Final = ("澜州", "沐州", "澄州", "曦州", "棠州", "砚州", "霁州", "栩州", "苇州", "桁州")
_LUCKY: Final = "恒昌瑞丰盛泰华信达顺荣安宏嘉润德诚源通利兴隆和裕康祥鼎晟博远"


def codes(count: int, seed: int) -> list[str]:
    """Return `count` different valid codes of region 999999, in no visible order.

    The bodies are an affine permutation of 0..31^6-1 (the multiplier is prime to 31),
    so that uniqueness needs no search.

    Raises SampleError if `count` exceeds the number of bodies.
    """
    if not 0 <= count <= SPACE:
        raise SampleError(f"count: {count} codes do not exist, ask for at most {SPACE}")
    rng = np.random.default_rng([seed, 1])
    multiplier = int(rng.integers(1, SPACE // 31)) * 31 + int(rng.integers(1, 31))
    offset = int(rng.integers(0, SPACE))
    # Both factors stay below 2^30, so the product fits int64.
    numbers = (np.arange(count, dtype=np.int64) * multiplier + offset) % SPACE
    body = np.empty((count, _BODY), dtype=np.int64)
    for place in range(_BODY - 1, -1, -1):
        numbers, body[:, place] = np.divmod(numbers, 31)
    prefix = np.broadcast_to([ALPHABET.index(c) for c in _PREFIX], (count, len(_PREFIX)))
    head = np.concatenate([prefix, body], axis=1)
    head = np.concatenate([head, _organisation_checks(head[:, 8:])], axis=1)
    check = (31 - head @ _CODE_WEIGHTS % 31) % 31
    values = np.concatenate([head, check[:, None]], axis=1)
    return ["".join(row) for row in _CHARACTERS[values].tolist()]


def _organisation_checks(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the GB 11714 check characters, as positions in ALPHABET, shape (rows, 1)."""
    # GB 11714 counts A=10 … Z=35, with the letters that the credit code leaves out.
    letters = np.array([int(c, 36) for c in ALPHABET], dtype=np.int64)[values]
    remainders = 11 - letters @ _ORGANISATION_WEIGHTS % 11
    positions = np.array([ALPHABET.index(c) for c in _ORGANISATION_CHECKS], dtype=np.int64)
    # 11 - sum mod 11 lies in 1..11; 10 is written X, 11 is written 0.
    return np.asarray(positions[remainders][:, None], dtype=np.int64)


def corrupted(code: str) -> str:
    """Return `code` with another last character: what a typing error makes of it."""
    position = ALPHABET.index(code[-1])
    return code[:-1] + ALPHABET[(position + 1) % len(ALPHABET)]


def names(trades: NDArray[np.str_], seed: int) -> list[str]:
    """Return a Chinese firm name for every trade word; places are invented."""
    rng = np.random.default_rng([seed, 2])
    count = len(trades)
    places = rng.integers(0, len(_PLACES), count).tolist()
    first = rng.integers(0, len(_LUCKY), count).tolist()
    second = rng.integers(0, len(_LUCKY), count).tolist()
    return [
        f"{_PLACES[p]}{_LUCKY[a]}{_LUCKY[b]}{trade}有限公司"
        for p, a, b, trade in zip(places, first, second, trades.tolist(), strict=True)
    ]
