"""Checking why a permit was issued: by a holder that must see the subject, and by the regulator.

Whoever can open the evidence needs nothing else from the hub: the enterprise's signature, the
tag that binds the permit to that consent, and the proof that its element is of that enterprise.
"""

from __future__ import annotations

import hashlib
import hmac

from federation.canonical import b64
from federation.consent import Consent, verify_consent
from federation.entries import Kind, read_entry
from federation.envelope import EnvelopeKey
from federation.errors import Reason, Refusal
from federation.identity import SpiffeId
from federation.membership import Members, TrustRoot
from federation.permit import Evidence, Permit, consent_tag, open_for_audit
from federation.signed import Signed
from scoring.errors import OprfError
from scoring.oprf import hash_to_group, verify_knowledge


def knowledge_context(
    chain: str, bank: SpiffeId, consent_hash: bytes, ctx: bytes
) -> tuple[bytes, ...]:
    """What the proof of knowledge of r is bound to, besides H(USCC) and B."""
    return (chain.encode(), str(bank).encode(), consent_hash, ctx)


def check_evidence(evidence: Evidence, permit: Permit, root: TrustRoot, at: int) -> Consent:
    """The consent behind a permit, once the evidence bears the permit out.

    `at` is when the consent has to hold: now for a holder, the permit's time of issue for an
    audit. Raises Refusal as `verify_consent` does, Refusal(no_consent) for a consent that does
    not cover the permit, and Refusal(bad_proof) for an element of another enterprise.
    """
    consent = verify_consent(evidence.consent, root.licence_authority.encode(), at)
    covered = (
        evidence.permit == permit.hash
        and evidence.uscc == consent.uscc
        and consent.bank == permit.bank
        and consent.purpose == permit.purpose
        and permit.chain == root.chain
        and root.chain in consent.chains
        and hmac.compare_digest(consent_tag(evidence.tag_key, consent.hash), permit.consent_tag)
    )
    if not covered:
        raise Refusal(Reason.NO_CONSENT, "evidence does not cover the permit")
    statement = knowledge_context(root.chain, permit.bank, consent.hash, permit.ctx)
    try:
        base = hash_to_group(consent.uscc.encode())
        verify_knowledge(base, permit.blinded, statement, evidence.proof)
    except OprfError as error:
        raise Refusal(Reason.BAD_PROOF, str(error)) from error
    return consent


def audit_permit(
    recorded: bytes, document: Signed, envelope: bytes, members: Members, audit: EnvelopeKey
) -> Consent:
    """The consent behind a permit of the hub's log, found with the audit key alone.

    `recorded` is the entry, `document` the permit and `envelope` what the hub keeps beside the
    entry. Raises FederationError for anything that does not bear the permit out: each is a
    finding against the hub, whose signature is on the entry's tree and on the permit.
    """
    permit = Permit.open_(document, members.hub.signing)
    logged = read_entry(recorded)
    sealed = b64(hashlib.sha256(envelope).digest())
    expected = (Kind.PERMIT, b64(permit.hash), sealed, permit.issued)
    if (
        logged.kind,
        logged.body.get("document"),
        logged.body.get("envelope"),
        logged.time,
    ) != expected:
        raise Refusal(Reason.BAD_PERMIT, "entry does not record this permit with this envelope")
    evidence = open_for_audit(envelope, permit.hash, audit)
    return check_evidence(evidence, permit, members.root, permit.issued)
