from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from node.workers import jobs
from node.workers.errors import HashMismatch, JobFailed
from node.workers.pool import WorkerPool
from scoring import lattice, oprf
from scoring.errors import LatticeError, OprfError
from scoring.pads import pad_word
from scoring.words import MODULUS, ROWS, words_from_bytes

BINS = (3, 2)
WEIGHTS = {"a": [0, 5, 1 << 20, 7, 0], "b": [1, 0, 3, 1 << 30, 2]}
CTX, MANIFEST = b"c" * 32, b"m" * 32
CODES = [b"91100000100003962T", b"914403001922038216", b"911000001000013428"]


@dataclass
class Model:
    made: jobs.GeneratedModel
    key_path: Path
    bundles: dict[str, Path]

    def answer(self, holder: str, bins: np.ndarray, clear: np.ndarray) -> bytes:
        return jobs.prepare_bucket(
            str(self.key_path), str(self.bundles[holder]), self.made.bundle_sha256[holder],
            self.made.public_key_sha256, BINS, bins, clear,
        )  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Model:
    bundles = {holder: tmp_path / f"{holder}.bundle" for holder in WEIGHTS}
    made = jobs.generate_model(WEIGHTS, {name: str(path) for name, path in bundles.items()})
    (tmp_path / "key").write_bytes(made.public_key)
    return Model(made, tmp_path / "key", bundles)


