"""The lattice half: blind evaluation with sanitising, and the bank's decryption."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from numpy.typing import NDArray

from node.bench.ckks import InnerProduct
from node.bench.errors import agree
from node.bench.measure import Pair, Row, Side, Unit
from node.bench.setting import BINS, COLUMNS, FEATURES, Group, Pairs, Setting
from scoring.lattice import BlindEvaluator, Decryptor, encrypt_weights, generate_keys
from scoring.words import MODULUS, ROWS, WORD_BYTES, words_from_bytes

POINTS = 30
_LAYOUT = (BINS,) * FEATURES
_BUCKET = f"blind evaluation and sanitising of a bucket: {COLUMNS} columns, {ROWS} firms"

ROWS_OF_GROUP = (
    Row("blind.columns", Unit.MILLISECONDS, _BUCKET, "plain numpy, int16, column by column"),
    Row("blind.lookup", Unit.MILLISECONDS, _BUCKET, "plain numpy, int16, a lookup a feature"),
    Row(
        "blind.ckks",
        Unit.MICROSECONDS,
        f"the same, for each of {ROWS} firms",
        "tenseal.ckks_vector.dot for one firm, neither padded nor sanitised",
    ),
    Row(
        "blind.decrypt",
        Unit.MILLISECONDS,
        "the bank loads and decrypts a table",
        "reading the plain table of an open scorecard",
    ),
)

Points = NDArray[np.int16]


class PlainScores:
    """The same scores in the clear, by the quickest ways that numpy has."""

    def __init__(self, points: Points, bins: NDArray[np.uint16]) -> None:
        """`points` (features, bins) and `bins` (features, 8192)."""
        self._points = points
        # Kept ready, as by an operator who hides nothing.
        self._indices = bins.astype(np.intp)
        self._columns = (bins[:, None, :] == np.arange(BINS)[None, :, None]).astype(np.int16)
        self._columns = self._columns.reshape(COLUMNS, ROWS)

    def by_columns(self) -> Points:
        """The scores (8192,) as Σ w_c·X_c."""
        total = np.zeros(ROWS, np.int16)
        product = np.empty(ROWS, np.int16)
        for point, column in zip(self._points.reshape(COLUMNS), self._columns, strict=True):
            np.multiply(column, point, out=product)
            total += product
        return total

    def by_lookup(self) -> Points:
        """The scores (8192,) as a sum of each feature's looked-up points."""
        total = np.zeros(ROWS, np.int16)
        for points, indices in zip(self._points, self._indices, strict=True):
            total += points.take(indices)
        return total


@asynccontextmanager
async def prepare(setting: Setting) -> AsyncIterator[Pairs]:
    """A random model and a random bucket, on which all ways give the same scores."""
    random = np.random.default_rng(secrets.randbits(64))
    points = random.integers(0, POINTS, (FEATURES, BINS), dtype=np.int16)
    bins = random.integers(0, BINS, (FEATURES, ROWS), dtype=np.uint16)
    clear = random.integers(0, MODULUS, ROWS, dtype=np.uint64)
    weights = [int(point) for point in points.reshape(COLUMNS)]
    keys = generate_keys()
    evaluator = BlindEvaluator(keys.public_key, encrypt_weights(keys, weights), _LAYOUT)
    decryptor = Decryptor(keys.secret_key)
    answer = evaluator.evaluate(bins, clear)
    plain = PlainScores(points, bins)
    product = InnerProduct([float(weight) for weight in weights])
    firm = [float(value) for value in (bins[:, 0, None] == np.arange(BINS)).reshape(COLUMNS)]
    table = os.urandom(WORD_BYTES * ROWS)

    padding = clear + np.uint64(sum(weights))
    scores = ((decryptor.decrypt(answer) - padding) & np.uint64(MODULUS - 1)).tolist()
    agree("blind.columns", scores, plain.by_columns().tolist())
    agree("blind.lookup", scores, plain.by_lookup().tolist())
    agree("blind.ckks", scores[0], product.score(firm))
    bucket = Side(lambda: evaluator.evaluate(bins, clear))
    yield {
        "blind.columns": Pair(bucket, Side(plain.by_columns)),
        "blind.lookup": Pair(bucket, Side(plain.by_lookup)),
        "blind.ckks": Pair(
            Side(lambda: evaluator.evaluate(bins, clear), items=ROWS), Side(lambda: product(firm))
        ),
        "blind.decrypt": Pair(
            Side(lambda: decryptor.decrypt(answer)), Side(lambda: words_from_bytes(table))
        ),
    }


GROUP = Group("blind", ROWS_OF_GROUP, prepare)
