"""Checking why a permit was issued: by a holder that must see the subject, and by the regulator
(`federation.audit.verify`, which tells the checks apart).

Whoever can open the evidence needs nothing else from the hub: the enterprise's signature, the
tag that binds the permit to that consent, and the proof that its element is of that enterprise.
"""

from __future__ import annotations

import hmac

from federation.certificate import ModelCertificate
from federation.consent import Consent, verify_consent
from federation.errors import Reason, Refusal
from federation.identity import SpiffeId
from federation.membership import TrustRoot
from federation.permit import Evidence, Permit, consent_tag
from scoring.errors import OprfError
from scoring.oprf import hash_to_group, verify_knowledge


def knowledge_context(
    chain: str, bank: SpiffeId, consent_hash: bytes, ctx: bytes
) -> tuple[bytes, ...]:
    """What the proof of knowledge of r is bound to, besides H(USCC) and B."""
    return (chain.encode(), str(bank).encode(), consent_hash, ctx)


def check_coverage(
    consent: Consent, model: ModelCertificate, bank: SpiffeId, purpose: str, chain: str
) -> None:
    """Raises Refusal, with the reason, unless the consent covers such a query under the model."""
    if consent.bank != bank:
        raise Refusal(Reason.WRONG_BANK, "consent is for another bank")
    if consent.purpose != purpose:
        raise Refusal(Reason.WRONG_PURPOSE, "consent is for another purpose")
    if chain not in consent.chains:
        raise Refusal(Reason.WRONG_CHAIN, "consent does not name this chain")
    if not {f.name for f in model.fields} <= set(consent.fields):
        raise Refusal(Reason.WRONG_FIELDS, "model has fields that the consent does not")
    if not set(model.disclosed) <= set(consent.disclosed):
        raise Refusal(Reason.UNDISCLOSED_FEATURE, "consent misses a disclosed feature")
    if not set(model.named_holders) <= set(consent.named):
        raise Refusal(Reason.NAMED_REQUIRED, "consent misses a holder that needs the name")


def check_proof(consent: Consent, permit: Permit, proof: bytes) -> None:
    """Raises Refusal(bad_proof) unless the permit's element is of the enterprise that consented."""
    statement = knowledge_context(permit.chain, permit.bank, consent.hash, permit.ctx)
    try:
        base = hash_to_group(consent.uscc.encode())
        verify_knowledge(base, permit.blinded, statement, proof)
    except OprfError as error:
        raise Refusal(Reason.BAD_PROOF, str(error)) from error


def check_evidence(
    evidence: Evidence, permit: Permit, model: ModelCertificate, root: TrustRoot, at: int
) -> Consent:
    """The consent behind a permit, once the evidence bears the permit out.

    `model` is the certificate that the permit names, `at` when the consent has to hold. Raises
    Refusal as `verify_consent` and `check_coverage` do, Refusal(no_consent) for evidence that
    belongs to another permit, and Refusal(bad_proof) for an element of another enterprise.
    """
    if model.hash != permit.certificate or permit.chain != root.chain:
        raise Refusal(Reason.NO_CONSENT, "permit is of another model or chain")
    consent = verify_consent(evidence.consent, root.licence_authority.encode(), at)
    covered = (
        evidence.permit == permit.hash
        and evidence.uscc == consent.uscc
        and hmac.compare_digest(consent_tag(evidence.tag_key, consent.hash), permit.consent_tag)
    )
    if not covered:
        raise Refusal(Reason.NO_CONSENT, "evidence is of another permit")
    check_coverage(consent, model, permit.bank, permit.purpose, root.chain)
    check_proof(consent, permit, evidence.proof)
    return consent
