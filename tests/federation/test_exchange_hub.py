"""The hub's refusals: each by one change to a query whose unmodified twin gets its permits."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from federation.auditkeys import calendar_month
from federation.consent import (
    Consent,
    ConsentClaims,
    sign_cancellation,
    sign_consent,
    verify_cancellation,
)
from federation.errors import Reason
from federation.exchange.bank import OpenQuery
from federation.exchange.messages import QueryRequest
from federation.identity import Role, SpiffeId
from federation.purpose import Purpose
from federation.roster import Roster
from federation.subjects import SubjectAuthority
from scoring.oprf import blind, hash_to_group, prove_knowledge
from support.chain import (
    COURT,
    DAY,
    DELTA,
    DOMAIN,
    HARBOUR,
    LICENCE_DOMAIN,
    NOW,
    POWER,
    TAX,
    Chain,
)
from support.checks import refused
from support.network import Network
from support.people import Firm

OTHER_BANK = SpiffeId(DOMAIN, Role.BANK, "nobody")


@pytest.fixture
def query(chain: Chain, network: Network) -> OpenQuery:
    return network.begin(chain.alpha, chain.consent(chain.firms[0]))


def changed(request: QueryRequest, **changes: Any) -> QueryRequest:
    return dataclasses.replace(request, **changes)


def test_twin_of_every_refusal_gets_its_permits(network: Network, query: OpenQuery) -> None:
    assert len(network.permits(query.request)) == 1


# --- the bank and its model --------------------------------------------------------------------


def test_caller_is_no_bank_of_the_chain(network: Network, query: OpenQuery) -> None:
    for caller in (OTHER_BANK, TAX):
        refused(Reason.FOREIGN_CERTIFICATE, lambda c=caller: network.examine(query.request, c))


def test_model_is_not_certified(network: Network, query: OpenQuery) -> None:
    request = changed(query.request, certificate_hash=bytes(32))
    refused(Reason.UNCERTIFIED_MODEL, lambda: network.examine(request))


def test_hub_was_handed_another_certificate_than_asked(
    chain: Chain, network: Network, query: OpenQuery
) -> None:
    """A mistake of the node's look-up cannot put a hash into a permit that nobody compared."""
    certificate, epoch = chain.beta.certificate, chain.epochs[1]
    request = changed(query.request, ctx=certificate.context(epoch))
    desk, roster = network.permit_desk, chain.roster
    refused(
        Reason.UNCERTIFIED_MODEL,
        lambda: desk.examine(request, HARBOUR, certificate, epoch, roster, NOW),
    )
    refused(
        Reason.NOT_OPEN,
        lambda: desk.examine(
            query.request, HARBOUR, chain.alpha.certificate, chain.epochs[2], roster, NOW
        ),
    )


def test_certificate_is_outside_its_validity(
    chain: Chain, network: Network, query: OpenQuery
) -> None:
    certificate = chain.alpha.certificate
    for now in (certificate.not_before - 1, certificate.not_after):
        refused(Reason.UNCERTIFIED_MODEL, lambda n=now: network.examine(query.request, now=n))


def test_certificate_is_of_another_bank(chain: Chain, network: Network) -> None:
    consent = chain.consent(chain.firms[0], bank=DELTA)
    request = network.begin(chain.rival, consent).request
    network.examine(request, DELTA)
    refused(Reason.FOREIGN_CERTIFICATE, lambda: network.examine(request, HARBOUR))


# --- the epoch ---------------------------------------------------------------------------------


def test_epoch_is_not_there(network: Network, query: OpenQuery) -> None:
    refused(Reason.NOT_OPEN, lambda: network.examine(changed(query.request, epoch=9)))


@pytest.mark.parametrize(("now", "reason"), [(-2, Reason.NOT_OPEN), (1, Reason.CLOSED)])
def test_epoch_is_outside_its_window(
    chain: Chain, network: Network, query: OpenQuery, now: int, reason: Reason
) -> None:
    certificate = chain.alpha.certificate.model_copy(update={"not_before": NOW - 9 * DAY})
    epoch = chain.epochs[1]
    ctx = certificate.context(epoch)
    request = changed(query.request, certificate_hash=certificate.hash, ctx=ctx)
    desk = network.permit_desk
    refused(
        reason,
        lambda: desk.examine(request, HARBOUR, certificate, epoch, chain.roster, NOW + now * DAY),
    )


