"""Strict parsers of everything of the lattice half that crosses a process or a wire.

SEAL 4.3 was not built to read untrusted bytes. So an object is opened only if its length is the
one that its kind has, if every byte before its words is the one that SEAL itself would write for
`yinxin-bfv-1` (header, level, form, sizes, scale), and if every residue is below its prime. What
is left for SEAL is to copy words. A caller that got the bytes from elsewhere has checked their
hash against a certificate, or a signature, before it comes here.

A weight bundle is `YXW1`, the number of columns as u32 big-endian, then one seeded ciphertext a
column, in the order of the columns. Labels are `YXL1`, the number of buckets, then one seeded
ciphertext a bucket.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from scoring.errors import LatticeError
from scoring.lattice.form import HEADER_BYTES, ciphertext_prefix, header, plaintext_prefix
from scoring.lattice.params import MAX_BUCKETS, MAX_COLUMNS, YINXIN_BFV_1, context
from scoring.lattice.seal import Ciphertext, PublicKey, SecretKey, save

_DEGREE, _PRIMES = YINXIN_BFV_1.degree, len(YINXIN_BFV_1.prime_bits)
_BEFORE_PLAINTEXT = len(plaintext_prefix(bytes(32), 0))
_BEFORE_CIPHERTEXT = len(ciphertext_prefix(bytes(32), ntt=False, degree=0, primes=0, words=0))
_SEED_BYTES = 64
_BLAKE2XB = 1
_SEED_HEAD = header(HEADER_BYTES + 1 + _SEED_BYTES) + bytes([_BLAKE2XB])
_SUFFIX_BYTES = len(_SEED_HEAD) + _SEED_BYTES

SECRET_KEY_BYTES = _BEFORE_PLAINTEXT + 8 * _PRIMES * _DEGREE
PUBLIC_KEY_BYTES = _BEFORE_CIPHERTEXT + 8 * 2 * _PRIMES * _DEGREE
WEIGHT_BYTES = _BEFORE_CIPHERTEXT + 8 * (_PRIMES - 1) * _DEGREE + _SUFFIX_BYTES
ANSWER_BYTES = _BEFORE_CIPHERTEXT + 8 * 2 * _DEGREE

_HEAD = struct.Struct(">4sI")


@dataclass(frozen=True)
class _Kind:
    """How one kind of object looks: its first bytes, its residues, and what follows them."""

    name: str
    prefix: bytes
    primes: tuple[int, ...]
    polynomials: int
    suffix: bytes = b""
    suffix_bytes: int = 0

    @property
    def words(self) -> int:
        return self.polynomials * len(self.primes) * _DEGREE

    def check(self, raw: bytes) -> None:
        """Raise LatticeError unless `raw` is an object of this kind, byte by byte."""
        expected = len(self.prefix) + 8 * self.words + self.suffix_bytes
        if len(raw) != expected:
            raise LatticeError(
                f"{self.name}: {len(raw)} bytes instead of {expected}; send it whole"
            )
        if not raw.startswith(self.prefix):
            raise LatticeError(
                f"{self.name}: its header, level or form is not that of yinxin-bfv-1; "
                "make it with this parameter set, uncompressed"
            )
        end = len(self.prefix) + 8 * self.words
        if raw[end : end + len(self.suffix)] != self.suffix:
            raise LatticeError(f"{self.name}: its seed is not one of BLAKE2xb; make it anew")
        words = np.frombuffer(raw, dtype="<u8", count=self.words, offset=len(self.prefix))
        residues = words.reshape(self.polynomials, len(self.primes), _DEGREE)
        if (residues >= np.array(self.primes, dtype=np.uint64)[:, None]).any():
            raise LatticeError(f"{self.name}: a residue is not below its prime; make it anew")


@dataclass(frozen=True)
class _Bundle:
    """Seeded ciphertexts one after the other, behind a magic and their number."""

    name: str
    magic: bytes
    units: str
    most: int

    def write(self, parts: Sequence[bytes]) -> bytes:
        for part in parts:
            _weight().check(part)
        return _HEAD.pack(self.magic, len(parts)) + b"".join(parts)

    def read(self, raw: bytes, count: int) -> list[bytes]:
        if not 1 <= count <= self.most:
            raise LatticeError(f"{self.units}: {count}; there are 1 to {self.most}")
        expected = _HEAD.size + count * WEIGHT_BYTES
        if len(raw) != expected:
            raise LatticeError(
                f"{self.name}: {len(raw)} bytes instead of {expected} for {count} {self.units}; "
                "take the one of this holder and certificate"
            )
        if raw[: _HEAD.size] != _HEAD.pack(self.magic, count):
            raise LatticeError(
                f"{self.name}: its head is not {self.magic.decode()} with {count} {self.units}"
            )
        return [raw[at : at + WEIGHT_BYTES] for at in range(_HEAD.size, expected, WEIGHT_BYTES)]


_BUNDLE = _Bundle("weight bundle", b"YXW1", "columns", MAX_COLUMNS)
_LABELS = _Bundle("labels", b"YXL1", "buckets", MAX_BUCKETS)


@cache
def _secret_key() -> _Kind:
    ring = context()
    primes = (*ring.primes, ring.special)
    prefix = plaintext_prefix(ring.key, len(primes) * _DEGREE)
    return _Kind("secret key", prefix, primes, polynomials=1)


@cache
def _public_key() -> _Kind:
    ring = context()
    primes = (*ring.primes, ring.special)
    words = 2 * len(primes) * _DEGREE
    prefix = ciphertext_prefix(ring.key, ntt=True, degree=_DEGREE, primes=len(primes), words=words)
    return _Kind("public key", prefix, primes, polynomials=2)


@cache
def _weight() -> _Kind:
    ring = context()
    prefix = ciphertext_prefix(
        ring.first,
        ntt=False,
        degree=_DEGREE,
        primes=len(ring.primes),
        words=len(ring.primes) * _DEGREE,
        suffix=_SUFFIX_BYTES,
    )
    return _Kind("weight", prefix, ring.primes, 1, _SEED_HEAD, _SUFFIX_BYTES)


@cache
def _answer() -> _Kind:
    ring = context()
    prefix = ciphertext_prefix(ring.last, ntt=False, degree=_DEGREE, primes=1, words=2 * _DEGREE)
    return _Kind("answer", prefix, ring.primes[:1], polynomials=2)


def read_secret_key(raw: bytes) -> SecretKey:
    """A secret key of exactly SECRET_KEY_BYTES; LatticeError if it is not one."""
    _secret_key().check(raw)
    return context().load_secret_key(raw)


def read_public_key(raw: bytes) -> PublicKey:
    """A public key of exactly PUBLIC_KEY_BYTES; LatticeError if it is not one."""
    _public_key().check(raw)
    return context().load_public_key(raw)


def read_answer(raw: bytes) -> Ciphertext:
    """An answer of exactly ANSWER_BYTES; LatticeError if it is not one."""
    _answer().check(raw)
    return context().load_ciphertext(raw)


def read_weight(raw: bytes) -> Ciphertext:
    """A weight of exactly WEIGHT_BYTES, its seed expanded; LatticeError if it is not one."""
    _weight().check(raw)
    return context().load_ciphertext(raw)


def write(thing: SecretKey | PublicKey | Ciphertext) -> bytes:
    """The bytes of a key or a ciphertext, uncompressed: one length for each kind."""
    return save(thing)


def write_bundle(weights: Sequence[bytes]) -> bytes:
    """A bundle of weights, each of WEIGHT_BYTES, in the order of the columns."""
    return _BUNDLE.write(weights)


def read_bundle(raw: bytes, columns: int) -> list[bytes]:
    """The weights of a bundle of exactly `columns` columns, not yet read; LatticeError if not."""
    return _BUNDLE.read(raw, columns)


def write_labels(buckets: Sequence[bytes]) -> bytes:
    """Encrypted labels, one ciphertext of WEIGHT_BYTES a bucket, in order."""
    return _LABELS.write(buckets)


def read_labels(raw: bytes, buckets: int) -> list[bytes]:
    """The ciphertexts of exactly `buckets` buckets, not yet read; LatticeError if not."""
    return _LABELS.read(raw, buckets)


def labels_bytes(buckets: int) -> int:
    """The length of the encrypted labels of so many buckets."""
    return _HEAD.size + buckets * WEIGHT_BYTES
