"""Encrypting labels, in a worker: fresh keys, one ciphertext a bucket, all of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from node.files import replacing
from node.workers.errors import JobFailed
from scoring import lattice
from scoring.lattice.labels import BAD, GOOD, encrypt_labels
from scoring.words import ROWS


@dataclass(frozen=True)
class EncryptedLabels:
    """The keys of one bundle, and its SHA-256."""

    public_key: bytes
    secret_key: bytes = field(repr=False)
    bundle_sha256: bytes


def encrypt(
    rows: NDArray[np.int64], outcomes: NDArray[np.uint8], buckets: int, path: str
) -> EncryptedLabels:
    """Labels under fresh keys, written to `path` whole and synced.

    `outcomes` (0 paid, 1 defaulted) are of the roster's `rows`; all other rows have none. Raises
    JobFailed when the file cannot be written.
    """
    words = np.zeros(buckets * ROWS, dtype=np.uint64)
    words[rows] = np.where(outcomes == 1, np.uint64(BAD), np.uint64(GOOD))
    keys = lattice.generate_keys()
    bundle = encrypt_labels(keys, words.reshape(buckets, ROWS))
    try:
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(bundle)
    except OSError as error:
        raise JobFailed(f"{path}: {error.strerror}") from error
    return EncryptedLabels(keys.public_key, keys.secret_key, hashlib.sha256(bundle).digest())