def test_participant_has_no_manifest_in_the_epoch(
    chain: Chain, network: Network, query: OpenQuery
) -> None:
    """Its data is too old for the model: closed, and the model has no smaller P."""
    epoch = chain.epochs[1]
    late = dataclasses.replace(
        epoch, manifests={h: m for h, m in epoch.manifests.items() if h != POWER}
    )
    certificate, desk = chain.alpha.certificate, network.permit_desk
    refusal = refused(
        Reason.CLOSED,
        lambda: desk.examine(query.request, HARBOUR, certificate, late, chain.roster, NOW),
    )
    assert str(POWER) in refusal.detail
    without_court = dataclasses.replace(
        epoch, manifests={h: m for h, m in epoch.manifests.items() if h != COURT}
    )
    desk.examine(query.request, HARBOUR, certificate, without_court, chain.roster, NOW)


def test_ctx_is_of_another_model_or_epoch(chain: Chain, network: Network, query: OpenQuery) -> None:
    for ctx in (
        chain.beta.certificate.context(chain.epochs[1]),
        chain.alpha.certificate.context(chain.epochs[2]),
        b"",
    ):
        request = changed(query.request, ctx=ctx)
        refused(Reason.WRONG_CONTEXT, lambda r=request: network.examine(r))


# --- the consent -------------------------------------------------------------------------------

CHANGES: dict[str, tuple[dict[str, Any], Reason]] = {
    "expired": ({"not_before": NOW - 100, "expires": NOW}, Reason.EXPIRED),
    "not yet valid": ({"not_before": NOW + 1}, Reason.NOT_YET_VALID),
    "another bank": ({"bank": DELTA}, Reason.WRONG_BANK),
    "another purpose": ({"purpose": Purpose.POST_LOAN}, Reason.WRONG_PURPOSE),
    "another chain": ({"chains": ("zsj",)}, Reason.WRONG_CHAIN),
    "a field missing": ({"fields": ("money",)}, Reason.WRONG_FIELDS),
    "a disclosed feature missing": ({"disclosed": ()}, Reason.UNDISCLOSED_FEATURE),
    "the named holder missing": ({"named": ()}, Reason.NAMED_REQUIRED),
}


@pytest.mark.parametrize(("changes", "reason"), CHANGES.values(), ids=CHANGES.keys())
def test_consent_does_not_cover_the_query(
    chain: Chain, network: Network, changes: dict[str, Any], reason: Reason
) -> None:
    firm = chain.firms[5]
    at = changes.get("not_before", NOW)
    for consent, outcome in (
        (chain.consent(firm), None),
        (chain.consent(firm, at=at, **changes), reason),
    ):
        request = network.begin(chain.with_court, consent).request
        if outcome is None:
            network.examine(request)
        else:
            refused(outcome, lambda r=request: network.examine(r))


def signed_by(claims: ConsentClaims, firm: Firm) -> Consent:
    """A consent as a forger would present it: nothing verified."""
    compact = sign_consent(claims, firm.key, firm.certificate)
    fields = {f.name: getattr(claims, f.name) for f in dataclasses.fields(claims)}
    return Consent(compact=compact, **fields)


def test_nobody_signed_the_consent(chain: Chain, network: Network) -> None:
    firm = chain.firms[6]
    query = network.begin(chain.alpha, chain.consent(firm))
    header, payload, signature = query.request.consent.split(".")
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    for compact in (f"{header}.{payload}.{flipped}",):
        request = changed(query.request, consent=compact)
        refused(Reason.NO_CONSENT, lambda r=request: network.examine(r))
    for compact in ("", "consent", f"{header}.{payload}"):
        request = changed(query.request, consent=compact)
        refused(Reason.MALFORMED, lambda r=request: network.examine(r))


def test_another_firm_signed_the_consent(chain: Chain, network: Network) -> None:
    victim, forger = chain.firms[7], chain.firms[8]
    network.examine(network.begin(chain.alpha, signed_by(chain.claims(victim), victim)).request)
    forged = network.begin(chain.alpha, signed_by(chain.claims(victim), forger)).request
    refused(Reason.NO_CONSENT, lambda: network.examine(forged))


