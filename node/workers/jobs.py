"""The jobs: functions of bytes and arrays to bytes and arrays, run in worker processes.

Only `scoring` is imported, so that a worker stays small. Evaluators are kept from job to job by
the hashes in the model's certificate; nothing secret is kept beyond its job, so that erasing a
key in the node erases it here. What the mathematics refuses raises a ScoringError.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from node.files import replacing
from node.workers.errors import HashMismatch, JobFailed
from scoring import lattice, oprf
from scoring.oprf import group
from scoring.pads import pad_words
from scoring.published import publish_weights, read_weights
from scoring.words import MODULUS, ROWS, words_to_bytes

CACHED_COLUMNS = 600
"""Columns of all evaluators that a worker keeps, at 0.4 MB each; one has at most 500."""
ELEMENT_BYTES = 32

_EvaluatorKey = tuple[bytes, bytes, tuple[int, ...]]
_evaluators: OrderedDict[_EvaluatorKey, lattice.BlindEvaluator] = OrderedDict()


@dataclass(frozen=True)
class GeneratedModel:
    """A new model's keys, and SHA-256 of the public key and of each holder's bundle."""

    public_key: bytes
    secret_key: bytes = field(repr=False)
    public_key_sha256: bytes
    bundle_sha256: Mapping[str, bytes]


def prepare_bucket(
    public_key_path: str,
    bundle_path: str,
    bundle_sha256: bytes,
    public_key_sha256: bytes,
    bins_per_feature: Sequence[int],
    bins: NDArray[np.uint16],
    clear: NDArray[np.uint64],
) -> bytes:
    """The sanitised answer of one bucket, lattice.ANSWER_BYTES long.

    `bins` has shape (features, 8192), `clear` (8192,): cover + pad + mask. The two files are
    parsed only if their SHA-256 are those given, which come from a verified certificate; else
    HashMismatch.
    """
    key = (bundle_sha256, public_key_sha256, tuple(bins_per_feature))
    evaluator = _evaluators.get(key)
    if evaluator is None:
        public_key = _verified(public_key_path, public_key_sha256)
        bundle = _verified(bundle_path, bundle_sha256)
        evaluator = lattice.BlindEvaluator(public_key, bundle, bins_per_feature)
        while _evaluators and _columns() + sum(bins_per_feature) > CACHED_COLUMNS:
            _evaluators.popitem(last=False)
        _evaluators[key] = evaluator
    _evaluators.move_to_end(key)
    return evaluator.evaluate(bins, clear)


def clear_bucket(
    bundle_path: str,
    bundle_sha256: bytes,
    bins_per_feature: Sequence[int],
    bins: NDArray[np.uint16],
    clear: NDArray[np.uint64],
) -> bytes:
    """The table of one bucket under a published scorecard: 8192 words of 6 bytes big-endian.

    Arguments as in `prepare_bucket`; raises as it does. The weights are in the open, cover, pad
    and mask in `clear` are what hides the rows.
    """
    weights = read_weights(_verified(bundle_path, bundle_sha256))
    return words_to_bytes(lattice.clear_table(weights, bins_per_feature, bins, clear))


def count_labels(
    public_key_path: str,
    bundle_path: str,
    bundle_sha256: bytes,
    public_key_sha256: bytes,
    bins_per_feature: Sequence[int],
    bins: NDArray[np.uint16],
    sigma_milli: int,
) -> bytes:
    """The encrypted noisy counts of every bin but `missing`, lattice.ANSWER_BYTES each.

    `bins` has shape (buckets, features, 8192). The noise, a discrete Gaussian of scale
    `sigma_milli`/1000 on each good and bad count, is drawn here and kept nowhere. The two files
    are parsed only if their SHA-256 are those given, as in `prepare_bucket`.
    """
    public_key = _verified(public_key_path, public_key_sha256)
    bundle = _verified(bundle_path, bundle_sha256)
    counter = lattice.LabelCounter(public_key, bundle, len(bins))
    columns = len(lattice.count_columns(bins_per_feature))
    return counter.count(bins_per_feature, bins, discrete_gaussian(columns, sigma_milli))


def discrete_gaussian(columns: int, sigma_milli: int) -> NDArray[np.int64]:
    """Noise of OpenDP's own secure generator, int64 of shape (columns, 2).

    The discrete Gaussian of Canonne, Kamath and Steinke 2020, sampled exactly.
    """
    # Here alone, and without `opendp.prelude`, which takes seconds and 200 MB.
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import l2_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    space = vector_domain(atom_domain(T="i64")), l2_distance(T=float)
    sample = make_gaussian(*space, scale=sigma_milli / 1000)([0] * (2 * columns))
    return np.array(sample, dtype=np.int64).reshape(columns, 2)


def open_counts(
    secret_key: bytes, answers: bytes, columns: int, totals: tuple[int, int]
) -> NDArray[np.int64]:
    """The noisy good and bad counts in what `count_labels` made, int64 of shape (columns, 2).

    `totals` is how many good and bad firms are labelled.
    """
    return lattice.read_counts(secret_key, answers, columns, totals)


def hash_codes(codes: Sequence[bytes]) -> bytes:
    """H(code) of each code, 32 bytes each, concatenated: what `oprf_pads` takes as `hashed`."""
    return b"".join(map(oprf.hash_to_group, codes))


def oprf_pads(
    secret: bytes,
    codes: Sequence[bytes],
    ctx: bytes,
    manifest_hash: bytes,
    hashed: bytes | None = None,
) -> bytes:
    """The pad of each code under the holder's key of this ctx, 6 bytes big-endian each."""
    elements = None if hashed is None else _elements(hashed, len(codes))
    values = oprf.evaluate_many(secret, codes, elements)
    return words_to_bytes(pad_words(values, ctx, manifest_hash))


