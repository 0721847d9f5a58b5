"""Checking why a permit was issued: by a holder that must see the subject, and by the regulator.

Whoever can open the evidence needs nothing else from the hub: the enterprise's signature, the
tag that binds the permit to that consent, and the proof that its element is of that enterprise.
"""

from __future__ import annotations

import hmac

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
