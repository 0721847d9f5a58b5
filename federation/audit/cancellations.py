"""Cancellations of consents in the hub's log, opened with the audit key."""

from __future__ import annotations

from dataclasses import dataclass

from federation.audit.findings import Finding, FindingKind
from federation.audit.sources import CancellationRecord
from federation.auditkeys import AuditKeys, KeyErased
from federation.canonical import b64, unb64
from federation.consent import verify_cancellation
from federation.entries import Kind, read_entry
from federation.errors import DocumentError, EnvelopeError, Refusal
from federation.membership import Members
from federation.merkle import leaf_hash
from federation.registration import open_statement


@dataclass(frozen=True)
class Cancelled:
    """From entry `index` of the hub's log on, the consent of that hash may not be used.

    `time` is the entry's, in unix seconds.
    """

    index: int
    time: int
    consent: bytes


def examine_cancellation(
    record: CancellationRecord, members: Members, keys: AuditKeys
) -> Cancelled | Finding:
    """What a `consent-cancelled` entry cancels, or the finding that the hub recorded none.

    `members` are those at the entry's time. Raises DocumentError when the entry is of another
    kind, KeyErased when its evidence perished after the legal term.
    """
    entry = read_entry(record.entry)
    if entry.kind is not Kind.CANCELLED:
        raise DocumentError("entry", "does not record a cancellation")

    def found(kind: FindingKind, detail: str) -> Finding:
        return Finding(
            kind=kind,
            subject=str(members.hub.id),
            evidence={"index": record.index, "time": entry.time, "detail": detail},
            key=b64(leaf_hash(record.entry)),
        )

    if record.envelope is None:
        return found(FindingKind.EVIDENCE_MISSING, "cancellation")
    try:
        tag = unb64(str(entry.body.get("consent", "")), "entry.consent")
        compact = open_statement(record.envelope, tag, entry.time, keys)
    except KeyErased:
        raise
    except (EnvelopeError, DocumentError) as error:
        return found(FindingKind.EVIDENCE_UNOPENABLE, str(error))
    try:
        authority = members.root.licence_authority.encode()
        cancellation = verify_cancellation(compact, authority, entry.time)
    except Refusal as refusal:
        return found(FindingKind.CONSENT_FORGED, f"cancellation: {refusal.detail}")
    return Cancelled(record.index, entry.time, cancellation.consent_hash)
