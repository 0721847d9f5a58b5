"""A bank's labels on their way to the regulator: sealed part by part, and judged line by line.

A label is one line, `0` (paid) or `1` (defaulted), a space, and the firm's development consent,
which names the firm. 20,000 of them are some 25 MB, so they travel in parts of one size, each
sealed (HPKE) to the regulator and bound to bank, submission, its place and the number of parts:
none can be left out, moved or taken from another submission. Nothing of it is ever logged.

Either all labels are accepted or none: a bank that was told which lines fail mends its list, and
what is certified is what was sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from federation.development.consent import verify_development_consent
from federation.documents import Array, Bytes16, Bytes32, Document, Id, Name, Part
from federation.envelope import EnvelopeKey, EnvelopePublicKey, open_, seal
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.uscc import Uscc

PART_BYTES = 1 << 20
MAX_PARTS = 128
MAX_DAYS = 31
LABELS_PURPOSE = "yinxin/envelope/labels/v1"
VERDICT_PURPOSE = "yinxin/envelope/label-verdict/v1"
KEY_PURPOSE = "yinxin/envelope/label-key/v1"
VERDICT_BYTES = 1 << 18
KEY_BYTES = 1 << 19
MAX_REFUSED = 1000
"""Lines that a verdict names; it counts all."""

_LENGTH = 4
_SIZES = {VERDICT_PURPOSE: VERDICT_BYTES, KEY_PURPOSE: KEY_BYTES}


class LabelSubmission(Document):
    """The head of a submission: what is asked for. Sealed with the labels, never signed or logged.

    `participants` are the holders that are to count; `epsilon_micro` is ε in millionths of the
    whole release over all of them, at δ = 10^-`delta_exponent`; `days` is how long the certificate
    is to be valid; `labels` is SHA-256 of the lines.
    """

    TYPE: ClassVar[str] = "label-submission"

    id: Bytes16
    name: Name
    bank: Id
    chain: Name
    catalogue: Bytes32
    participants: Annotated[tuple[Id, ...], Array, Field(min_length=1, max_length=64)]
    epsilon_micro: Annotated[int, Field(ge=1, le=20_000_000)]
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


class LabelProblem(StrEnum):
    """Why a line is refused."""

    MALFORMED = "malformed"
    OUTCOME = "outcome"
    NO_CONSENT = "no_consent"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_BANK = "wrong_bank"
    WRONG_CHAIN = "wrong_chain"
    FIRM_TWICE = "firm_twice"
    UNKNOWN_FIRM = "unknown_firm"

    @property
    def titles(self) -> dict[str, str]:
        """What is wrong and what to do, by language: `zh` and `en`."""
        return _TITLES[self]


_TITLES = {
    LabelProblem.MALFORMED: {
        "zh": "不是建模授权；请企业重新签署（yinxin enterprise consent develop）",
        "en": "no development consent; have the firm sign one (yinxin enterprise consent develop)",
    },
    LabelProblem.OUTCOME: {
        "zh": "标签既非 0（正常）也非 1（违约）；请更正",
        "en": "the outcome is neither 0 (paid) nor 1 (defaulted); correct it",
    },
    LabelProblem.NO_CONSENT: {
        "zh": "签名人不是该企业；请企业本身签署",
        "en": "not signed by the firm that it names; have the firm itself sign",
    },
    LabelProblem.EXPIRED: {
        "zh": "授权已过期；请企业重新签署或删除该行",
        "en": "the consent has expired; have it renewed or leave the firm out",
    },
    LabelProblem.NOT_YET_VALID: {
        "zh": "授权尚未生效；请稍后提交或删除该行",
        "en": "the consent does not hold yet; wait or leave the firm out",
    },
    LabelProblem.WRONG_BANK: {
        "zh": "授权给了另一机构；请删除该行",
        "en": "the consent is for another bank; leave the firm out",
    },
    LabelProblem.WRONG_CHAIN: {
        "zh": "授权不包括本链；请删除该行",
        "en": "the consent does not name this chain; leave the firm out",
    },
    LabelProblem.FIRM_TWICE: {
        "zh": "企业重复出现；每家企业只留一行",
        "en": "the firm stands in an earlier line; keep one line a firm",
    },
    LabelProblem.UNKNOWN_FIRM: {
        "zh": "企业不在本链名册中；请删除该行",
        "en": "the firm is not in the chain's roster; leave it out",
    },
}
_OF_REASON = {
    Reason.MALFORMED: LabelProblem.MALFORMED,
    Reason.NO_CONSENT: LabelProblem.NO_CONSENT,
    Reason.EXPIRED: LabelProblem.EXPIRED,
    Reason.NOT_YET_VALID: LabelProblem.NOT_YET_VALID,
    Reason.WRONG_BANK: LabelProblem.WRONG_BANK,
    Reason.WRONG_CHAIN: LabelProblem.WRONG_CHAIN,
}


class RefusedLabel(Part):
    """One line that is refused, counted from 1."""

    line: Annotated[int, Field(ge=1)]
    problem: Annotated[str, Field(pattern="^[a-z_]+$")]


class LabelVerdict(Document):
    """What the bank learns of the regulator's checks, sealed to it.

    `refused` names the first thousand lines that fail, of `refused_total`. `good` and `bad` are the
    firms that passed, and the certificate needs `least_good` and `least_bad`. `epsilon_left` is
    what the bank's budget of a year had left before this submission, in millionths.
    """

    TYPE: ClassVar[str] = "label-verdict"

    submission: Bytes32
    refused: Annotated[tuple[RefusedLabel, ...], Array]
    refused_total: Annotated[int, Field(ge=0)]
    good: Annotated[int, Field(ge=0)]
    bad: Annotated[int, Field(ge=0)]
    least_good: int
    least_bad: int
    epsilon_asked: int
    epsilon_left: Annotated[int, Field(ge=0)]

    @property
    def passed(self) -> bool:
        """Whether the labels were certified."""
        enough = self.good >= self.least_good and self.bad >= self.least_bad
        return enough and not self.refused_total and self.epsilon_asked <= self.epsilon_left

    def reasons(self, language: str, above: int = 0) -> list[str]:
        """Why not, in `zh` or `en`; empty for a pass. `above` is how many lines the reader's table
        has above the first label.
        """
        zh = language == "zh"
        found = [
            (f"第 {r.line + above} 行：" if zh else f"line {r.line + above}: ")
            + LabelProblem(r.problem).titles["zh" if zh else "en"]
            for r in self.refused
        ]
        more = self.refused_total - len(self.refused)
        if more:
            found.append(f"另有 {more} 行" if zh else f"and {more} lines more")
        for names, count, least in (
            (("正常", "that paid"), self.good, self.least_good),
            (("违约", "that defaulted"), self.bad, self.least_bad),
        ):
            if count < least:
                found.append(
                    f"{names[0]}企业 {count} 家，至少需要 {least} 家；请补充标签"
                    if zh
                    else f"{count} firms {names[1]}, at least {least} are needed; add labels"
                )
        if self.epsilon_asked > self.epsilon_left:
            asked, left = self.epsilon_asked / 1e6, self.epsilon_left / 1e6
            found.append(
                f"申请 ε = {asked:.4g}，一年预算尚余 {left:.4g}；请降低 --epsilon 或等待"
                if zh
                else f"asks for ε = {asked:.4g}, the year's budget has {left:.4g} left; "
                "lower --epsilon or wait"
            )
        return found


@dataclass(frozen=True)
class Judged:
    """What some lines say: outcome (0 or 1) by firm, in order, and the lines that are refused."""

    firms: tuple[tuple[int, Uscc, int], ...] = field(repr=False)
    """Line number, firm, outcome."""
    refused: tuple[RefusedLabel, ...]


def label_line(outcome: int, consent: str) -> bytes:
    """One label as it is submitted."""
    return f"{outcome} {consent}\n".encode("ascii")


def judge_lines(
    lines: Sequence[bytes], first: int, authority_cert: bytes, bank: SpiffeId, chain: str, now: int
) -> Judged:
    """Each line by itself: its form, its outcome, its consent. `first` is the first one's number.

    What a line takes is one signature and one certificate to verify. Whether a firm stands in
    several lines, or in the roster at all, `settle` judges.
    """
    firms, refused = [], []
    for number, line in enumerate(lines, first):
        outcome, _, consent = line.partition(b" ")
        try:
            if outcome not in (b"0", b"1"):
                refused.append(_refused(number, LabelProblem.OUTCOME))
                continue
            found = verify_development_consent(
                consent.decode("ascii"), authority_cert, bank, chain, now
            )
            firms.append((number, found.uscc, int(outcome)))
        except UnicodeDecodeError:
            refused.append(_refused(number, LabelProblem.MALFORMED))
        except Refusal as refusal:
            problem = _OF_REASON.get(refusal.reason, LabelProblem.MALFORMED)
            refused.append(_refused(number, problem))
    return Judged(tuple(firms), tuple(refused))


def settle(
    judged: Iterable[Judged], row_of: Callable[[Uscc], int | None]
) -> tuple[dict[int, int], list[RefusedLabel]]:
    """Outcome by roster row, and all refused lines in order.

    `row_of` is the roster's row of a firm. A firm's second line, and one of a firm without a row,
    are refused.
    """
    outcomes: dict[int, int] = {}
    seen: set[Uscc] = set()
    refused: list[RefusedLabel] = []
    for part in judged:
        refused += part.refused
        for number, firm, outcome in part.firms:
            if firm in seen:
                refused.append(_refused(number, LabelProblem.FIRM_TWICE))
                continue
            seen.add(firm)
            row = row_of(firm)
            if row is None:
                refused.append(_refused(number, LabelProblem.UNKNOWN_FIRM))
            else:
                outcomes[row] = outcome
    return outcomes, sorted(refused, key=lambda r: r.line)


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
        end = _LENGTH + int.from_bytes(content[:_LENGTH], "big")
        submission, labels = LabelSubmission.parse(content[_LENGTH:end]), content[end:]
        if submission.bank != self._bank:
            raise Refusal(Reason.WRONG_BANK, "submission names another bank")
        if submission.id != self._id or hashlib.sha256(labels).digest() != submission.labels:
            raise DocumentError("labels", "are not those that the submission names")
        if not labels.endswith(b"\n"):
            raise DocumentError("labels", "do not end with a whole line")
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


def _refused(line: int, problem: LabelProblem) -> RefusedLabel:
    return RefusedLabel(line=line, problem=problem.value)
