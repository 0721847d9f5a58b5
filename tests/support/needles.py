"""A search of bytes for secrets in every encoding that could hold one, whatever is around it.

`Haystack.add` takes any bytes; what is compressed (zlib, zstd) or base64 in them, at any depth, is
opened and searched as well. The tests plant every needle before they trust the search.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import zstandard

LEAST = 6
"""Bytes of the shortest needle: a chance hit in 100 MB has a probability of 4e-7."""
ORDERS: Final[tuple[Literal["big", "little"], ...]] = ("big", "little")
_DEPTH = 4
_MOST = 64 << 20
_HASHES = (
    "md5",
    "sha1",
    "sha256",
    "sha384",
    "sha512",
    "sha3_256",
    "sha3_512",
    "blake2b",
    "blake2s",
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}")
_NUMBER = re.compile(rb"(?<![A-Za-z0-9+/_.-])\d{4,15}(?![A-Za-z0-9+/_=.-])")


@dataclass(frozen=True)
class Hit:
    """A needle at a place: its name and encoding, and the bytes it stands among."""

    name: str
    encoding: str
    place: str
    around: bytes = field(repr=False)


def spellings(value: bytes, *, text: bool = False) -> Iterator[tuple[str, bytes]]:
    """The encodings of some bytes; a text's in UTF-16 and both cases too."""
    yield "raw", value
    yield "reversed", value[::-1]
    yield "hex", value.hex().encode()
    yield "HEX", value.hex().upper().encode()
    yield "hex of reversed", value[::-1].hex().encode()
    for name, form in _aligned(value):
        yield name, form
    if text:
        written = value.decode("utf-8")
        for variant in {written, written.lower(), written.upper()}:
            yield "text", variant.encode()
            yield "utf-16le", variant.encode("utf-16-le")
            yield "utf-16be", variant.encode("utf-16-be")
            for name, form in _aligned(variant.encode("utf-16-le")):
                yield f"utf-16le, {name}", form


def hashes(value: bytes) -> Iterator[tuple[str, bytes]]:
    """The first half of what usual hashes make of it, so that a shortened one is found too."""
    for name in _HASHES:
        for spelling, form in spellings(hashlib.new(name, value).digest()[:16]):
            if "reversed" not in spelling:
                yield f"{name}, {spelling}", form
    for size in (16, 32):
        digest = hashlib.blake2b(value, digest_size=size).digest()
        for spelling, form in spellings(digest[:16]):
            yield f"blake2b-{8 * size}, {spelling}", form


