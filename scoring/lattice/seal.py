"""Microsoft SEAL behind types: the one module of the project that imports `tenseal.sealapi`.

`tenseal.sealapi` binds SEAL's own classes without types, saves and loads by path only, and lets
C++ exceptions through. Here bytes go through an anonymous memory file and never touch a disk,
every object has a static type, and whatever SEAL throws becomes a LatticeError.

A level is SEAL's `parms_id`: the hash of the parameters with the primes left at that point of
the modulus chain. Bodies are written and returned uncompressed, in the serial form of
`scoring.lattice.form`. Loading here does not judge bytes that come from elsewhere: that is the task
of `scoring.lattice.serial`, before SEAL sees them.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NewType

import numpy as np
import tenseal.sealapi as _seal
import zstandard
from numpy.typing import NDArray

from scoring.errors import LatticeError
from scoring.lattice.form import (
    COEFFICIENT_LEVEL,
    HEADER_BYTES,
    ciphertext_prefix,
    header,
    plaintext_prefix,
)

Ciphertext = NewType("Ciphertext", object)
Plaintext = NewType("Plaintext", object)
PublicKey = NewType("PublicKey", object)
SecretKey = NewType("SecretKey", object)

_UNCOMPRESSED, _ZSTD = 0, 2


@contextmanager
def _refusals(what: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, IndexError, OSError) as error:
        raise LatticeError(f"{what}: SEAL refuses it ({error})") from error


@contextmanager
def _memory_file() -> Iterator[int]:
    memory = os.memfd_create("seal", os.MFD_CLOEXEC)
    try:
        yield memory
    finally:
        os.close(memory)


def _path(memory: int) -> str:
    return f"/proc/self/fd/{memory}"


def save(thing: object) -> bytes:
    """The uncompressed serial form of a SEAL object."""
    sealed: Any = thing
    with _refusals("saving"), _memory_file() as memory:
        sealed.save(_path(memory))
        raw = os.pread(memory, os.fstat(memory).st_size, 0)
    compression = raw[5]
    if compression == _UNCOMPRESSED:
        return raw
    if compression != _ZSTD:
        raise LatticeError(f"saving: SEAL wrote compression {compression}; rebuild it with zstd")
    body = zstandard.ZstdDecompressor().decompressobj().decompress(raw[HEADER_BYTES:])
    return header(HEADER_BYTES + len(body)) + body


def _coefficients_of(plaintext: Plaintext, degree: int) -> NDArray[np.uint64]:
    """The coefficients of a plaintext in coefficient form, shape (degree,).

    SEAL drops the highest coefficients that are zero; here they are back.
    """
    raw = save(plaintext)
    (count,) = struct.unpack_from("<Q", raw, HEADER_BYTES + 32)
    out = np.zeros(degree, dtype=np.uint64)
    out[:count] = np.frombuffer(raw[len(raw) - 8 * count :], dtype="<u8")
    return out


class Context:
    """A validated BFV parameter set and what SEAL computes under it; creating one takes 40 ms.

    `primes` lists the data primes in SEAL's order, `special` is the prime of the key level only.
    Levels: `key` (all primes), `first` (the data primes), `last` (the first prime alone).
    """

    def __init__(self, degree: int, plain_modulus: int, prime_bits: Sequence[int]) -> None:
        """Raise LatticeError unless the set is 128-bit secure by HomomorphicEncryption.org's table.

        `prime_bits` gives the size of each prime; the last is the special prime.
        """
        with _refusals("parameters"):
            modulus = _seal.CoeffModulus.Create(degree, list(prime_bits))
            parameters = _seal.EncryptionParameters(_seal.SCHEME_TYPE.BFV)
            parameters.set_poly_modulus_degree(degree)
            parameters.set_coeff_modulus(modulus)
            parameters.set_plain_modulus(plain_modulus)
            self._context = _seal.SEALContext(parameters, True, _seal.SEC_LEVEL_TYPE.TC128)
            if not self._context.parameters_set():
                raise LatticeError(
                    f"parameters: {self._context.parameters_error_message()}; "
                    f"{sum(prime_bits)} bits of modulus at degree {degree} are not 128-bit secure, "
                    "or the set is not valid: take a smaller modulus"
                )
            self._evaluator = _seal.Evaluator(self._context)
        self.degree = degree
        values = [int(prime.value()) for prime in modulus]
        self.primes = tuple(values[:-1])
        self.special = values[-1]
        self._first, self._last = self._context.first_parms_id(), self._context.last_parms_id()
        self.key = struct.pack("<4Q", *self._context.key_parms_id())
        self.first = struct.pack("<4Q", *self._first)
        self.last = struct.pack("<4Q", *self._last)

    # Objects from bytes, from numbers and from keys.

    def _load(self, empty: Any, raw: bytes, what: str) -> object:
        with _refusals(what), _memory_file() as memory:
            os.write(memory, raw)
            empty.load(self._context, _path(memory))
        loaded: object = empty
        return loaded

    def load_ciphertext(self, raw: bytes) -> Ciphertext:
        """A ciphertext; a seeded one is expanded."""
        return Ciphertext(self._load(_seal.Ciphertext(), raw, "ciphertext"))

    def load_public_key(self, raw: bytes) -> PublicKey:
        """A public key."""
        return PublicKey(self._load(_seal.PublicKey(), raw, "public key"))

    def load_secret_key(self, raw: bytes) -> SecretKey:
        """A secret key."""
        return SecretKey(self._load(_seal.SecretKey(), raw, "secret key"))

    def plaintext(self, coefficients: NDArray[np.uint64]) -> Plaintext:
        """The polynomial with these coefficients below the plaintext modulus, shape (degree,)."""
        words = np.ascontiguousarray(coefficients, dtype="<u8")
        raw = plaintext_prefix(COEFFICIENT_LEVEL, words.size) + words.tobytes()
        return Plaintext(self._load(_seal.Plaintext(), raw, "plaintext"))

    def constant(self, value: int) -> Plaintext:
        """The constant polynomial of a value below the plaintext modulus."""
        with _refusals("plaintext"):
            return Plaintext(_seal.Plaintext(f"{value:X}"))

    def ciphertext(self, words: NDArray[np.uint64], *, ntt: bool) -> Ciphertext:
        """The ciphertext at the first level with these residues, shape (2, primes, degree)."""
        flat = np.ascontiguousarray(words, dtype="<u8")
        prefix = ciphertext_prefix(
            self.first, ntt=ntt, degree=self.degree, primes=len(self.primes), words=flat.size
        )
        return self.load_ciphertext(prefix + flat.tobytes())

    def new_keys(self) -> tuple[SecretKey, PublicKey]:
        """A fresh ternary secret key and a public key under it, from the system's randomness."""
        with _refusals("key generation"):
            generator = _seal.KeyGenerator(self._context)
            public = _seal.PublicKey()
            generator.create_public_key(public)
            return SecretKey(generator.secret_key()), PublicKey(public)

    # Encryption and decryption.

    def encryptor(self, public: PublicKey) -> PublicEncryptor:
        """What encrypts under this public key."""
        with _refusals("public key"):
            return PublicEncryptor(_seal.Encryptor(self._context, public))

    def encrypt_seeded(self, secret: SecretKey, plaintexts: Iterable[Plaintext]) -> list[bytes]:
        """One seeded ciphertext in serial form for each plaintext in coefficient form."""
        with _refusals("encryption"):
            encryptor = _seal.Encryptor(self._context, secret)
            return [save(encryptor.encrypt_symmetric(plaintext)) for plaintext in plaintexts]

    def decrypt(self, secret: SecretKey, ciphertext: Ciphertext) -> NDArray[np.uint64]:
        """The plaintext coefficients of a ciphertext in coefficient form, shape (degree,)."""
        with _refusals("decryption"):
            plaintext = _seal.Plaintext()
            _seal.Decryptor(self._context, secret).decrypt(ciphertext, plaintext)
        return _coefficients_of(Plaintext(plaintext), self.degree)

    # Arithmetic. The arguments are left as they are.

    def to_ntt(self, ciphertext: Ciphertext) -> Ciphertext:
        """The same ciphertext in evaluation (NTT) form."""
        with _refusals("NTT"):
            out = _seal.Ciphertext()
            self._evaluator.transform_to_ntt(ciphertext, out)
            return Ciphertext(out)

    def from_ntt(self, ciphertext: Ciphertext) -> Ciphertext:
        """The same ciphertext in coefficient form."""
        with _refusals("NTT"):
            out = _seal.Ciphertext()
            self._evaluator.transform_from_ntt(ciphertext, out)
            return Ciphertext(out)

    def ntt_plaintext(self, coefficients: NDArray[np.uint64]) -> Plaintext:
        """The polynomial with these coefficients in NTT form at the first level."""
        plaintext = self.plaintext(coefficients)
        with _refusals("NTT"):
            self._evaluator.transform_to_ntt_inplace(plaintext, self._first)
        return plaintext

    def add(self, left: Ciphertext, right: Ciphertext) -> Ciphertext:
        """The sum; both at one level and in one form."""
        with _refusals("addition"):
            out = _seal.Ciphertext()
            self._evaluator.add(left, right, out)
            return Ciphertext(out)

    def subtract(self, left: Ciphertext, right: Ciphertext) -> Ciphertext:
        """The difference; both at one level and in one form."""
        with _refusals("subtraction"):
            out = _seal.Ciphertext()
            self._evaluator.sub(left, right, out)
            return Ciphertext(out)

    def add_plain(self, ciphertext: Ciphertext, plaintext: Plaintext) -> Ciphertext:
        """The sum with a plaintext, both in coefficient form."""
        with _refusals("addition"):
            out = _seal.Ciphertext()
            self._evaluator.add_plain(ciphertext, plaintext, out)
            return Ciphertext(out)

    def multiply_plain(self, ciphertext: Ciphertext, plaintext: Plaintext) -> Ciphertext:
        """The product with a plaintext, both in NTT form."""
        with _refusals("multiplication"):
            out = _seal.Ciphertext()
            self._evaluator.multiply_plain(ciphertext, plaintext, out)
            return Ciphertext(out)

    def sum_products(
        self, start: Ciphertext, terms: Iterable[tuple[Ciphertext, NDArray[np.uint64]]]
    ) -> Ciphertext:
        """The sum start + Σ ciphertext · coefficients, ciphertexts in NTT form.

        Coefficients are as in `plaintext`. One memory file and one plaintext serve all terms,
        which saves a tenth of the time.
        """
        total, product, plaintext = start, _seal.Ciphertext(), _seal.Plaintext()
        prefix = plaintext_prefix(COEFFICIENT_LEVEL, self.degree)
        with _refusals("evaluation"), _memory_file() as memory:
            for ciphertext, coefficients in terms:
                words = np.ascontiguousarray(coefficients, dtype="<u8")
                os.pwritev(memory, (prefix, words.data), 0)
                plaintext.load(self._context, _path(memory))
                self._evaluator.transform_to_ntt_inplace(plaintext, self._first)
                self._evaluator.multiply_plain(ciphertext, plaintext, product)
                if total is start:
                    total = self.add(start, product)
                else:
                    self._evaluator.add_inplace(total, product)
        return total

    def to_last_level(self, ciphertext: Ciphertext) -> Ciphertext:
        """The ciphertext switched down to the first prime alone, in coefficient form."""
        with _refusals("modulus switching"):
            out = _seal.Ciphertext()
            self._evaluator.mod_switch_to(ciphertext, self._last, out)
            return Ciphertext(out)


class PublicEncryptor:
    """Encrypts under one public key; made by `Context.encryptor`."""

    def __init__(self, encryptor: Any) -> None:
        """Wrap SEAL's encryptor."""
        self._encryptor = encryptor

    def zero(self) -> Ciphertext:
        """A fresh encryption of zero at the first level, in coefficient form."""
        with _refusals("encryption"):
            out = _seal.Ciphertext()
            self._encryptor.encrypt_zero(out)
            return Ciphertext(out)
