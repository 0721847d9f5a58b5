"""Counts of encrypted labels against counts in the clear, over several buckets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scoring.errors import LatticeError
from scoring.lattice import (
    ANSWER_BYTES,
    BAD,
    GOOD,
    MAX_BUCKETS,
    LabelCounter,
    ModelKeys,
    count_columns,
    counting_bound_log2,
    encrypt_labels,
    flooding_bound_log2,
    generate_keys,
    label_totals,
    labels_bytes,
    read_counts,
    sanitise,
    serial,
)
from scoring.lattice.evaluate import BLIND_BITS
from scoring.lattice.labels import MOST_NOISE
from scoring.lattice.params import MAX_COLUMNS, context
from scoring.lattice.seal import Ciphertext, Context
from scoring.words import MODULUS, ROWS

LAYOUT = (4, 2, 6)
COLUMNS = 9


def labels(buckets: int, share: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng()
    chosen = rng.random((buckets, ROWS))
    words = np.zeros((buckets, ROWS), dtype=np.uint64)
    words[chosen < share] = GOOD
    words[chosen < share / 5] = BAD
    return words


def bins_of(buckets: int) -> np.ndarray:
    rng = np.random.default_rng()
    return np.stack(
        [rng.integers(0, bins, (buckets, ROWS), dtype=np.uint16) for bins in LAYOUT], axis=1
    )


def plain_counts(words: np.ndarray, bins: np.ndarray) -> np.ndarray:
    return np.array(
        [
            [int(((bins[:, f] == b) & (words == label)).sum()) for label in (GOOD, BAD)]
            for f, b in count_columns(LAYOUT)
        ]
    )


def quiet(columns: int = COLUMNS) -> np.ndarray:
    return np.zeros((columns, 2), dtype=np.int64)


@pytest.mark.parametrize("buckets", [1, 3])
def test_counts_are_exact_but_for_the_noise(keys: ModelKeys, buckets: int) -> None:
    words, bins = labels(buckets), bins_of(buckets)
    bins[0, 2] = 0  # a feature that is missing in a whole bucket
    noise = np.random.default_rng().integers(-5000, 5000, (COLUMNS, 2), dtype=np.int64)
    bundle = encrypt_labels(keys, words)
    counter = LabelCounter(keys.public_key, bundle, buckets)
    answers = counter.count(LAYOUT, bins, noise)
    assert len(answers) == COLUMNS * ANSWER_BYTES
    read = read_counts(keys.secret_key, answers, COLUMNS, label_totals(words))
    assert np.array_equal(read, plain_counts(words, bins) + noise)


def test_noise_below_zero_and_at_its_limits_is_read(keys: ModelKeys) -> None:
    words = np.zeros((1, ROWS), dtype=np.uint64)
    words[0, 0], words[0, ROWS - 1] = GOOD, BAD
    bins = np.zeros((1, 3, ROWS), dtype=np.uint16)  # nobody is known: every column is empty
    noise = np.array(
        [
            [-1, -1],
            [0, -MOST_NOISE],
            [MOST_NOISE, -7],
            [-MOST_NOISE, MOST_NOISE],
            [-1, 0],
            [1, -1],
            [0, 0],
            [MOST_NOISE, MOST_NOISE],
            [-MOST_NOISE, -MOST_NOISE],
        ]
    )
    counter = LabelCounter(keys.public_key, encrypt_labels(keys, words), 1)
    read = read_counts(keys.secret_key, counter.count(LAYOUT, bins, noise), COLUMNS, (1, 1))
    assert np.array_equal(read, noise)


def test_what_a_bundle_is_as_long_as_does_not_depend_on_the_labels(keys: ModelKeys) -> None:
    nobody = np.zeros((2, ROWS), dtype=np.uint64)
    for words in (nobody, nobody + GOOD, labels(2)):
        bundle = encrypt_labels(keys, words)
        assert len(bundle) == labels_bytes(2) == 8 + 2 * serial.WEIGHT_BYTES
        assert bundle[:8] == b"YXL1\x00\x00\x00\x02"


@pytest.mark.parametrize(
    "words",
    [
        np.full((1, ROWS), 2, dtype=np.uint64),  # one firm that counts twice
        np.full((1, ROWS), MODULUS - 1, dtype=np.uint64),
        np.full((1, ROWS), GOOD + BAD, dtype=np.uint64),
        np.zeros((1, ROWS), dtype=np.int64),
        np.zeros(ROWS, dtype=np.uint64),
        np.zeros((1, ROWS - 1), dtype=np.uint64),
    ],
)
def test_a_label_is_good_bad_or_none(keys: ModelKeys, words: np.ndarray) -> None:
    with pytest.raises(LatticeError, match="words"):
        encrypt_labels(keys, words)


def test_labels_of_another_length_or_kind_are_not_loaded(keys: ModelKeys) -> None:
    bundle = encrypt_labels(keys, labels(2))
    for broken, buckets in (
        (bundle, 1),
        (bundle, 3),
        (bundle[:-1], 2),
        (b"YXW1" + bundle[4:], 2),
        (bundle, 0),
        (bundle, MAX_BUCKETS + 1),
        (bundle[:13] + b"\x01" + bundle[14:], 2),
    ):
        with pytest.raises(LatticeError):
            LabelCounter(keys.public_key, broken, buckets)


def test_bins_and_noise_of_another_form_are_refused(keys: ModelKeys) -> None:
    counter = LabelCounter(keys.public_key, encrypt_labels(keys, labels(1)), 1)
    good = bins_of(1)
    beyond = good.copy()
    beyond[0, 1, 5] = 2
    for bins, noise, named in (
        (good[:, :2], quiet(), "bins"),
        (good.astype(np.int64), quiet(), "bins"),
        (beyond, quiet(), "bins"),
        (np.concatenate([good, good]), quiet(), "bins"),
        (good, quiet(COLUMNS - 1), "noise"),
        (good, quiet() + MOST_NOISE + 1, "noise"),
        (good, quiet().astype(np.float64), "noise"),
    ):
        with pytest.raises(LatticeError, match=named):
            counter.count(LAYOUT, bins, noise)
    with pytest.raises(LatticeError, match="columns"):
        count_columns((1, 1))
    with pytest.raises(LatticeError, match="columns"):
        count_columns((502,))


def test_counts_with_another_key_are_random_and_with_less_bytes_an_error(keys: ModelKeys) -> None:
    words = labels(1)
    counter = LabelCounter(keys.public_key, encrypt_labels(keys, words), 1)
    answers = counter.count((2,), bins_of(1)[:, 1:2], quiet(1))
    other = read_counts(generate_keys().secret_key, answers, 1, label_totals(words))
    own = read_counts(keys.secret_key, answers, 1, label_totals(words))
    assert not np.array_equal(other, own)
    with pytest.raises(LatticeError, match="answers"):
        read_counts(keys.secret_key, answers[:-1], 1, (0, 0))


def test_flooding_hides_the_worst_noise_of_a_count() -> None:
    worst = 500 * 8192 * 21.5 * 2 + 4097 + 0.5
    assert counting_bound_log2() == pytest.approx(math.log2(8192 * worst) - 116, abs=1e-5)
    assert counting_bound_log2() < -75.6
    assert counting_bound_log2() > flooding_bound_log2()  # roundings stand in every coefficient
    with pytest.raises(LatticeError, match="buckets"):
        counting_bound_log2(0)


def test_blinded_columns_stay_where_seal_lifts_alike() -> None:
    assert MAX_COLUMNS * (2**BLIND_BITS - 1) + 1 < MODULUS // 2


def test_the_largest_count_and_noise_fit_into_their_bits() -> None:
    assert MAX_BUCKETS * ROWS + MOST_NOISE < 1 << 23


# --- what the data does not show in -------------------------------------------------------------

FIRST = (np.arange(ROWS) == 0).astype(np.uint16)
DATA = {
    "nobody known": np.zeros((2, 2, ROWS), dtype=np.uint16),
    "one row": np.stack([np.stack([FIRST, FIRST])] * 2),
    "dense": bins_of(2)[:, :2] % np.array([[[4], [2]]], dtype=np.uint16),
    "all in one bin": np.ones((2, 2, ROWS), dtype=np.uint16),
}


@pytest.fixture
def counter(keys: ModelKeys) -> LabelCounter:
    return LabelCounter(keys.public_key, encrypt_labels(keys, labels(2)), 2)


def test_what_is_sanitised_is_the_sum_over_buckets_bit_for_bit(
    keys: ModelKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Σ_b Enc(L_b)·X_b of the protocol, with entries 1 and 2, whatever the blinding was."""
    bundle = encrypt_labels(keys, labels(2))
    counter = LabelCounter(keys.public_key, bundle, 2)
    bins = bins_of(2)
    monkeypatch.setattr(sanitise, "sanitise", lambda summed, clear, encryptor: summed)
    answers = counter.count(LAYOUT, bins, quiet())
    ring, size = context(), len(answers) // COLUMNS
    weights = [ring.to_ntt(serial.read_weight(raw)) for raw in serial.read_labels(bundle, 2)]
    for column, (feature, index) in enumerate(count_columns(LAYOUT)):
        products = [
            ring.multiply_plain(weight, ring.ntt_plaintext(np.where(rows[feature] == index, 2, 1)))
            for weight, rows in zip(weights, bins, strict=True)
        ]
        expected = serial.write(ring.from_ntt(ring.add(*products)))
        assert answers[column * size : (column + 1) * size] == expected


