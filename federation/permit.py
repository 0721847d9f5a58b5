"""Permits, and the evidence that leaves the hub only sealed.

A permit tells a holder that the hub saw a consent, and nothing of whose. The consent, the code,
the proof of knowledge and the key of the consent tag are in an envelope to the regulator, and,
for a holder that must by law see the subject, in another one to that holder.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from federation.auditkeys import KEY_ID_BYTES, AuditKey, AuditKeys, choose_key, require_class
from federation.documents import Array, Bytes16, Bytes32, Bytes64, Document, Id, Name, Time
from federation.envelope import EnvelopeKey, EnvelopePublicKey, open_, seal
from federation.identity import SpiffeId

PERMIT_SECONDS = 3600
"""Long enough that a query interrupted by a restart can be repeated without a second use; an
element is evaluated for one permit only, whenever."""
EVIDENCE_BYTES = 9_280
"""What the longest evidence takes: a consent of 8192 bytes, two pseudonyms of 64 characters of up
to six bytes (a control character in JSON), and 278 for the rest. Every envelope has this size."""
AUDIT_PURPOSE = "yinxin/envelope/audit/v1"
NAMED_PURPOSE = "yinxin/envelope/named/v1"


class PermitPolicy(StrEnum):
    """What a chain's holders demand before they answer a permit."""

    PROMISE = "promise"
    """The hub's signed promise that its log will have the permit within 60 seconds."""
    PROOF = "proof"
    """The proof that a checkpoint cosigned by a quorum of witnesses has it already."""


class Permit(Document):
    """The hub's permission for holders to evaluate one blinded element once.

    Attributes:
        blinded: the element B, 32 bytes.
        consent_tag: HMAC-SHA256 of the consent's hash under a fresh key that only the
            regulator (and a named holder) learns: it binds the permit to one consent and tells
            a holder nothing, where a bare hash could be guessed.
        audience: the holders that may evaluate B, in order of their ids.
    """

    TYPE: ClassVar[str] = "permit"

    id: Bytes16
    chain: Name
    bank: Id
    certificate: Bytes32
    ctx: Bytes32
    epoch: Annotated[int, Field(ge=1)]
    purpose: Annotated[str, Field(pattern=r"^\d{2}$")]
    audience: Annotated[tuple[Id, ...], Array]
    blinded: Bytes32
    consent_tag: Bytes32
    issued: Time
    expires: Time


class Evidence(Document):
    """Why a permit was issued. It names the enterprise: sealed wherever it goes.

    `permit` is the hash of the permit's payload; `proof` the proof of knowledge of r for the
    permit's element; `officer` and `reference` are the bank's pseudonyms.
    """

    TYPE: ClassVar[str] = "permit-evidence"

    permit: Bytes32
    consent: str
    uscc: str
    proof: Bytes64
    tag_key: Bytes32
    officer: Annotated[str, Field(max_length=64)]
    reference: Annotated[str, Field(max_length=64)]


def consent_tag(key: bytes, consent_hash: bytes) -> bytes:
    """HMAC-SHA256(key, consent hash), 32 bytes."""
    return hmac.digest(key, consent_hash, hashlib.sha256)


def seal_to_regulator(evidence: Evidence, key: AuditKey) -> bytes:
    """The evidence sealed to an audit key, bound to the permit; constant size.

    The key is that of the month in which the permit is issued, and of the subject's class.
    """
    sealed = seal(
        EnvelopePublicKey(key.public),
        AUDIT_PURPOSE,
        evidence.permit,
        evidence.payload(),
        EVIDENCE_BYTES,
    )
    return key.id + sealed


def open_for_audit(sealed: bytes, permit_hash: bytes, issued: int, keys: AuditKeys) -> Evidence:
    """The evidence of a permit that was issued at `issued`, for the regulator.

    Raises KeyErased where the legal term is over; EnvelopeError for an envelope that does not
    open, or is sealed to the key of another month or class; DocumentError.
    """
    statement, key = choose_key(sealed, issued, keys)
    raw = open_(key, AUDIT_PURPOSE, permit_hash, sealed[KEY_ID_BYTES:], EVIDENCE_BYTES)
    evidence = Evidence.parse(raw)
    require_class(statement, evidence.uscc)
    return evidence


def seal_to_named(evidence: Evidence, holder: SpiffeId, sealing: bytes) -> bytes:
    """What a holder that must see the subject receives: no officer, no reference of the bank."""
    shown = evidence.model_copy(update={"officer": "", "reference": ""})
    key = EnvelopePublicKey(sealing)
    return seal(key, f"{NAMED_PURPOSE} {holder}", shown.permit, shown.payload(), EVIDENCE_BYTES)


def open_as_named(
    sealed: bytes, permit_hash: bytes, holder: SpiffeId, key: EnvelopeKey
) -> Evidence:
    """The evidence sealed to `holder`. Raises EnvelopeError, DocumentError."""
    raw = open_(key, f"{NAMED_PURPOSE} {holder}", permit_hash, sealed, EVIDENCE_BYTES)
    return Evidence.parse(raw)
