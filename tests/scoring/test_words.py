from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.errors import ScoringError
from scoring.words import MODULUS, WORD_BYTES, words_from_bytes, words_to_bytes


@given(st.lists(st.integers(0, MODULUS - 1)))
def test_words_are_six_big_endian_bytes(values: list[int]) -> None:
    raw = b"".join(value.to_bytes(WORD_BYTES, "big") for value in values)
    words = np.array(values, dtype=np.uint64)
    assert words_to_bytes(words) == raw
    assert np.array_equal(words_from_bytes(raw), words)
    assert words_from_bytes(raw).dtype == np.uint64


def test_a_broken_word_is_refused() -> None:
    with pytest.raises(ScoringError, match="multiple of 6"):
        words_from_bytes(bytes(7))


@pytest.mark.parametrize(
    "words",
    [
        np.array([MODULUS], dtype=np.uint64),
        np.array([1], dtype=np.int64),
        np.zeros((2, 2), dtype=np.uint64),
    ],
)
def test_what_is_no_flat_array_of_words_is_refused(words: np.ndarray) -> None:
    with pytest.raises(ScoringError, match="words:"):
        words_to_bytes(words)
