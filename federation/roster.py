"""The roster: which enterprises are enrolled in a chain, and which row each one has.

Rows are numbered in order of enrolment and never move. A batch is sorted by
SHA-256("yinxin/roster/v1" ‖ chain ‖ USCC), so that neighbours have nothing in common: not the
day of enrolment, not the region. Row r lies in bucket r div 8192 as coefficient r mod 8192.
The hub signs each batch with the RFC 6962 root of all rows so far; a member applies batches in
order and arrives at the same root or refuses. An epoch names a root, hence a prefix of the
roster: a row enrolled later takes part from the next epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from federation.canonical import b64, canonical_json, parse_canonical, unb64
from federation.errors import DocumentError, Reason, Refusal
from federation.merkle import EMPTY_ROOT, HASH_BYTES, Frontier, leaf_hash
from federation.uscc import Uscc
from scoring.words import ROWS

FORMAT = "yinxin-roster-batch/1"
MAX_BATCH = 65_536
"""Codes in one batch; its signed form then stays below 2 MB."""
MAX_BATCH_BYTES = 2 * 1024 * 1024

_Member = TypeVar("_Member", str, int)

_KIND_NAMES: dict[type, str] = {str: "string", int: "whole number"}
_LABEL = b"yinxin/roster/v1"
_MEMBERS = {"format", "chain", "number", "first_row", "codes", "root"}


def bucket(row: int) -> int:
    """The bucket of a row."""
    return row // ROWS


def coefficient(row: int) -> int:
    """The place of a row within its bucket, 0 to 8191."""
    return row % ROWS


def order_key(chain: str, uscc: str) -> bytes:
    """What a batch is sorted by; 32 bytes."""
    return hashlib.sha256(_LABEL + chain.encode() + uscc.encode()).digest()


def split(chain: str, codes: Iterable[Uscc]) -> Iterator[tuple[Uscc, ...]]:
    """Pieces of at most 65,536 codes for `Roster.append`, in roster order over all `codes`.

    Splitting after sorting, not before, keeps the order of `codes` out of the buckets.
    """
    ordered = sorted(codes, key=lambda code: order_key(chain, code))
    for start in range(0, len(ordered), MAX_BATCH):
        yield tuple(ordered[start : start + MAX_BATCH])


@dataclass(frozen=True)
class RosterBatch:
    """One enrolment, the payload of a signed document: new rows, and the root after them."""

    chain: str
    number: int
    first_row: int
    codes: tuple[Uscc, ...]
    root: bytes

    def to_json(self) -> bytes:
        """Canonical JSON."""
        return canonical_json(
            {
                "format": FORMAT,
                "chain": self.chain,
                "number": self.number,
                "first_row": self.first_row,
                "codes": self.codes,
                "root": b64(self.root),
            }
        )

    @classmethod
    def from_json(cls, raw: bytes) -> RosterBatch:
        """Reads `to_json`. Raises DocumentError; checks form, not order or root (see `apply`)."""
        value = parse_canonical(raw, MAX_BATCH_BYTES)
        if not isinstance(value, dict) or set(value) != _MEMBERS:
            raise DocumentError("roster batch", f"must have exactly {', '.join(sorted(_MEMBERS))}")
        if value["format"] != FORMAT:
            raise DocumentError("format", f"is not {FORMAT}")
        codes = value["codes"]
        if not isinstance(codes, list) or not 1 <= len(codes) <= MAX_BATCH:
            raise DocumentError("codes", f"must hold 1 to {MAX_BATCH} codes")
        root = unb64(_member(value, "root", str), "root")
        if len(root) != HASH_BYTES:
            raise DocumentError("root", f"has {len(root)} bytes, not {HASH_BYTES}")
        return cls(
            chain=_member(value, "chain", str),
            number=_member(value, "number", int),
            first_row=_member(value, "first_row", int),
            codes=tuple(_code(code, index) for index, code in enumerate(codes)),
            root=root,
        )


class Roster:
    """The rows of one chain, append-only. Not safe to change from two threads at once."""

    def __init__(self, chain: str) -> None:
        self.chain = chain
        self._codes: list[Uscc] = []
        self._rows: dict[str, int] = {}
        self._frontier = Frontier()
        self._size_of_root: dict[bytes, int] = {EMPTY_ROOT: 0}
        self._batches = 0

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self._codes)

    @property
    def root(self) -> bytes:
        """RFC 6962 root over the rows' codes, 18 ASCII bytes a leaf."""
        return self._frontier.root

    @property
    def next_number(self) -> int:
        """The number that the next batch must have; the first batch is 0."""
        return self._batches

    def __contains__(self, uscc: object) -> bool:
        return uscc in self._rows

    def copy(self) -> Roster:
        """A roster of its own with the same rows: to try batches on before they are kept."""
        other = Roster(self.chain)
        other._codes = self._codes.copy()
        other._rows = self._rows.copy()
        other._frontier = self._frontier
        other._size_of_root = self._size_of_root.copy()
        other._batches = self._batches
        return other

    def propose(self, codes: Iterable[Uscc]) -> RosterBatch:
        """The batch that would enrol `codes`; nothing changes until `apply`.

        Raises DocumentError when there is nothing to enrol, too much, or a code twice.
        """
        ordered = tuple(sorted(codes, key=lambda code: order_key(self.chain, code)))
        self._check_codes(ordered)
        root = self._frontier.extended(map(_leaf, ordered)).root
        return RosterBatch(self.chain, self._batches, self.size, ordered, root)

    def append(self, codes: Iterable[Uscc]) -> RosterBatch:
        """Enrols `codes` and returns the batch to sign and publish. Errors as in `propose`."""
        batch = self.propose(codes)
        self.apply(batch)
        return batch

    def apply(self, batch: RosterBatch) -> None:
        """Adds a batch that another party made, completely or, with an error, not at all.

        Raises DocumentError for another chain, a gap in the numbers or rows, a code that is
        invalid, enrolled already or out of order, or a root that does not follow.
        """
        if batch.chain != self.chain:
            raise DocumentError("chain", f"is {batch.chain!r}, this roster is of {self.chain!r}")
        if batch.number != self._batches:
            raise DocumentError(
                "number", f"is {batch.number}, the next batch is {self._batches}", "apply in order"
            )
        if batch.first_row != self.size:
            raise DocumentError("first_row", f"is {batch.first_row}, the next row is {self.size}")
        self._check_codes(batch.codes)
        keys = [order_key(self.chain, code) for code in batch.codes]
        if any(first > second for first, second in pairwise(keys)):
            raise DocumentError("codes", "are not in roster order", "sort them as section 2 says")
        frontier = self._frontier.extended(map(_leaf, batch.codes))
        if frontier.root != batch.root:
            raise DocumentError("root", "is not the root of the rows up to this batch")
        for row, code in enumerate(batch.codes, start=self.size):
            self._rows[code] = row
        self._codes.extend(batch.codes)
        self._frontier = frontier
        self._size_of_root[frontier.root] = frontier.size
        self._batches += 1

    def row(self, uscc: Uscc, size: int | None = None) -> int:
        """The row of an enterprise among the first `size` rows (all, by default).

        Raises Refusal `unknown_enterprise` when it has none there.
        """
        row = self._rows.get(uscc)
        if row is None or (size is not None and row >= size):
            raise Refusal(Reason.UNKNOWN_ENTERPRISE, "no row in the roster of this epoch")
        return row

    def codes(self, bucket: int, size: int | None = None) -> tuple[Uscc, ...]:
        """The codes of a bucket in order of coefficient, of the first `size` rows only.

        Raises Refusal `unknown_bucket` when the bucket has no row there.
        """
        end = self.size if size is None else min(size, self.size)
        start = bucket * ROWS
        if not 0 <= start < end:
            raise Refusal(Reason.UNKNOWN_BUCKET, f"bucket {bucket} has no row")
        return tuple(self._codes[start : min(start + ROWS, end)])

    def buckets(self, size: int | None = None) -> int:
        """How many buckets the first `size` rows fill or begin."""
        end = self.size if size is None else min(size, self.size)
        return -(-end // ROWS)

    def size_at(self, root: bytes) -> int:
        """The number of rows when the roster had `root`, as an epoch's descriptor names it.

        Raises DocumentError when no batch of this roster led to it.
        """
        size = self._size_of_root.get(root)
        if size is None:
            raise DocumentError(
                "roster_root", "is of no state of this roster", "fetch the batches that are missing"
            )
        return size

    def _check_codes(self, codes: tuple[Uscc, ...]) -> None:
        if not 1 <= len(codes) <= MAX_BATCH:
            raise DocumentError(
                "codes", f"{len(codes)} codes in a batch, 1 to {MAX_BATCH} allowed", "split them"
            )
        if len(set(codes)) != len(codes):
            raise DocumentError("codes", "hold an enterprise twice", "remove the duplicate")
        for index, code in enumerate(codes):
            if not isinstance(code, Uscc):
                raise DocumentError(f"codes[{index}]", "is not a parsed Uscc", "use Uscc.parse")
            if code in self._rows:
                raise DocumentError(
                    f"codes[{index}]", "is enrolled already", "leave enrolled enterprises out"
                )


def _leaf(code: Uscc) -> bytes:
    return leaf_hash(code.encode("ascii"))


def _code(value: object, index: int) -> Uscc:
    if not isinstance(value, str):
        raise DocumentError(f"codes[{index}]", "must be a string")
    try:
        code = Uscc(value)
    except DocumentError as error:
        raise DocumentError(f"codes[{index}]", error.problem, error.remedy) from error
    if code != value:
        raise DocumentError(f"codes[{index}]", "is not in normal form", "use Uscc.parse")
    return code


def _member(value: dict[str, Any], name: str, kind: type[_Member]) -> _Member:
    member = value[name]
    # Not isinstance: true and false are whole numbers to Python.
    if type(member) is not kind:
        raise DocumentError(name, f"must be a {_KIND_NAMES[kind]}")
    return member
