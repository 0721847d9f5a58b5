from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.errors import LatticeError
from scoring.lattice import (
    ANSWER_BYTES,
    MAX_COLUMNS,
    BlindEvaluator,
    Decryptor,
    ModelKeys,
    clear_table,
    encrypt_weights,
    evaluate,
    generate_keys,
    sanitise,
    serial,
)
from scoring.lattice.params import context
from scoring.lattice.seal import Ciphertext, Context
from scoring.words import MODULUS, ROWS

NOTHING = np.zeros(ROWS, dtype=np.uint64)


def bucket(layout: Sequence[int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, bins, ROWS) for bins in layout]).astype(np.uint16)


def words(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, MODULUS, ROWS, dtype=np.uint64)


def reference(
    weights: Sequence[int], layout: Sequence[int], bins: np.ndarray, clear: np.ndarray, row: int
) -> int:
    total, column = int(clear[row]), 0
    for feature, count in enumerate(layout):
        for index in range(count):
            total += weights[column] * (2 if bins[feature, row] == index else 1)
            column += 1
    return total % MODULUS


@st.composite
def scorecards(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    layout = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    packed = st.one_of(
        st.just(0),
        st.just(MODULUS - 1),
        st.integers(0, MODULUS - 1),
        st.builds(
            lambda points, field: points << (7 * field), st.integers(0, 7), st.integers(0, 5)
        ),
    )
    columns = sum(layout)
    return layout, draw(st.lists(packed, min_size=columns, max_size=columns))


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(scorecard=scorecards(), seed=st.integers(0, 2**32))
def test_an_answer_opens_to_the_clear_table(
    keys: ModelKeys, scorecard: tuple[list[int], list[int]], seed: int
) -> None:
    layout, weights = scorecard
    bins, clear = bucket(layout, seed), words(seed + 1)
    evaluator = BlindEvaluator(keys.public_key, encrypt_weights(keys, weights), layout)
    opened = Decryptor(keys.secret_key).decrypt(evaluator.evaluate(bins, clear))
    table = clear_table(weights, layout, bins, clear)
    assert np.array_equal(opened, table)
    for row in (0, 1, 4095, ROWS - 1):
        assert int(table[row]) == reference(weights, layout, bins, clear, row)


def test_the_most_columns_decrypt_exactly(keys: ModelKeys) -> None:
    layout = [10] * 50
    weights = [MODULUS - 1 - column for column in range(500)]
    bins, clear = bucket(layout, 1), words(2)
    evaluator = BlindEvaluator(keys.public_key, encrypt_weights(keys, weights), layout)
    opened = Decryptor(keys.secret_key).decrypt(evaluator.evaluate(bins, clear))
    assert np.array_equal(opened, clear_table(weights, layout, bins, clear))


def test_the_short_sum_is_the_sum_over_all_columns(
    keys: ModelKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ciphertext before sanitising is Σ Enc(w_c)·X_c of the protocol, bit for bit."""
    layout = [3, 1, 4]
    bins = bucket(layout, 3)
    bundle = encrypt_weights(keys, [11, 0, 5, 1 << 40, 3, 3, 9, MODULUS - 1])
    monkeypatch.setattr(sanitise, "sanitise", lambda summed, clear, encryptor: summed)
    got = BlindEvaluator(keys.public_key, bundle, layout).evaluate(bins, NOTHING)

    ring, total = context(), None
    columns = [(feature, index) for feature, count in enumerate(layout) for index in range(count)]
    for (feature, index), raw in zip(columns, serial.read_bundle(bundle, 8), strict=True):
        column = np.where(bins[feature] == index, 2, 1).astype(np.uint64)
        weight = ring.to_ntt(serial.read_weight(raw))
        product = ring.multiply_plain(weight, ring.ntt_plaintext(column))
        total = product if total is None else ring.add(total, product)
    assert total is not None
    assert got == serial.write(ring.from_ntt(total))


BUCKETS = {
    "empty": np.zeros((2, ROWS), dtype=np.uint16),
    "one row": np.concatenate([np.ones((2, 1)), np.zeros((2, ROWS - 1))], axis=1).astype(np.uint16),
    "dense": bucket([4, 3], 5),
    "all in one bin": np.full((2, ROWS), 2, dtype=np.uint16),
}


def test_empty_sparse_and_dense_buckets_take_one_path(
    keys: ModelKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal size, equal success, and the same calls into SEAL in the same order."""
    layout, opener = [4, 3], Decryptor(keys.secret_key)
    calls: list[str] = []
    for name in [name for name in vars(Context) if not name.startswith("__")]:
        real = getattr(Context, name)

        def spied(*args: object, _real: object = real, _name: str = name, **kw: object) -> object:
            calls.append(_name)
            return _real(*args, **kw)  # type: ignore[operator]

        monkeypatch.setattr(Context, name, spied)
    paths: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for model, weights in {"zero": [0] * 7, "some": [1, 2, 3, 4, 5, 6, 7]}.items():
        evaluator = BlindEvaluator(keys.public_key, encrypt_weights(keys, weights), layout)
        for name, bins in BUCKETS.items():
            for clear in (NOTHING, words(6)):
                calls.clear()
                answer = evaluator.evaluate(bins, clear)
                paths.setdefault(tuple(calls), []).append((model, name))
                assert len(answer) == ANSWER_BYTES
                table = clear_table(weights, layout, bins, clear)
                assert np.array_equal(opener.decrypt(answer), table)
    assert len(paths) == 1, paths


def test_what_is_transformed_looks_alike_for_every_bucket(
    keys: ModelKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many columns, all of them random: SEAL's time depends on the values it transforms."""
    evaluator = BlindEvaluator(keys.public_key, encrypt_weights(keys, [0] * 7), [4, 3])
    seen: list[list[np.ndarray]] = []
    real = Context.sum_products

    def spied(self: Context, start: Ciphertext, terms: object) -> Ciphertext:
        listed = list(terms)  # type: ignore[call-overload]
        seen.append([column for _, column in listed])
        return real(self, start, listed)

    monkeypatch.setattr(Context, "sum_products", spied)
    for bins in BUCKETS.values():
        for _ in range(2):
            evaluator.evaluate(bins, NOTHING)
    for columns in seen:
        assert len(columns) == 5
        # The last column has R once, the one before it twice, and so on.
        blind = columns[-1]
        for times, column in zip((5, 4, 3, 2, 1), columns, strict=True):
            assert column.dtype == np.uint64
            assert abs(float(column.astype(float).mean()) / 2**37 / times - 0.5) < 0.03
            data = (column - blind * np.uint64(times)).astype(np.int64)
            assert data.min() >= 1 - 2 * times and data.max() <= 2 - times
    firsts = [columns[-1].tobytes() for columns in seen]
    assert len(set(firsts)) == len(firsts)  # no two buckets share it


def test_the_blind_stays_where_seal_lifts_alike() -> None:
    assert MAX_COLUMNS * (2**evaluate.BLIND_BITS - 1) + 2 < MODULUS // 2


def test_a_zero_column_would_be_an_error(keys: ModelKeys) -> None:
    """Why entries are 1 and 2: with 0 and 1 an empty bin raises, which tells that it is empty."""
    ring = context()
    weight = ring.to_ntt(serial.read_weight(encrypt_weights(keys, [5])[8:]))
    with pytest.raises(LatticeError, match="transparent"):
        ring.sum_products(weight, [(weight, NOTHING)])


def test_no_answer_is_given_twice(keys: ModelKeys) -> None:
    evaluator = BlindEvaluator(keys.public_key, encrypt_weights(keys, [1, 2]), [2])
    bins, clear = bucket([2], 7), words(8)
    answers = [evaluator.evaluate(bins, clear) for _ in range(3)]
    assert len(set(answers)) == 3
    opened = [Decryptor(keys.secret_key).decrypt(answer) for answer in answers]
    assert all(np.array_equal(opened[0], other) for other in opened)


def test_weights_are_encrypted_afresh(keys: ModelKeys) -> None:
    assert encrypt_weights(keys, [5]) != encrypt_weights(keys, [5])
    assert generate_keys() != generate_keys()


def test_another_models_key_opens_to_garbage(keys: ModelKeys) -> None:
    weights, bins, clear = [1, 2], bucket([2], 9), words(10)
    answer = BlindEvaluator(keys.public_key, encrypt_weights(keys, weights), [2]).evaluate(
        bins, clear
    )
    opened = Decryptor(generate_keys().secret_key).decrypt(answer)
    table = clear_table(weights, [2], bins, clear)
    assert opened.shape == (ROWS,)
    assert int((opened == table).sum()) <= 1
    # Not even the high half survives: a word's top 8 bits agree by chance, once in 256.
    assert int((opened >> np.uint64(40) == table >> np.uint64(40)).sum()) < 100


@pytest.mark.parametrize(
    ("bins", "clear", "message"),
    [
        (np.zeros((2, ROWS), dtype=np.uint16), NOTHING, "bins: uint16 of shape"),
        (np.zeros((1, ROWS - 1), dtype=np.uint16), NOTHING, "bins: uint16 of shape"),
        (np.zeros((1, ROWS), dtype=np.int64), NOTHING, "bins: int64"),
        (np.full((1, ROWS), 2, dtype=np.uint16), NOTHING, "beyond its feature's bins"),
        (np.zeros((1, ROWS), dtype=np.uint16), NOTHING[1:], "clear: uint64 of shape"),
        (np.zeros((1, ROWS), dtype=np.uint16), NOTHING.astype(np.int64), "clear: int64"),
        (np.zeros((1, ROWS), dtype=np.uint16), NOTHING + np.uint64(MODULUS), "more than 48 bits"),
    ],
)
def test_a_bucket_of_another_form_is_refused(
    keys: ModelKeys, bins: np.ndarray, clear: np.ndarray, message: str
) -> None:
    evaluator = BlindEvaluator(keys.public_key, encrypt_weights(keys, [1, 2]), [2])
    with pytest.raises(LatticeError, match=message):
        evaluator.evaluate(bins, clear)
    with pytest.raises(LatticeError, match=message):
        clear_table([1, 2], [2], bins, clear)


@pytest.mark.parametrize("weights", [[], [-1], [MODULUS], [0] * 501])
def test_weights_out_of_range_are_refused(keys: ModelKeys, weights: list[int]) -> None:
    with pytest.raises(LatticeError, match="weights"):
        encrypt_weights(keys, weights)


@pytest.mark.parametrize("layout", [[], [0, 2], [-1, 3], [1], [3]])
def test_a_layout_that_does_not_fit_is_refused(keys: ModelKeys, layout: list[int]) -> None:
    with pytest.raises(LatticeError):
        BlindEvaluator(keys.public_key, encrypt_weights(keys, [1, 2]), layout)
    with pytest.raises(LatticeError):
        clear_table([1, 2], layout, np.zeros((len(layout), ROWS), dtype=np.uint16), NOTHING)
