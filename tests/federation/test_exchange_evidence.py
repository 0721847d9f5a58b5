"""The evidence behind a permit: every part of it has to bear the permit out."""

from __future__ import annotations

from typing import Any

import pytest

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
    return open_for_audit(network.hub_log[0][1], permit.hash, network.chain.audit)


def test_honest_evidence(chain: Chain, permit: Permit, evidence: Evidence) -> None:
    consent = check_evidence(evidence, permit, chain.root, permit.issued)
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
    refused(Reason.NO_CONSENT, lambda: check_evidence(altered, permit, chain.root, NOW))


@pytest.mark.parametrize(
    "changes",
    [{"bank": DELTA}, {"purpose": "01"}, {"chain": "zsj"}, {"consent_tag": bytes(32)}],
    ids=lambda changes: next(iter(changes)),
)
def test_permit_says_more_than_the_consent(
    chain: Chain, permit: Permit, evidence: Evidence, changes: dict[str, Any]
) -> None:
    """The evidence names the altered permit, so nothing but the altered field is wrong."""
    altered = permit.model_copy(update=changes)
    following = evidence.model_copy(update={"permit": altered.hash})
    refused(Reason.NO_CONSENT, lambda: check_evidence(following, altered, chain.root, NOW))


@pytest.mark.parametrize("changes", [{"ctx": bytes(32)}, {"blinded": bytes(32)}], ids=str)
def test_proof_is_of_another_ctx_or_element(
    chain: Chain, permit: Permit, evidence: Evidence, changes: dict[str, Any]
) -> None:
    altered = permit.model_copy(update=changes)
    following = evidence.model_copy(update={"permit": altered.hash})
    refused(Reason.BAD_PROOF, lambda: check_evidence(following, altered, chain.root, NOW))
    damaged = evidence.model_copy(update={"proof": bytes(64)})
    refused(Reason.BAD_PROOF, lambda: check_evidence(damaged, permit, chain.root, NOW))


def test_consent_holds_when_the_permit_was_issued(
    chain: Chain, permit: Permit, evidence: Evidence
) -> None:
    """An audit looks at the time of issue: a consent that ran out since was no wrong."""
    check_evidence(evidence, permit, chain.root, NOW + DAY - 1)
    refused(Reason.EXPIRED, lambda: check_evidence(evidence, permit, chain.root, NOW + DAY))


def test_proof_is_bound_to_chain_bank_consent_and_ctx() -> None:
    assert knowledge_context(CHAIN, HARBOUR, b"hash", b"ctx") == (
        b"csj",
        str(HARBOUR).encode(),
        b"hash",
        b"ctx",
    )