def test_an_authority_of_the_hubs_own_certified_the_key(chain: Chain, network: Network) -> None:
    """Same domain, same profile, another root: a hub cannot make an enterprise's key."""
    impostor = SubjectAuthority.create(LICENCE_DOMAIN, NOW)
    victim = chain.firms[9]
    forger = Firm(victim.uscc, impostor, NOW)
    forged = network.begin(chain.alpha, signed_by(chain.claims(victim), forger)).request
    refused(Reason.NO_CONSENT, lambda: network.examine(forged))


# --- the subject -------------------------------------------------------------------------------


def test_subject_is_not_in_the_roster(chain: Chain, network: Network) -> None:
    request = network.begin(chain.alpha, chain.consent(chain.stranger)).request
    refused(Reason.UNKNOWN_ENTERPRISE, lambda: network.examine(request))


def test_subject_was_enrolled_after_the_descriptor(chain: Chain, network: Network) -> None:
    roster = Roster(chain.roster.chain)
    roster.append(chain.roster.codes(0))
    roster.append([chain.stranger.uscc])
    request = network.begin(chain.alpha, chain.consent(chain.stranger)).request
    certificate, epoch, desk = chain.alpha.certificate, chain.epochs[1], network.permit_desk
    refused(
        Reason.UNKNOWN_ENTERPRISE,
        lambda: desk.examine(request, HARBOUR, certificate, epoch, roster, NOW),
    )
    twin = network.begin(chain.alpha, chain.consent(chain.firms[0])).request
    desk.examine(twin, HARBOUR, certificate, epoch, roster, NOW)


# --- the elements ------------------------------------------------------------------------------


def test_audiences_are_not_the_participants(chain: Chain, network: Network) -> None:
    request = network.begin(chain.with_court, chain.consent(chain.firms[0])).request
    unnamed, court = request.blindings
    whole = dataclasses.replace(unnamed, audience=(COURT, POWER, TAX))
    smaller = dataclasses.replace(unnamed, audience=(TAX,))
    for blindings in ((), (unnamed,), (court, unnamed), (whole,), (smaller, court)):
        refused(
            Reason.WRONG_AUDIENCE,
            lambda b=blindings: network.examine(changed(request, blindings=b)),
        )
    network.examine(request)


def test_named_and_other_holders_share_an_element(chain: Chain, network: Network) -> None:
    request = network.begin(chain.with_court, chain.consent(chain.firms[0])).request
    unnamed, court = request.blindings
    shared = dataclasses.replace(court, blinded=unnamed.blinded, proof=unnamed.proof)
    refused(
        Reason.REPLAYED_PERMIT,
        lambda: network.examine(changed(request, blindings=(unnamed, shared))),
    )


def test_proof_is_not_for_the_element(chain: Chain, network: Network, query: OpenQuery) -> None:
    (blinding,) = query.request.blindings
    code = chain.firms[1].uscc.encode()
    other = blind(code)
    consent = chain.consent(chain.firms[0])
    for element, proof in (
        (blinding.blinded, bytes(64)),
        (blinding.blinded, b""),
        (other.element, blinding.proof),
        (bytes(32), blinding.proof),
        (b"\xff" * 32, blinding.proof),
        (b"", blinding.proof),
        # An honest proof, but for a context that lacks bank, consent and ctx.
        (
            other.element,
            prove_knowledge(other.scalar, hash_to_group(code), other.element, [consent.hash]),
        ),
    ):
        bad = dataclasses.replace(blinding, blinded=element, proof=proof)
        refused(
            Reason.BAD_PROOF, lambda b=bad: network.examine(changed(query.request, blindings=(b,)))
        )


@pytest.mark.parametrize("name", ["officer", "reference"])
def test_pseudonym_is_too_long(network: Network, query: OpenQuery, name: str) -> None:
    """Longer ones would not fit into the envelope, whose size is constant."""
    network.examine(changed(query.request, **{name: "x" * 64}))
    refused(Reason.MALFORMED, lambda: network.examine(changed(query.request, **{name: "x" * 65})))


