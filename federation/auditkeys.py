"""Audit keys: what hubs seal evidence to, one for each calendar month and class of subjects.

A log cannot forget, and the evidence beside it names firms. Each envelope is therefore sealed to
the key of its month and class: once the legal term is over, the regulator erases that key, and
the content is gone wherever the envelope lies, while hashes, entries and proofs stay as they
were. Individual households are a class of their own: what is recorded of them may be personal
data, and may have to go at another time than that of companies.

An envelope begins with the name of its key. The name is not in the log entry: banks and holders
see entries of permits, and there are two keys a month, so that it would tell them the class.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated, ClassVar, Protocol

from pydantic import Field, model_validator

from federation.documents import Bytes, Document, Name, Time
from federation.envelope import EnvelopeKey, EnvelopePublicKey
from federation.errors import EnvelopeError, Reason, Refusal
from federation.signed import Signed

KEY_ID_BYTES = 32
CHINA = timezone(timedelta(hours=8))
_INDIVIDUAL = "92"
"""Registration department and category of 个体工商户 (GB 32100-2015, table 1)."""


class SubjectClass(StrEnum):
    """Classes of subjects whose evidence is kept, and erased, apart."""

    INDIVIDUAL = "individual"
    """Individual households (个体工商户)."""
    ENTERPRISE = "enterprise"
    """Everybody else."""


class KeyErased(EnvelopeError):
    """The key of an envelope was erased after the legal term: its content is gone for good."""


class AuditKey(Document):
    """The regulator's statement of one audit key, signed by its signing key.

    Attributes:
        month: calendar month in China, YYYYMM; the key serves for what is sealed in it.
        subjects: the class of subjects.
        public: HPKE public key, 1216 bytes.
    """

    TYPE: ClassVar[str] = "audit-key"

    chain: Name
    month: Annotated[int, Field(ge=200001, le=999912)]
    subjects: Annotated[SubjectClass, Field(strict=False)]
    public: Bytes
    issued: Time

    @model_validator(mode="after")
    def _shape(self) -> AuditKey:
        if not 1 <= self.month % 100 <= 12:
            raise ValueError("month is no calendar month")
        try:
            EnvelopePublicKey(self.public)
        except EnvelopeError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def id(self) -> bytes:
        """The name of the key, 32 bytes: the statement's hash, as the regulator's log has it."""
        return self.hash


def subject_class(uscc: str) -> SubjectClass:
    """The class of the subject with that code."""
    return SubjectClass.INDIVIDUAL if uscc.startswith(_INDIVIDUAL) else SubjectClass.ENTERPRISE


def calendar_month(seconds: int) -> int:
    """The month of a time (unix seconds) in China, as YYYYMM."""
    moment = datetime.fromtimestamp(seconds, CHINA)
    return moment.year * 100 + moment.month


def month_start(month: int) -> int:
    """When a month (YYYYMM) begins in China, unix seconds."""
    return int(datetime(month // 100, month % 100, 1, tzinfo=CHINA).timestamp())


def months_later(month: int, count: int) -> int:
    """The month (YYYYMM) that many months later; earlier for a negative count."""
    index = month // 100 * 12 + month % 100 - 1 + count
    return index // 12 * 100 + index % 12 + 1


class SealingKeys:
    """The statements that a hub has at hand."""

    def __init__(self, statements: Iterable[AuditKey]) -> None:
        """Of several keys of one month and class the newest serves."""
        ordered = sorted(statements, key=lambda key: (key.issued, key.id))
        self._keys = {(key.month, key.subjects): key for key in ordered}

    def of(self, uscc: str, now: int) -> AuditKey:
        """The key for evidence about that firm at `now` (unix seconds).

        Raises Refusal(no_audit_key): what no audit could open must not be permitted.
        """
        month, subjects = calendar_month(now), subject_class(uscc)
        key = self._keys.get((month, subjects))
        if key is None:
            raise Refusal(Reason.NO_AUDIT_KEY, f"no audit key of {month} for {subjects} subjects")
        return key


class AuditKeys(Protocol):
    """The secret halves, as the audit has them."""

    def statement(self, key_id: bytes) -> AuditKey:
        """The statement of a key. Raises EnvelopeError for one that was never issued."""

    def key(self, key_id: bytes) -> EnvelopeKey:
        """The secret half. Raises KeyErased, EnvelopeError."""


def read_audit_key(signed: Signed, chain: str, regulator_signing: bytes) -> AuditKey:
    """A statement of the chain's regulator. Raises SignatureInvalid, DocumentError, Refusal."""
    statement = AuditKey.open_(signed, regulator_signing)
    if statement.chain != chain:
        raise Refusal(Reason.WRONG_CHAIN, "audit key is of another chain")
    return statement


def key_id_of(envelope: bytes) -> bytes:
    """The name of the key that an envelope says it is sealed to; not authenticated."""
    if len(envelope) <= KEY_ID_BYTES:
        raise EnvelopeError("envelope names no audit key")
    return envelope[:KEY_ID_BYTES]


def choose_key(envelope: bytes, sealed_at: int, keys: AuditKeys) -> tuple[AuditKey, EnvelopeKey]:
    """The key of an envelope that was to be sealed at `sealed_at` (unix seconds).

    Raises EnvelopeError for a key that is not of that month, before whether it is erased is
    looked at: a hub must not have today's evidence perish with that of years ago. Raises
    KeyErased for one that was erased in due course.
    """
    key_id = key_id_of(envelope)
    statement = keys.statement(key_id)
    if statement.month != calendar_month(sealed_at):
        raise EnvelopeError("envelope is sealed to the audit key of another month")
    return statement, keys.key(key_id)


def require_class(statement: AuditKey, uscc: str) -> None:
    """Raises EnvelopeError when the key is of another class than the subject."""
    if statement.subjects is not subject_class(uscc):
        raise EnvelopeError("envelope is sealed to the audit key of another class of subjects")