def vectors(values: Sequence[int]) -> Iterator[tuple[str, bytes]]:
    """A list of numbers, and every long enough part of it, as arrays or as text.

    Parts that are mostly zero, or hardly vary, would be found anywhere and are left out. A holder
    whose features the scorecard does not use has none.
    """
    if not values:
        return
    for width in (1, 2, 4, 6, 8):
        if max(values) >> (8 * width):
            continue
        length = 16 if width == 1 else 8
        for start in range(0, len(values) - length + 1, length // 2):
            part = values[start : start + length]
            if not _telling(part):
                continue
            for order in ORDERS:
                raw = b"".join(v.to_bytes(width, order) for v in part)
                yield f"{width}-byte {order} endian", raw
    for start in range(0, len(values) - 9, 5):
        part = values[start : start + 10]
        if _telling(part):
            for separator in (",", ", ", " ", "\n", "\t", ";"):
                yield f"text with {separator!r}", separator.join(map(str, part)).encode()


def number(value: int) -> Iterator[tuple[str, bytes]]:
    """A random number of 48 bits: 6 bytes, 8 bytes are found by them, and text."""
    for order in ORDERS:
        raw = value.to_bytes(6, order)
        for spelling, form in spellings(raw):
            if "reversed" not in spelling:
                yield f"{order} endian, {spelling}", form
    yield "decimal", str(value).encode()


class Needles:
    """What is looked for, by name; and small numbers, which count only in company."""

    def __init__(self) -> None:
        self._forms: dict[bytes, tuple[str, str]] = {}
        self._words: dict[int, str] = {}
        self._table: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None
        self._heads: dict[bytes, list[bytes]] = {}

    def add(self, name: str, forms: Iterable[tuple[str, bytes]]) -> None:
        """Adds the forms of one secret; those that are too short to tell are left out."""
        for encoding, form in forms:
            if len(form) >= LEAST and any(form[:LEAST]):
                self._forms.setdefault(form, (name, encoding))
        self._table = None

    def add_words(self, words: Mapping[str, int]) -> None:
        """Adds numbers so small that one of them may stand anywhere by chance."""
        self._words.update({word: name for name, word in words.items() if word > 999})

    @property
    def forms(self) -> Mapping[bytes, tuple[str, str]]:
        """Every form, with name and encoding."""
        return self._forms

    def find(self, data: bytes, place: str) -> Iterator[Hit]:
        """The needles in these bytes as they are."""
        if len(data) < LEAST:
            return
        table = self._index()
        raw = np.frombuffer(data, dtype=np.uint8).astype(np.uint32)
        heads = raw[:-2] | raw[1:-1] << 8 | raw[2:] << 16
        for at in np.flatnonzero(table[heads]).tolist():
            for form in self._heads.get(data[at : at + LEAST], ()):
                if data.startswith(form, at):
                    around = data[max(0, at - 16) : at + len(form) + 16]
                    yield Hit(*self._forms[form], place, around)

    def words_in(self, data: bytes) -> set[str]:
        """The names of the small numbers that stand in these bytes, as 6 bytes or as text."""
        numbers = {int(text) for text in _NUMBER.findall(data)}
        # Six bytes, three of which are zero, as records here have fewer than 24 bits. Read from
        # its end, a number in the other byte order is one in this.
        numbers |= _after_zeros(data) | _after_zeros(data[::-1])
        return {name for word, name in self._words.items() if word in numbers}

    def _index(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        if self._table is None:
            self._table = np.zeros(1 << 24, dtype=np.bool_)
            self._heads = {}
            for form in self._forms:
                self._table[form[0] | form[1] << 8 | form[2] << 16] = True
                self._heads.setdefault(form[:LEAST], []).append(form)
        return self._table


def opened(data: bytes, depth: int = _DEPTH) -> Iterator[bytes]:
    """The bytes, and what is base64 or compressed in them, and in that, and so on."""
    yield data
    if depth == 0:
        return
    for inner in (*_decoded(data), *_decompressed(data)):
        yield from opened(inner, depth - 1)


def _after_zeros(data: bytes) -> set[int]:
    """Every number of 24 bits that follows three bytes of zero."""
    raw = np.frombuffer(data, dtype=np.uint8).astype(np.uint32)
    if len(raw) < 6:
        return set()
    zero = raw == 0
    at = np.flatnonzero(zero[:-5] & zero[1:-4] & zero[2:-3])
    return set(np.unique(raw[at + 3] << 16 | raw[at + 4] << 8 | raw[at + 5]).tolist())


def _aligned(value: bytes) -> Iterator[tuple[str, bytes]]:
    """Base64 of the value wherever it begins in a longer text: without the letters it shares."""
    for shift in range(3):
        first = -(-8 * shift // 6)
        last = 8 * (shift + len(value)) // 6
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            yield f"{name} at {shift}", encode(bytes(shift) + value + bytes(3))[first:last]


def _telling(part: Sequence[int]) -> bool:
    jumps = sum(a != b for a, b in pairwise(part))
    return sum(v != 0 for v in part) * 2 > len(part) and jumps * 2 > len(part)


def _decoded(data: bytes) -> Iterator[bytes]:
    for match in _BASE64.finditer(data):
        run = match[0].translate(bytes.maketrans(b"-_", b"+/"))
        run = run[: len(run) - (len(run) % 4 == 1)]
        yield base64.b64decode(run + b"=" * (-len(run) % 4))


def _decompressed(data: bytes) -> Iterator[bytes]:
    for match in re.finditer(rb"\x28\xb5\x2f\xfd", data):
        try:
            yield zstandard.ZstdDecompressor().decompressobj().decompress(data[match.start() :])
        except zstandard.ZstdError:
            continue
    for match in re.finditer(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08", data):
        inflate = zlib.decompressobj(wbits=47)
        try:
            found = inflate.decompress(data[match.start() : match.start() + _MOST], _MOST)
        except zlib.error:
            continue
        if len(found) >= LEAST:
            yield found