# --- the registry ------------------------------------------------------------------------------


def test_uses_are_exhausted(chain: Chain, network: Network) -> None:
    consent = chain.consent(chain.firms[0], uses=2)
    queries = [network.begin(chain.alpha, consent).request for _ in range(3)]
    for request in queries[:2]:
        network.permits(request)
    refused(Reason.USES_EXHAUSTED, lambda: network.permits(queries[2]))
    network.permits(queries[0])  # a repetition is no third use
    assert len(network.hub_log) == 2


def test_consent_serves_one_epoch_a_month(chain: Chain, network: Network) -> None:
    """Both epochs open in the same month: what changed between them is not for one consent."""
    consent = chain.consent(chain.firms[0], uses=3)
    network.permits(network.begin(chain.alpha, consent).request)
    second = network.begin(chain.alpha, consent, epoch=2).request
    refused(Reason.EPOCH_LIMIT, lambda: network.permits(second))
    network.permits(network.begin(chain.alpha, consent).request)
    other = chain.consent(chain.firms[0])
    network.permits(network.begin(chain.alpha, other, epoch=2).request)


def test_month_is_that_of_china() -> None:
    new_year = int(datetime(2026, 12, 31, 16, tzinfo=UTC).timestamp())
    assert calendar_month(new_year - 1) == 202612
    assert calendar_month(new_year) == 202701


def test_named_query_costs_one_use(chain: Chain, network: Network) -> None:
    consent = chain.consent(chain.firms[0], uses=1)
    network.permits(network.begin(chain.with_court, consent).request)
    refused(
        Reason.USES_EXHAUSTED,
        lambda: network.permits(network.begin(chain.with_court, consent).request),
    )


def test_consent_was_cancelled(chain: Chain, network: Network) -> None:
    """Cancelling stops permits at once: those of a query that has some already, too."""
    firm = chain.firms[0]
    consent = chain.consent(firm)
    query = network.begin(chain.alpha, consent).request
    network.permits(query)
    compact = sign_cancellation(consent.compact, firm.key, firm.certificate, NOW)
    cancellation = verify_cancellation(compact, chain.root.licence_authority.encode(), NOW)
    assert cancellation.cancels(consent)
    network.registry.cancelled_hashes.add(cancellation.consent_hash)
    for request in (query, network.begin(chain.alpha, consent).request):
        refused(Reason.CANCELLED, lambda r=request: network.permits(r))
    network.permits(network.begin(chain.alpha, chain.consent(firm)).request)


def test_element_of_another_query_is_used_again(chain: Chain, network: Network) -> None:
    """The same B under a second consent of the firm would be a second permit for one element."""
    firm = chain.firms[0]
    first, second = chain.consent(firm), chain.consent(firm)
    query = network.begin(chain.alpha, first)
    network.permits(query.request)
    base, (blinding,) = hash_to_group(query.code), query.request.blindings
    bound = [
        chain.root.chain.encode(),
        str(HARBOUR).encode(),
        second.hash,
        query.request.ctx,
    ]
    proof = prove_knowledge(query.scalars[0], base, blinding.blinded, bound)
    again = changed(
        query.request,
        consent=second.compact,
        blindings=(dataclasses.replace(blinding, proof=proof),),
    )
    refused(Reason.REPLAYED_PERMIT, lambda: network.permits(again))


# --- the permit --------------------------------------------------------------------------------


def test_permit_ends_with_its_epoch(chain: Chain, network: Network, query: OpenQuery) -> None:
    closes = chain.epochs[1].descriptor.closes
    consent = chain.consent(chain.firms[0], expires=NOW + 9 * DAY)
    request = network.begin(chain.alpha, consent).request
    for now, expires in ((NOW, NOW + 3600), (closes - 5, closes)):
        (draft,) = network.examine(request, now=now).drafts
        assert (draft.permit.issued, draft.permit.expires) == (now, expires)


def test_refusal_says_no_more_than_its_reason(network: Network, query: OpenQuery) -> None:
    refusal = refused(
        Reason.WRONG_CONTEXT, lambda: network.examine(changed(query.request, ctx=bytes(32)))
    )
    assert str(refusal) == "wrong_context"