def bucket(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    bins = np.stack([random.integers(0, count, ROWS) for count in BINS]).astype(np.uint16)
    return bins, random.integers(0, MODULUS, ROWS).astype(np.uint64)


def test_generated_bundles_answer_and_their_sum_decrypts(model: Model) -> None:
    expected = np.zeros(ROWS, dtype=np.uint64)
    answers = []
    for number, (holder, weights) in enumerate(WEIGHTS.items()):
        bins, clear = bucket(number)
        answers.append(model.answer(holder, bins, clear))
        expected += lattice.clear_table(weights, BINS, bins, clear)
    assert {len(answer) for answer in answers} == {lattice.ANSWER_BYTES}
    total = jobs.decrypt_answers(model.made.secret_key, answers)
    assert total.dtype == np.uint64
    assert (total == expected % MODULUS).all()


def test_files_that_are_not_the_certificates_are_not_parsed(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs._evaluators.clear()
    monkeypatch.setattr(lattice, "BlindEvaluator", None)  # would raise if reached
    bins, clear = bucket(0)
    path = model.bundles["a"]
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(HashMismatch, match=r"a\.bundle"):
        model.answer("a", bins, clear)
    path.write_bytes(good)
    model.key_path.write_bytes(model.made.public_key + b"x")
    with pytest.raises(HashMismatch, match="key"):
        model.answer("a", bins, clear)
    path.unlink()
    model.key_path.write_bytes(model.made.public_key)
    with pytest.raises(JobFailed, match="No such file"):
        model.answer("a", bins, clear)


def test_an_evaluator_is_built_once_and_the_cache_is_bounded(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs._evaluators.clear()
    built: list[object] = []
    true = lattice.BlindEvaluator

    def build(*arguments: object) -> object:
        built.append(arguments)
        return true(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(lattice, "BlindEvaluator", build)
    bins, clear = bucket(0)
    for _ in range(3):
        model.answer("a", bins, clear)
    assert len(built) == 1
    model.answer("b", bins, clear)
    model.answer("a", bins, clear)
    assert len(built) == 2
    monkeypatch.setattr(jobs, "CACHED_COLUMNS", sum(BINS))
    jobs._evaluators.clear()
    for holder in ("a", "b", "a"):
        model.answer(holder, bins, clear)
        assert len(jobs._evaluators) == 1
    assert len(built) == 5


def test_pads_are_those_of_the_oprf_with_or_without_kept_hashes() -> None:
    keys = oprf.derive_key_pair(b"s" * 32, CTX)
    hashed = jobs.hash_codes(CODES)
    raw = jobs.oprf_pads(keys.secret, CODES, CTX, MANIFEST)
    assert raw == jobs.oprf_pads(keys.secret, CODES, CTX, MANIFEST, hashed)
    expected = [pad_word(oprf.evaluate(keys.secret, code), CTX, MANIFEST) for code in CODES]
    assert words_from_bytes(raw).tolist() == expected
    with pytest.raises(JobFailed, match="hashed"):
        jobs.oprf_pads(keys.secret, CODES, CTX, MANIFEST, hashed[:-32])


def test_an_unlock_gives_what_the_bank_can_verify_and_open() -> None:
    keys = oprf.derive_key_pair(b"s" * 32, CTX)
    blinded = [oprf.blind(code) for code in CODES]
    elements = [one.element for one in blinded]
    evaluated, proof = jobs.unlock_evaluate(keys.secret, elements)
    oprf.verify(keys.public, elements, evaluated, proof)
    for code, one, z in zip(CODES, blinded, evaluated, strict=True):
        assert oprf.finalize(code, one.scalar, z) == oprf.evaluate(keys.secret, code)
    with pytest.raises(OprfError):
        jobs.unlock_evaluate(keys.secret, [bytes(32)])
    with pytest.raises(OprfError):
        jobs.unlock_evaluate(b"short", elements)


def test_a_model_without_a_path_for_a_holder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match="bundle_paths"):
        jobs.generate_model(WEIGHTS, {"a": str(tmp_path / "a")})
    with pytest.raises(JobFailed, match="No such file"):
        jobs.generate_model({"a": [1]}, {"a": str(tmp_path / "absent" / "a")})


async def test_jobs_and_their_errors_cross_processes(model: Model) -> None:
    pool = WorkerPool(1)
    await pool.start()
    bins, clear = bucket(1)
    arguments = (
        str(model.key_path), str(model.bundles["a"]), model.made.bundle_sha256["a"],
        model.made.public_key_sha256, BINS,
    )  # fmt: skip
    answer = await pool.run(jobs.prepare_bucket, *arguments, bins, clear)
    opened = await pool.run(jobs.decrypt_answers, model.made.secret_key, [answer])
    assert (opened == lattice.clear_table(WEIGHTS["a"], BINS, bins, clear)).all()
    with pytest.raises(LatticeError, match="uint16"):
        await pool.run(jobs.prepare_bucket, *arguments, bins.astype(np.int64), clear)
    with pytest.raises(HashMismatch):
        await pool.run(
            jobs.prepare_bucket, *arguments[:2], hashlib.sha256(b"").digest(), *arguments[3:],
            bins, clear,
        )  # fmt: skip
    await pool.stop()


def test_a_published_bucket_is_the_plain_table(tmp_path: Path) -> None:
    paths = {holder: tmp_path / f"{holder}.points" for holder in WEIGHTS}
    made = jobs.publish_model(WEIGHTS, {name: str(path) for name, path in paths.items()})
    assert (made.public_key, made.secret_key) == (b"", b"")
    assert made.public_key_sha256 == hashlib.sha256(b"").digest()
    rng = np.random.default_rng(5)
    bins = np.array([rng.integers(0, count, ROWS) for count in BINS], dtype=np.uint16)
    clear = rng.integers(0, MODULUS, ROWS, dtype=np.uint64)
    for holder, weights in WEIGHTS.items():
        digest = made.bundle_sha256[holder]
        table = words_from_bytes(jobs.clear_bucket(str(paths[holder]), digest, BINS, bins, clear))
        chosen = [weights[b] + weights[3 + c] for b, c in bins.T.tolist()]
        expected = [
            (int(c) + sum(weights) + w) % MODULUS for c, w in zip(clear, chosen, strict=True)
        ]
        assert table.tolist() == expected
        with pytest.raises(HashMismatch):
            jobs.clear_bucket(str(paths[holder]), bytes(32), BINS, bins, clear)
    with pytest.raises(JobFailed, match="bundle_paths"):
        jobs.publish_model(WEIGHTS, {})
