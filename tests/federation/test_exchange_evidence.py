"""The evidence behind a permit: every part of it has to bear the permit out."""

from __future__ import annotations

from typing import Any

import pytest

from federation.certificate import CertifiedField
from federation.consent import Consent
from federation.errors import Reason
from federation.exchange.evidence import check_evidence, knowledge_context
from federation.permit import Evidence, Permit, consent_tag, open_for_audit
from support.chain import CHAIN, DAY, DELTA, HARBOUR, NOW, Chain
from support.checks import refused
from support.network import Network


@pytest.fixture
def permit(network: Network) -> Permit:
    chain = network.chain
    network.permits(network.begin(chain.alpha, chain.consent(chain.firms[0])).request)
    return Permit.parse(network.hub_log[0][2].payload)


@pytest.fixture
def evidence(network: Network, permit: Permit) -> Evidence:
    return open_for_audit(network.hub_log[0][1], permit.hash, NOW, network.chain.audit)


def checked(chain: Chain, evidence: Evidence, permit: Permit, at: int) -> Consent:
    return check_evidence(evidence, permit, chain.alpha.certificate, chain.root, at)


def test_honest_evidence(chain: Chain, permit: Permit, evidence: Evidence) -> None:
    consent = checked(chain, evidence, permit, permit.issued)
    assert consent.uscc == chain.firms[0].uscc
    assert consent_tag(evidence.tag_key, consent.hash) == permit.consent_tag


@pytest.mark.parametrize(
    "changes",
    [{"permit": bytes(32)}, {"uscc": "91310000999999999X"}, {"tag_key": bytes(32)}],
    ids=lambda changes: next(iter(changes)),
)
def test_evidence_does_not_belong_to_the_permit(
    chain: Chain, permit: Permit, evidence: Evidence, changes: dict[str, Any]
) -> None:
    altered = evidence.model_copy(update=changes)
    refused(Reason.NO_CONSENT, lambda: checked(chain, altered, permit, NOW))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bank": DELTA}, Reason.WRONG_BANK),
        ({"purpose": "01"}, Reason.WRONG_PURPOSE),
        ({"chain": "zsj"}, Reason.NO_CONSENT),
        ({"certificate": bytes(32)}, Reason.NO_CONSENT),
        ({"consent_tag": bytes(32)}, Reason.NO_CONSENT),
    ],
    ids=str,
)
def test_permit_says_more_than_the_consent(
    chain: Chain, permit: Permit, evidence: Evidence, changes: dict[str, Any], reason: Reason
) -> None:
    """The evidence names the altered permit, so nothing but the altered field is wrong."""
    altered = permit.model_copy(update=changes)
    following = evidence.model_copy(update={"permit": altered.hash})
    refused(reason, lambda: checked(chain, following, altered, NOW))


@pytest.mark.parametrize("changes", [{"ctx": bytes(32)}, {"blinded": bytes(32)}], ids=str)
def test_proof_is_of_another_ctx_or_element(
    chain: Chain, permit: Permit, evidence: Evidence, changes: dict[str, Any]
) -> None:
    altered = permit.model_copy(update=changes)
    following = evidence.model_copy(update={"permit": altered.hash})
    refused(Reason.BAD_PROOF, lambda: checked(chain, following, altered, NOW))
    damaged = evidence.model_copy(update={"proof": bytes(64)})
    refused(Reason.BAD_PROOF, lambda: checked(chain, damaged, permit, NOW))


def test_consent_holds_when_the_permit_was_issued(
    chain: Chain, permit: Permit, evidence: Evidence
) -> None:
    """An audit looks at the time of issue: a consent that ran out since was no wrong."""
    checked(chain, evidence, permit, NOW + DAY - 1)
    refused(Reason.EXPIRED, lambda: checked(chain, evidence, permit, NOW + DAY))


def test_proof_is_bound_to_chain_bank_consent_and_ctx() -> None:
    assert knowledge_context(CHAIN, HARBOUR, b"hash", b"ctx") == (
        b"csj",
        str(HARBOUR).encode(),
        b"hash",
        b"ctx",
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"disclosed": ("tax.f0",)}, Reason.UNDISCLOSED_FEATURE),
        ({"fields": "one more"}, Reason.WRONG_FIELDS),
        ({"participants": "named"}, Reason.NAMED_REQUIRED),
    ],
    ids=str,
)
def test_model_says_more_than_the_consent(
    chain: Chain, permit: Permit, evidence: Evidence, changes: dict[str, Any], reason: Reason
) -> None:
    """A permit under a model that the consent does not cover, with all else in order."""
    model = chain.alpha.certificate
    if "fields" in changes:
        extra = CertifiedField(name="secret", offset=39, width=1, maximum=1)
        changes = {"fields": (*model.fields, extra)}
    if "participants" in changes:
        first, *rest = model.participants
        changes = {"participants": (first.model_copy(update={"named": True}), *rest)}
    greedy = model.model_copy(update=changes)
    altered = permit.model_copy(update={"certificate": greedy.hash})
    following = evidence.model_copy(update={"permit": altered.hash})
    refused(reason, lambda: check_evidence(following, altered, greedy, chain.root, NOW))
