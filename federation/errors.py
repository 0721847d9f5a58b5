"""Errors of the federation package: one tree, so that a caller catches one class.

No exception of a library leaves a public function of this package; whatever goes wrong is
one of the classes below.
"""

from __future__ import annotations

from enum import StrEnum


class FederationError(Exception):
    """Base of every error that this package raises."""


class DocumentError(FederationError):
    """A document, code or encoded value is not what the protocol says.

    `field` is a path within the document (`participants[2].holder`, or the name of the whole),
    `problem` says what is wrong with it, `remedy` what to do about it.
    """

    def __init__(self, field: str, problem: str, remedy: str = "") -> None:
        self.field = field
        self.problem = problem
        self.remedy = remedy
        text = f"{field}: {problem}"
        super().__init__(f"{text}; {remedy}" if remedy else text)


class SignatureInvalid(FederationError):
    """A signature does not verify, or is of another key or payload type than required."""


class IdentityError(FederationError):
    """A SPIFFE id, key or certificate does not establish the identity it claims."""


class EnvelopeError(FederationError):
    """An envelope cannot be sealed or opened. The message never says which check failed."""


class Reason(StrEnum):
    """Why a member refuses a request. The reason stays in the refuser's own log."""

    NO_CONSENT = "no_consent"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_BANK = "wrong_bank"
    WRONG_CHAIN = "wrong_chain"
    WRONG_PURPOSE = "wrong_purpose"
    WRONG_FIELDS = "wrong_fields"
    UNDISCLOSED_FEATURE = "undisclosed_feature"
    REPLAYED_PERMIT = "replayed_permit"
    CANCELLED = "cancelled"
    USES_EXHAUSTED = "uses_exhausted"
    EPOCH_LIMIT = "epoch_limit"
    UNKNOWN_ENTERPRISE = "unknown_enterprise"
    UNCERTIFIED_MODEL = "uncertified_model"
    WITHDRAWN_MODEL = "withdrawn_model"
    FOREIGN_CERTIFICATE = "foreign_certificate"
    BAD_PROOF = "bad_proof"
    BAD_PERMIT = "bad_permit"
    BAD_PROMISE = "bad_promise"
    WRONG_AUDIENCE = "wrong_audience"
    WRONG_CONTEXT = "wrong_context"
    BUDGET_EXHAUSTED = "budget_exhausted"
    BANK_STOPPED = "bank_stopped"
    CLOSED = "closed"
    NOT_OPEN = "not_open"
    UNKNOWN_BUCKET = "unknown_bucket"
    BUCKET_TOO_SMALL = "bucket_too_small"
    CONFLICT = "conflict"
    MALFORMED = "malformed"
    NAMED_REQUIRED = "named_required"
    NO_AUDIT_KEY = "no_audit_key"
    UNKNOWN_CHAIN = "unknown_chain"
    STALE_DIRECTORY = "stale_directory"


class Refusal(FederationError):
    """A member refuses a request.

    The other side is told neither: `str()` is the reason, for the refuser's logs, and `detail`
    for its application log. Neither may name an enterprise, a weight or a score.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(reason.value)
