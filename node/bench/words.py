"""What a bucket's rows are covered with: masks and pad words."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from node.bench.measure import Pair, Row, Side, Unit
from node.bench.setting import HOLDERS, Group, Pairs, Setting
from scoring.masks import mask
from scoring.pads import OUTPUT_BYTES, pad_words
from scoring.words import ROWS, WORD_BYTES

ROWS_OF_GROUP = (
    Row(
        "words.mask",
        Unit.MILLISECONDS,
        f"one of {HOLDERS} holders' mask of a bucket",
        f"{HOLDERS - 1} bare ChaCha20 keystreams (OpenSSL)",
    ),
    Row(
        "words.pads",
        Unit.MICROSECONDS,
        "the pad word of each row of a bucket",
        "HKDF-SHA256 of the cryptography package",
    ),
)


@asynccontextmanager
async def prepare(setting: Setting) -> AsyncIterator[Pairs]:
    """Random keys and OPRF values."""
    own = X25519PrivateKey.generate()
    peers = {
        f"holder-{number}": X25519PrivateKey.generate().public_key().public_bytes_raw()
        for number in range(1, HOLDERS)
    }
    ctx, manifest = os.urandom(32), os.urandom(32)
    values = [os.urandom(OUTPUT_BYTES) for _ in range(ROWS)]
    zeros = bytes(WORD_BYTES * ROWS)
    keys = [os.urandom(32) for _ in peers]
    info = b"yinxin bench" + ctx + manifest

    def streams() -> None:
        for key in keys:
            Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor().update(zeros)

    def derived() -> None:
        for value in values:
            HKDF(algorithm=SHA256(), length=WORD_BYTES, salt=None, info=info).derive(value)

    yield {
        "words.mask": Pair(Side(lambda: mask("holder-0", own, peers, ctx, 0)), Side(streams)),
        "words.pads": Pair(
            Side(lambda: pad_words(values, ctx, manifest), ROWS), Side(derived, ROWS)
        ),
    }


GROUP = Group("words", ROWS_OF_GROUP, prepare)