def unlock_evaluate(secret: bytes, elements: Sequence[bytes]) -> tuple[list[bytes], bytes]:
    """Z = k·B of each blinded element, 32 bytes each, and one DLEQ proof for all (64 bytes)."""
    group.check_scalar(secret, "secret key")
    keys = oprf.KeyPair(secret, group.multiply_generator(secret))
    evaluation = oprf.blind_evaluate(keys, elements)
    return list(evaluation.elements), evaluation.proof


def decrypt_answers(secret_key: bytes, answers: Sequence[bytes]) -> NDArray[np.uint64]:
    """The sum of the answers to one bucket modulo 2^48, uint64 of shape (8192,)."""
    decryptor = lattice.Decryptor(secret_key)
    total = np.zeros(ROWS, dtype=np.uint64)
    for answer in answers:
        total += decryptor.decrypt(answer)
    total &= np.uint64(MODULUS - 1)  # sums wrap modulo 2^64, a multiple of 2^48
    return total


def generate_model(
    weights_by_holder: Mapping[str, Sequence[int]], bundle_paths: Mapping[str, str]
) -> GeneratedModel:
    """Fresh keys, and each holder's encrypted weights, written to its path whole and synced.

    Raises JobFailed when a path is missing or cannot be written.
    """
    if weights_by_holder.keys() != bundle_paths.keys():
        raise JobFailed("bundle_paths: name a path for each holder of weights_by_holder")
    keys = lattice.generate_keys()
    hashes = {}
    for holder, weights in weights_by_holder.items():
        bundle = lattice.encrypt_weights(keys, weights)
        hashes[holder] = hashlib.sha256(bundle).digest()
        _write(Path(bundle_paths[holder]), bundle)
    return GeneratedModel(
        public_key=keys.public_key,
        secret_key=keys.secret_key,
        public_key_sha256=hashlib.sha256(keys.public_key).digest(),
        bundle_sha256=hashes,
    )


def publish_model(
    weights_by_holder: Mapping[str, Sequence[int]], bundle_paths: Mapping[str, str]
) -> GeneratedModel:
    """`generate_model` for a published scorecard: bundles in the clear, and no keys at all."""
    if weights_by_holder.keys() != bundle_paths.keys():
        raise JobFailed("bundle_paths: name a path for each holder of weights_by_holder")
    hashes = {}
    for holder, weights in weights_by_holder.items():
        bundle = publish_weights(weights)
        hashes[holder] = hashlib.sha256(bundle).digest()
        _write(Path(bundle_paths[holder]), bundle)
    return GeneratedModel(b"", b"", hashlib.sha256(b"").digest(), hashes)


def _columns() -> int:
    return sum(sum(bins_per_feature) for _, _, bins_per_feature in _evaluators)


def _verified(path: str, sha256: bytes) -> bytes:
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise JobFailed(f"{path}: {error.strerror}") from error
    if hashlib.sha256(raw).digest() != sha256:
        raise HashMismatch(f"{path}: not the file that the certificate names; install it again")
    return raw


def _write(path: Path, data: bytes) -> None:
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise JobFailed(f"{path}: {error.strerror}") from error


def _elements(hashed: bytes, count: int) -> list[bytes]:
    if len(hashed) != count * ELEMENT_BYTES:
        raise JobFailed(f"hashed: {len(hashed)} bytes for {count} codes of {ELEMENT_BYTES} each")
    return [hashed[i : i + ELEMENT_BYTES] for i in range(0, len(hashed), ELEMENT_BYTES)]
