"""A bank's labels on their way to the regulator, sealed part by part.

A label is one line, `0` (paid) or `1` (defaulted), a space, and the firm's development consent,
which names the firm. 20,000 of them are some 25 MB, so they travel in parts of one size, each
sealed (HPKE) to the regulator and bound to bank, submission, its place and the number of parts:
none can be left out, moved or taken from another submission. Nothing of it is ever logged.

Either all labels are accepted or none: a bank that was told which lines fail mends its list, and
what is certified is what was sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from federation.documents import Array, Bytes16, Bytes32, Document, Id, Name
from federation.envelope import EnvelopeKey, EnvelopePublicKey, open_, seal
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import Role, SpiffeId

PART_BYTES = 1 << 20
MAX_PARTS = 128
MAX_LABELS = 250_000
"""Lines of a submission: no consent is so short that more fit into its parts, and each takes a
signature to judge and a place in memory, empty ones too."""
MAX_DAYS = 31
LEAST_EPSILON_MICRO = 100_000
LABELS_PURPOSE = "yinxin/envelope/labels/v1"
VERDICT_PURPOSE = "yinxin/envelope/label-verdict/v1"
KEY_PURPOSE = "yinxin/envelope/label-key/v1"
VERDICT_BYTES = 1 << 18
KEY_BYTES = 1 << 19

_LENGTH = 4
_SIZES = {VERDICT_PURPOSE: VERDICT_BYTES, KEY_PURPOSE: KEY_BYTES}


class LabelSubmission(Document):
    """The head of a submission: what is asked for. Sealed with the labels, never signed or logged.

    `participants` are the holders that are to count; `epsilon_micro` is ε in millionths of the
    whole release over all of them, at δ = 10^-`delta_exponent`: 0.1 at least, as less would let a
    year's budget hold thousands of submissions, each with its files, and say nothing. `days` is how
    long the certificate is to be valid; `labels` is SHA-256 of the lines.
    """

    TYPE: ClassVar[str] = "label-submission"

    id: Bytes16
    name: Name
    bank: Id
    chain: Name
    catalogue: Bytes32
    participants: Annotated[tuple[Id, ...], Array, Field(min_length=1, max_length=64)]
    epsilon_micro: Annotated[int, Field(ge=LEAST_EPSILON_MICRO, le=20_000_000)]
    delta_exponent: Annotated[int, Field(ge=5, le=12)]
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)]
    labels: Bytes32

    @model_validator(mode="after")
    def _ordered(self) -> LabelSubmission:
        if list(self.participants) != sorted(set(self.participants), key=str):
            raise ValueError("participants must be in order and once each")
        if any(holder.role is not Role.HOLDER for holder in self.participants):
            raise ValueError("participants must be holders")
        return self


def label_line(outcome: int, consent: str) -> bytes:
    """One label as it is submitted."""
    return f"{outcome} {consent}\n".encode("ascii")


def sha256_lines(lines: Iterable[bytes]) -> bytes:
    """SHA-256 of the lines, as `LabelSubmission.labels` has it."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line)
    return digest.digest()


def part_count(submission: LabelSubmission, lines: Sequence[bytes]) -> int:
    """Parts of a submission. Raises DocumentError for more than 128."""
    size = _LENGTH + len(submission.payload()) + sum(map(len, lines))
    count = -(-size // PART_BYTES)
    if count > MAX_PARTS:
        raise DocumentError(
            "labels", f"take {count} parts, at most {MAX_PARTS}", "split them into two submissions"
        )
    return count


def seal_parts(
    submission: LabelSubmission, lines: Sequence[bytes], regulator: bytes
) -> Iterator[bytes]:
    """The sealed parts, in order. `regulator` is its envelope key. Raises as `part_count`."""
    head = submission.payload()
    content = len(head).to_bytes(_LENGTH, "big") + head + b"".join(lines)
    count, public = part_count(submission, lines), EnvelopePublicKey(regulator)
    for index in range(count):
        part = content[index * PART_BYTES : (index + 1) * PART_BYTES]
        place = _place(submission.bank, submission.id, index, count)
        yield seal(public, LABELS_PURPOSE, place, part, PART_BYTES)


class SubmissionReader:
    """Opens the parts of one submission of `bank` as they come."""

    def __init__(self, key: EnvelopeKey, bank: SpiffeId, submission: bytes, count: int) -> None:
        """`submission` (16 bytes) and `count` are what the bank says; both are bound into the
        parts. Raises DocumentError for an impossible count.
        """
        if not 1 <= count <= MAX_PARTS:
            raise DocumentError("parts", f"is {count}, not within 1 … {MAX_PARTS}")
        self._key = key
        self._bank = bank
        self._id = submission
        self._count = count
        self._parts: list[bytes] = []

    def add(self, sealed: bytes) -> None:
        """The next part. Raises EnvelopeError, or DocumentError for one too many."""
        index = len(self._parts)
        if index == self._count:
            raise DocumentError("parts", f"are more than the {self._count} announced")
        place = _place(self._bank, self._id, index, self._count)
        self._parts.append(open_(self._key, LABELS_PURPOSE, place, sealed, PART_BYTES))

    def finish(self) -> tuple[LabelSubmission, list[bytes]]:
        """Head and lines (without their ends).

        Raises DocumentError for parts that are missing and for what is no submission,
        Refusal(wrong_bank) for one that names another bank.
        """
        if len(self._parts) != self._count:
            raise DocumentError("parts", f"are {len(self._parts)} of {self._count}")
        content = b"".join(self._parts)
        self._parts.clear()  # a submission is large: not twice in memory
        end = _LENGTH + int.from_bytes(content[:_LENGTH], "big")
        submission, labels = LabelSubmission.parse(content[_LENGTH:end]), content[end:]
        if submission.bank != self._bank:
            raise Refusal(Reason.WRONG_BANK, "submission names another bank")
        if submission.id != self._id or hashlib.sha256(labels).digest() != submission.labels:
            raise DocumentError("labels", "are not those that the submission names")
        if not labels.endswith(b"\n"):
            raise DocumentError("labels", "do not end with a whole line")
        if labels.count(b"\n") > MAX_LABELS:
            raise DocumentError("labels", f"are more than {MAX_LABELS} lines", "send fewer")
        return submission, labels[:-1].split(b"\n")


def seal_to_bank(purpose: str, submission: bytes, content: bytes, bank: bytes) -> bytes:
    """The secret key or the verdict, sealed to the bank, bound to the submission's hash."""
    return seal(EnvelopePublicKey(bank), purpose, submission, content, _SIZES[purpose])


def open_at_bank(purpose: str, submission: bytes, sealed: bytes, key: EnvelopeKey) -> bytes:
    """What `seal_to_bank` sealed. Raises EnvelopeError."""
    return open_(key, purpose, submission, sealed, _SIZES[purpose])


def _place(bank: SpiffeId, submission: bytes, index: int, count: int) -> bytes:
    parts = (str(bank).encode(), submission, index.to_bytes(4, "big"), count.to_bytes(4, "big"))
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