def test_all_data_takes_one_path(counter: LabelCounter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal size, equal success, and the same calls into SEAL in the same order."""
    calls: list[str] = []
    for name in [name for name in vars(Context) if not name.startswith("__")]:
        real = getattr(Context, name)

        def spied(*args: object, _real: object = real, _name: str = name, **kw: object) -> object:
            calls.append(_name)
            return _real(*args, **kw)  # type: ignore[operator]

        monkeypatch.setattr(Context, name, spied)
    paths = set()
    for bins in DATA.values():
        calls.clear()
        assert len(counter.count((4, 2), bins, quiet(4))) == 4 * ANSWER_BYTES
        paths.add(tuple(calls))
    assert len(paths) == 1


def test_what_is_transformed_is_random_and_never_repeats(
    counter: LabelCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[np.ndarray]] = []
    real = Context.sum_products

    def spied(self: Context, start: Ciphertext, terms: object) -> Ciphertext:
        listed = list(terms)  # type: ignore[call-overload]
        seen.append([column for _, column in listed])
        return real(self, start, listed)

    monkeypatch.setattr(Context, "sum_products", spied)
    transformed = []
    for bins in DATA.values():
        seen.clear()
        counter.count((4, 2), bins, quiet(4))
        (blinds, *columns) = seen  # first the sum with R itself, of every bucket but the first
        assert len(blinds) == 1 and len(columns) == 4
        for times, (_, second) in enumerate(columns, start=1):
            assert abs(float(second.astype(float).mean()) / 2**37 / times - 0.5) < 0.03
            data = second - blinds[0] * np.uint64(times)
            assert data.max() <= 1
        transformed += [one.tobytes() for column in columns for one in column]
    assert len(set(transformed)) == len(transformed)


def test_no_answer_is_given_twice(keys: ModelKeys, counter: LabelCounter) -> None:
    given = {counter.count((4, 2), DATA["dense"], quiet(4)) for _ in range(3)}
    assert len(given) == 3
    opened = [read_counts(keys.secret_key, one, 4, (0, 0)) for one in given]
    assert all(np.array_equal(opened[0], other) for other in opened)
