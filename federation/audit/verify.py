"""Judging one permit of the hub's log, with the audit key and nothing that the hub says.

In the order of the checks: the permit is the hub's and the entry records it; the bank was a
member; the model certificate is the regulator's, the bank's, valid, logged, and not withdrawn; the
context is that of certificate and epoch, the epoch was open; the audience fits the participants;
the permit is no longer valid than it may be; the evidence opens and is of this permit; the consent
is signed by the enterprise and held at the time; it covers bank, purpose, chain, fields and
disclosures; and the blinded element is of the enterprise that consented. The first check that fails
is the finding.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import Any

from federation.audit.findings import Finding, FindingKind
from federation.audit.records import AuditedQuery, ConsentFacts, subject_of
from federation.audit.sources import Documents, Examined, PermitRecord
from federation.auditkeys import AuditKeys, KeyErased, calendar_month
from federation.canonical import b64
from federation.certificate import ModelCertificate
from federation.consent import Consent, verify_consent
from federation.entries import Entry, Kind, read_entry
from federation.epoch import OpenEpoch
from federation.errors import (
    DocumentError,
    EnvelopeError,
    FederationError,
    Reason,
    Refusal,
    SignatureInvalid,
)
from federation.exchange.evidence import check_coverage, check_proof
from federation.identity import Role
from federation.membership import Members
from federation.permit import PERMIT_SECONDS, Evidence, Permit, consent_tag, open_for_audit

_CERTIFICATES = 1024

OF_CONSENT: dict[Reason, FindingKind] = {
    Reason.MALFORMED: FindingKind.CONSENT_FORGED,
    Reason.NO_CONSENT: FindingKind.CONSENT_FORGED,
    Reason.NOT_YET_VALID: FindingKind.CONSENT_AFTER_QUERY,
    Reason.EXPIRED: FindingKind.CONSENT_EXPIRED,
    Reason.WRONG_BANK: FindingKind.CONSENT_WRONG_BANK,
    Reason.WRONG_PURPOSE: FindingKind.CONSENT_WRONG_PURPOSE,
    Reason.WRONG_CHAIN: FindingKind.CONSENT_WRONG_CHAIN,
    Reason.WRONG_FIELDS: FindingKind.CONSENT_WRONG_FIELDS,
    Reason.UNDISCLOSED_FEATURE: FindingKind.FEATURE_UNDISCLOSED,
    Reason.NAMED_REQUIRED: FindingKind.HOLDER_UNNAMED,
    Reason.BAD_PROOF: FindingKind.PROOF_INVALID,
}
"""Each reason for which a hub has to refuse a consent, and what a permit in spite of it is."""


class _Fault(Exception):
    """A check failed."""

    def __init__(self, kind: FindingKind, detail: str = "") -> None:
        self.kind = kind
        self.detail = detail
        super().__init__(kind.value)


class QueryVerifier:
    """Verifies permits one by one; made once a worker, as it keeps certificates it has checked."""

    def __init__(self, documents: Documents, keys: AuditKeys) -> None:
        """`keys` are the secret halves of the audit keys: they stay in this process."""
        self._documents = documents
        self._keys = keys
        # What is kept is a certificate whose signature verified, by its hash; a refusal is not
        # kept: the regulator may have logged the certificate by the next query.
        self._certificate = lru_cache(maxsize=_CERTIFICATES)(self._open_certificate)

    def examine(self, record: PermitRecord) -> Examined:
        """The query of a permit entry, with a finding exactly when it is not verified.

        Raises DocumentError when the entry is no `permit` entry with a document: a finding about
        the log, which whoever mirrors it has made. Raises KeyErased when the evidence perished
        after the legal term: nobody can judge such a query any more. Raises Refusal where the
        chain has no hub.
        """
        entry = read_entry(record.entry)
        permit_hash = subject_of(entry.kind, entry.body)
        if entry.kind is not Kind.PERMIT or not permit_hash:
            raise DocumentError("entry", "does not record a permit")
        members = self._documents.members(entry.time)
        steps = _Steps(record.index, entry, permit_hash)
        try:
            self._judge(steps, record, entry, members)
        except _Fault as fault:
            query = steps.query(verified=False)
            found = Finding(
                kind=fault.kind,
                subject=str(members.hub.id),
                query=permit_hash,
                evidence=_evidence(query, record, fault.detail),
            )
            return Examined(query, (found,))
        return Examined(steps.query(verified=True), ())

    def _judge(self, steps: _Steps, record: PermitRecord, entry: Entry, members: Members) -> None:
        permit = _permit(record, entry, members)
        steps.permit(permit)
        model = self._model(permit, members)
        epoch = self._epoch(permit, model)
        steps.model(model, epoch)
        _check_limits(permit, model, epoch)
        evidence = self._evidence(record, permit)
        steps.evidence(evidence)
        root = members.root
        if not evidence.consent:
            raise _Fault(FindingKind.CONSENT_MISSING)
        try:
            consent = verify_consent(evidence.consent, root.licence_authority.encode(), entry.time)
            steps.consent(consent)
            _check_binding(evidence, permit, consent)
            check_coverage(consent, model, permit.bank, permit.purpose, root.chain)
            check_proof(consent, permit, evidence.proof)
        except Refusal as refusal:
            raise _Fault(OF_CONSENT[refusal.reason], refusal.detail) from refusal

    def _model(self, permit: Permit, members: Members) -> ModelCertificate:
        try:
            members.require(permit.bank, Role.BANK)
        except Refusal as refusal:
            raise _Fault(FindingKind.BANK_FOREIGN, refusal.detail) from refusal
        try:
            model = self._certificate(
                permit.certificate, members.root.regulator_signing, permit.chain
            )
        except (FederationError, LookupError) as error:
            raise _Fault(FindingKind.CERTIFICATE_UNLOGGED, str(error)) from error
        if model.bank != permit.bank:
            raise _Fault(FindingKind.CERTIFICATE_FOREIGN, f"certificate is {model.bank}'s")
        try:
            model.require_members(members)
        except Refusal as refusal:
            raise _Fault(FindingKind.CERTIFICATE_FOREIGN, refusal.detail) from refusal
        try:
            model.require_valid(permit.issued)
        except Refusal as refusal:
            raise _Fault(FindingKind.CERTIFICATE_EXPIRED, refusal.detail) from refusal
        withdrawn = self._documents.withdrawn(permit.certificate)
        # Permits of the same second were issued before: the hub dates its receipt after it.
        if withdrawn is not None and permit.issued > withdrawn:
            raise _Fault(FindingKind.CERTIFICATE_WITHDRAWN, f"received at {withdrawn}")
        return model

    def _open_certificate(self, digest: bytes, regulator: bytes, chain: str) -> ModelCertificate:
        signed = self._documents.certificate(digest)
        if signed is None:
            raise LookupError("the regulator's log does not have it")
        model = ModelCertificate.open_(signed, regulator)
        if (model.hash, model.chain) != (digest, chain):
            raise LookupError("the document is another certificate")
        return model

    def _epoch(self, permit: Permit, model: ModelCertificate) -> OpenEpoch:
        epoch = self._documents.epoch(permit.epoch)
        if epoch is None:
            raise _Fault(FindingKind.EPOCH_CLOSED, f"epoch {permit.epoch} was never opened")
        try:
            epoch.require_open(permit.issued)
        except Refusal as refusal:
            raise _Fault(FindingKind.EPOCH_CLOSED, refusal.detail) from refusal
        try:
            expected = model.context(epoch)
        except Refusal as refusal:
            raise _Fault(FindingKind.CONTEXT_WRONG, refusal.detail) from refusal
        if expected != permit.ctx:
            raise _Fault(FindingKind.CONTEXT_WRONG)
        return epoch

    def _evidence(self, record: PermitRecord, permit: Permit) -> Evidence:
        if record.envelope is None:
            raise _Fault(FindingKind.EVIDENCE_MISSING)
        try:
            evidence = open_for_audit(record.envelope, permit.hash, permit.issued, self._keys)
        except KeyErased:
            raise
        except (EnvelopeError, DocumentError) as error:
            raise _Fault(FindingKind.EVIDENCE_UNOPENABLE, str(error)) from error
        if evidence.permit != permit.hash:
            raise _Fault(FindingKind.EVIDENCE_MISMATCH, "evidence names another permit")
        return evidence


class _Steps:
    """The query as far as it is established: what a later check refuses stays known."""

    def __init__(self, index: int, entry: Entry, permit_hash: bytes) -> None:
        self._fields: dict[str, Any] = {
            "id": permit_hash,
            "index": index,
            "time": entry.time,
            "bank": str(entry.body.get("bank", "")),
        }

    def query(self, *, verified: bool) -> AuditedQuery:
        return AuditedQuery(**self._fields, verified=verified)

    def permit(self, permit: Permit) -> None:
        self._fields.update(
            bank=str(permit.bank),
            permit_id=permit.id,
            expires=permit.expires,
            purpose=permit.purpose,
            model=permit.certificate,
            ctx=permit.ctx,
            epoch=permit.epoch,
            audience=tuple(map(str, permit.audience)),
            blinded=permit.blinded,
        )

    def model(self, model: ModelCertificate, epoch: OpenEpoch) -> None:
        named = {str(holder) for holder in model.named_holders}
        self._fields.update(
            holders=tuple(map(str, model.holders)),
            named=bool(named.intersection(self._fields["audience"])),
            month=calendar_month(epoch.descriptor.opens),
            epochs_a_month=model.epochs_a_month,
        )

    def evidence(self, evidence: Evidence) -> None:
        self._fields.update(
            officer=evidence.officer, reference=evidence.reference, uscc=evidence.uscc
        )

    def consent(self, consent: Consent) -> None:
        self._fields["consent"] = ConsentFacts.of(consent)


def _permit(record: PermitRecord, entry: Entry, members: Members) -> Permit:
    if record.document is None:
        raise _Fault(FindingKind.PERMIT_FORGED, "the hub does not show the permit")
    try:
        permit = Permit.open_(record.document, members.hub.signing)
    except (SignatureInvalid, DocumentError) as error:
        raise _Fault(FindingKind.PERMIT_FORGED, str(error)) from error
    recorded = {name: entry.body.get(name) for name in ("document", "bank", "ctx")}
    expected = {"document": b64(permit.hash), "bank": str(permit.bank), "ctx": b64(permit.ctx)}
    if recorded != expected or entry.time != permit.issued:
        raise _Fault(FindingKind.ENTRY_MISMATCH, "entry records another permit")
    if record.envelope is not None:
        sealed = b64(hashlib.sha256(record.envelope).digest())
        if entry.body.get("envelope") != sealed:
            raise _Fault(FindingKind.ENTRY_MISMATCH, "entry records another envelope")
    if permit.chain != members.root.chain:
        raise _Fault(FindingKind.CONTEXT_WRONG, f"permit is of chain {permit.chain}")
    return permit


def _check_limits(permit: Permit, model: ModelCertificate, epoch: OpenEpoch) -> None:
    named = model.named_holders
    unnamed = tuple(holder for holder in model.holders if holder not in named)
    groups = {(holder,) for holder in named} | {unnamed}
    if not permit.audience or permit.audience not in groups:
        raise _Fault(FindingKind.AUDIENCE_WRONG)
    latest = min(permit.issued + PERMIT_SECONDS, epoch.descriptor.closes)
    if not permit.issued < permit.expires <= latest:
        raise _Fault(FindingKind.PERMIT_OVERLONG, f"expires at {permit.expires}, not {latest}")


def _check_binding(evidence: Evidence, permit: Permit, consent: Consent) -> None:
    tag = consent_tag(evidence.tag_key, consent.hash)
    if evidence.uscc != consent.uscc or not hmac.compare_digest(tag, permit.consent_tag):
        raise _Fault(FindingKind.EVIDENCE_MISMATCH, "permit is bound to another consent")


def _evidence(query: AuditedQuery, record: PermitRecord, detail: str) -> dict[str, str | int]:
    shown: dict[str, str | int] = {
        "index": record.index,
        "time": query.time,
        "bank": query.bank,
        "officer": query.officer,
        "model": b64(query.model),
        "detail": detail,
    }
    return {name: value for name, value in shown.items() if value != ""}
