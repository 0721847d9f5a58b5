"""Pads equal HKDF, depend on every input, and empty rows look like pads."""

from __future__ import annotations

import hashlib
import hmac
import secrets

import numpy as np
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring import oprf, pads
from scoring.errors import OprfError

CTX, MANIFEST = hashlib.sha256(b"ctx").digest(), hashlib.sha256(b"manifest").digest()

outputs = st.binary(min_size=64, max_size=64)
hashes = st.binary(min_size=32, max_size=32)


def reference(y: bytes, ctx: bytes, manifest: bytes) -> int:
    info = b"yinxin/pad/v1" + ctx + manifest
    return int.from_bytes(HKDF(SHA256(), 6, None, info).derive(y), "big")


@settings(max_examples=60, deadline=None)
@given(ys=st.lists(outputs, max_size=5), ctx=hashes, manifest=hashes)
def test_equals_hkdf_of_another_library(ys: list[bytes], ctx: bytes, manifest: bytes) -> None:
    words = pads.pad_words(ys, ctx, manifest)
    assert words.dtype == np.uint64
    assert words.tolist() == [reference(y, ctx, manifest) for y in ys]
    assert [pads.pad_word(y, ctx, manifest) for y in ys] == words.tolist()


def test_every_input_changes_the_pad() -> None:
    y = secrets.token_bytes(64)
    other = hashlib.sha256(b"other").digest()
    words = {
        pads.pad_word(y, CTX, MANIFEST),
        pads.pad_word(secrets.token_bytes(64), CTX, MANIFEST),
        pads.pad_word(y, other, MANIFEST),
        pads.pad_word(y, CTX, other),
        pads.pad_word(y, MANIFEST, CTX),
    }
    assert len(words) == 5


def test_holder_and_bank_derive_the_same_pad() -> None:
    keys, data = oprf.derive_key_pair(secrets.token_bytes(32), CTX), b"914403001922038216"
    blinded = oprf.blind(data)
    answer = oprf.blind_evaluate(keys, [blinded.element])
    oprf.verify(keys.public, [blinded.element], answer.elements, answer.proof)
    y = oprf.finalize(data, blinded.scalar, answer.elements[0])
    assert pads.pad_word(y, CTX, MANIFEST) == int(
        pads.pad_words(oprf.evaluate_many(keys.secret, [data]), CTX, MANIFEST)[0]
    )


@pytest.mark.parametrize(
    ("lengths", "name"),
    [((63, 32, 32), "y"), ((65, 32, 32), "y"), ((64, 31, 32), "ctx"), ((64, 32, 33), "manifest")],
)
def test_other_lengths_are_refused(lengths: tuple[int, int, int], name: str) -> None:
    y, ctx, manifest = (bytes(length) for length in lengths)
    with pytest.raises(OprfError, match=name):
        pads.pad_word(y, ctx, manifest)


def test_empty_rows_are_the_documented_prf_of_their_own_number() -> None:
    secret = secrets.token_bytes(32)
    words = pads.empty_row_words(secret, CTX, range(20_000, 24_576))
    assert words.dtype == np.uint64
    assert words.shape == (4576,)
    message = b"yinxin/empty-row/v1" + CTX + (20_003).to_bytes(8, "big")
    digest = hmac.new(secret, message, hashlib.sha256).digest()
    assert int(words[3]) == int.from_bytes(digest[:6], "big")
    # The same number gives the same word in whatever range it is asked for.
    again = pads.empty_row_words(secret, CTX, range(20_001, 20_005))
    assert again.tolist() == words[1:5].tolist()
    assert pads.empty_row_words(secret, CTX, range(5, 5)).shape == (0,)


def test_empty_rows_change_with_secret_and_ctx_and_do_not_repeat() -> None:
    one, two = secrets.token_bytes(32), secrets.token_bytes(32)
    rows = range(8192)
    words = pads.empty_row_words(one, CTX, rows)
    assert len(set(words.tolist())) > 8190
    assert not (words == pads.empty_row_words(two, CTX, rows)).any()
    assert not (words == pads.empty_row_words(one, MANIFEST, rows)).any()
    # Uniform in every bit: 8192 fair coins stay within six standard deviations.
    ones = ((words[:, None] >> np.arange(48, dtype=np.uint64)) & np.uint64(1)).sum(axis=0)
    assert (np.abs(ones.astype(np.int64) - 4096) < 6 * 45.3).all()
    assert int(words.max()) < 2**48


def test_bad_empty_row_inputs_are_refused() -> None:
    secret = secrets.token_bytes(32)
    with pytest.raises(OprfError, match="secret"):
        pads.empty_row_words(secret[:31], CTX, range(3))
    with pytest.raises(OprfError, match="ctx"):
        pads.empty_row_words(secret, CTX[:31], range(3))
    for rows in (range(-1, 3), range(2**64 - 1, 2**64 + 1), range(3, -2, -1)):
        with pytest.raises(OprfError, match="rows"):
            pads.empty_row_words(secret, CTX, rows)
