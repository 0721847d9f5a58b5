from __future__ import annotations

import os
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.errors import LatticeError
from scoring.lattice import (
    ANSWER_BYTES,
    PUBLIC_KEY_BYTES,
    SECRET_KEY_BYTES,
    WEIGHT_BYTES,
    BlindEvaluator,
    Decryptor,
    ModelKeys,
    encrypt_weights,
    serial,
)
from scoring.lattice.params import context

READERS: dict[str, Callable[[bytes], object]] = {
    "secret key": serial.read_secret_key,
    "public key": serial.read_public_key,
    "weight": serial.read_weight,
    "answer": serial.read_answer,
}
PREFIX = {"secret key": 88, "public key": 113, "weight": 113, "answer": 113}


@pytest.fixture(scope="session")
def good(keys: ModelKeys) -> dict[str, bytes]:
    bundle = encrypt_weights(keys, [7])
    bins, clear = np.zeros((1, 8192), dtype=np.uint16), np.zeros(8192, dtype=np.uint64)
    return {
        "secret key": keys.secret_key,
        "public key": keys.public_key,
        "weight": bundle[8:],
        "answer": BlindEvaluator(keys.public_key, bundle, [1]).evaluate(bins, clear),
    }


def test_seal_writes_exactly_the_fixed_lengths(good: dict[str, bytes]) -> None:
    assert {name: len(raw) for name, raw in good.items()} == {
        "secret key": SECRET_KEY_BYTES,
        "public key": PUBLIC_KEY_BYTES,
        "weight": WEIGHT_BYTES,
        "answer": ANSWER_BYTES,
    }
    for name, raw in good.items():
        READERS[name](raw)


def test_reading_and_writing_is_the_identity(good: dict[str, bytes]) -> None:
    assert serial.write(serial.read_secret_key(good["secret key"])) == good["secret key"]
    assert serial.write(serial.read_public_key(good["public key"])) == good["public key"]
    assert serial.write(serial.read_answer(good["answer"])) == good["answer"]


@pytest.mark.parametrize("name", READERS)
def test_another_length_is_refused(name: str, good: dict[str, bytes]) -> None:
    raw = good[name]
    for wrong in (b"", raw[:1], raw[:16], raw[:-1], raw + b"\0", raw + raw, raw[1:]):
        with pytest.raises(LatticeError, match="bytes instead of"):
            READERS[name](wrong)


@pytest.mark.parametrize("name", READERS)
def test_every_byte_before_the_words_is_checked(name: str, good: dict[str, bytes]) -> None:
    raw = good[name]
    for position in range(PREFIX[name]):
        flipped = bytearray(raw)
        flipped[position] ^= 1 << (position % 8)
        with pytest.raises(LatticeError, match="header, level or form"):
            READERS[name](bytes(flipped))


@pytest.mark.parametrize("name", READERS)
def test_a_residue_beyond_its_prime_is_refused(name: str, good: dict[str, bytes]) -> None:
    ring = context()
    primes = {"answer": ring.primes[:1], "weight": ring.primes}.get(
        name, (*ring.primes, ring.special)
    )
    for index, prime in enumerate(primes):
        at = PREFIX[name] + 8 * 8192 * index
        raw = bytearray(good[name])
        raw[at : at + 8] = struct.pack("<Q", prime)
        with pytest.raises(LatticeError, match="not below its prime"):
            READERS[name](bytes(raw))
        raw[at : at + 8] = struct.pack("<Q", prime - 1)
        READERS[name](bytes(raw))


@pytest.mark.parametrize("name", READERS)
def test_one_kind_is_not_read_as_another(name: str, good: dict[str, bytes]) -> None:
    for other, raw in good.items():
        if other != name:
            with pytest.raises(LatticeError):
                READERS[name](raw)


def test_an_answer_at_another_level_is_refused(keys: ModelKeys, good: dict[str, bytes]) -> None:
    ring = context()
    whole = serial.write(ring.encryptor(serial.read_public_key(keys.public_key)).zero())
    with pytest.raises(LatticeError, match="bytes instead of"):
        Decryptor(keys.secret_key).decrypt(whole)
    relabelled = good["answer"].replace(ring.last, ring.first)
    with pytest.raises(LatticeError, match="header, level or form"):
        Decryptor(keys.secret_key).decrypt(relabelled)


def test_another_generator_for_the_seed_is_refused(good: dict[str, bytes]) -> None:
    raw = bytearray(good["weight"])
    raw[-65] = 2  # SHAKE-256: SEAL would take it
    with pytest.raises(LatticeError, match="BLAKE2xb"):
        serial.read_weight(bytes(raw))


@pytest.mark.parametrize("name", READERS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_flip_gets_another_error_out(
    name: str, good: dict[str, bytes], data: st.DataObject
) -> None:
    raw = bytearray(good[name])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        READERS[name](bytes(raw))
    except LatticeError:
        return
    # Only words or a seed differ: then it is a well-formed object of the same kind.
    assert bytes(raw[: PREFIX[name]]) == good[name][: PREFIX[name]]


@pytest.mark.parametrize("name", READERS)
def test_random_bytes_of_the_right_length_are_refused(name: str, good: dict[str, bytes]) -> None:
    with pytest.raises(LatticeError):
        READERS[name](os.urandom(len(good[name])))


def test_a_bundle_is_its_head_and_fixed_weights(keys: ModelKeys) -> None:
    bundle = encrypt_weights(keys, [1, 0, 2**48 - 1])
    assert bundle[:8] == b"YXW1\x00\x00\x00\x03"
    assert len(bundle) == 8 + 3 * WEIGHT_BYTES
    assert b"".join(serial.read_bundle(bundle, 3)) == bundle[8:]
    for broken, columns in (
        (bundle, 2),
        (bundle, 4),
        (bundle[:-1], 3),
        (bundle + b"\0", 3),
        (b"YXW2" + bundle[4:], 3),
        (b"YXW1\x00\x00\x00\x02" + bundle[8:], 3),
        (bundle, 0),
        (bundle, 501),
        (b"", 3),
    ):
        with pytest.raises(LatticeError):
            serial.read_bundle(broken, columns)


def test_a_bundle_with_one_bad_weight_is_refused_on_loading(keys: ModelKeys) -> None:
    bundle = bytearray(encrypt_weights(keys, [1, 2]))
    bundle[8 + WEIGHT_BYTES + 5] ^= 1  # the compression byte of the second weight
    with pytest.raises(LatticeError, match="weight: its header"):
        BlindEvaluator(keys.public_key, bytes(bundle), [2])


def test_the_same_weight_twice_is_an_error_on_loading_not_in_a_bucket(keys: ModelKeys) -> None:
    # A difference of equal ciphertexts is zero, which SEAL refuses whatever the data is.
    bundle = encrypt_weights(keys, [1])
    doubled = b"YXW1\x00\x00\x00\x02" + bundle[8:] * 2
    with pytest.raises(LatticeError, match="subtraction"):
        BlindEvaluator(keys.public_key, doubled, [2])


def test_secrets_stay_out_of_reprs(keys: ModelKeys) -> None:
    assert "secret_key" not in repr(keys)
