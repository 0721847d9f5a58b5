"""A holder's refusals: each by one change to a permit whose unmodified twin is answered."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from federation.answers import KeyStatement, TableAnswer, UnlockAnswer
from federation.canonical import b64
from federation.entries import (
    PROMISE_SECONDS,
    InclusionPromise,
    Kind,
    Logged,
    entry,
    promise,
    read_entry,
)
from federation.errors import DocumentError, Reason
from federation.exchange.holder import UnlockDesk
from federation.exchange.messages import UnlockRequest
from federation.merkle import leaf_hash
from federation.permit import PERMIT_SECONDS, Permit
from federation.signed import sign
from support.chain import COURT, DAY, DELTA, HARBOUR, HUB, NOW, POWER, TAX, Chain
from support.checks import refused
from support.network import Network


@pytest.fixture
def request_(chain: Chain, network: Network) -> UnlockRequest:
    """An honest permit's request to the unnamed holders of `alpha`."""
    query = network.begin(chain.alpha, chain.consent(chain.firms[0]))
    return network.permits(query.request)[0]


def permit_of(request: UnlockRequest) -> Permit:
    return Permit.parse(request.permit.document.payload)


def reissued(world: Chain, request: UnlockRequest, /, **changes: Any) -> UnlockRequest:
    """The permit with some fields changed, signed, logged and promised by the hub anew."""
    key = world.signing[HUB]
    permit = permit_of(request).model_copy(update=changes)
    raw = entry(Kind.PERMIT, permit.issued, document=permit.hash, bank=permit.bank, ctx=permit.ctx)
    logged = Logged(permit.sign(key), raw, promise(HUB, raw, key, NOW))
    return UnlockRequest(logged, request.named)


def test_twin_of_every_refusal_is_answered(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    answer = network.unlock(TAX, request_)
    opened = UnlockAnswer.open_(answer, chain.holders[TAX].signing.public)
    permit = permit_of(request_)
    assert (opened.holder, opened.ctx, opened.permit) == (TAX, permit.ctx, permit.hash)
    network.unlock(POWER, reissued(chain, request_))


def test_entry_of_an_unlock_carries_the_permits_hash(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    network.unlock(TAX, request_)
    (raw,) = network.holder_logs[TAX]
    recorded = read_entry(raw)
    assert recorded.kind is Kind.UNLOCK
    assert set(recorded.body) == {"document", "bank", "ctx"}
    assert recorded.body["bank"] == str(HARBOUR)


# --- reading -----------------------------------------------------------------------------------


def test_permit_is_not_signed_by_the_hub(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    logged = request_.permit
    for key in (chain.signing[HARBOUR], chain.holders[TAX].signing):
        forged = dataclasses.replace(logged, document=permit_of(request_).sign(key))
        refused(Reason.BAD_PERMIT, lambda f=forged: network.unlock(TAX, UnlockRequest(f, b"")))
    payload = logged.document.payload.replace(b'"purpose":"02"', b'"purpose":"01"')
    altered = dataclasses.replace(logged.document, payload=payload)
    assert payload != logged.document.payload
    forged = dataclasses.replace(logged, document=altered)
    refused(Reason.BAD_PERMIT, lambda: network.unlock(TAX, UnlockRequest(forged, b"")))


def test_other_document_of_the_hub_is_no_permit(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    descriptor = chain.epoch_documents[1][0]
    forged = dataclasses.replace(request_.permit, document=descriptor)
    refused(Reason.BAD_PERMIT, lambda: network.unlock(TAX, UnlockRequest(forged, b"")))


def test_permit_is_signed_and_malformed(chain: Chain, network: Network) -> None:
    signed = sign(Permit.payload_type(), b'{"id":"x"}', chain.signing[HUB])
    with pytest.raises(DocumentError, match="permit"):
        network.unlock(TAX, UnlockRequest(Logged(signed, b"", signed), b""))


def test_permit_is_of_another_chain(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    other = reissued(chain, request_, chain="zsj")
    refused(Reason.WRONG_CHAIN, lambda: network.unlock(TAX, other))


# --- examining ---------------------------------------------------------------------------------


def test_permit_is_for_another_audience(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    refused(Reason.WRONG_AUDIENCE, lambda: network.unlock(COURT, request_))
    narrowed = reissued(chain, request_, audience=(TAX,))
    refused(Reason.WRONG_AUDIENCE, lambda: network.unlock(POWER, narrowed))
    network.unlock(TAX, narrowed)


def test_audience_names_a_holder_outside_the_model(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    """The hub may write any audience; P is in the certificate."""
    widened = reissued(chain, request_, audience=(*permit_of(request_).audience, COURT))
    refused(Reason.WRONG_AUDIENCE, lambda: network.unlock(COURT, widened))


@pytest.mark.parametrize("offset", [-31, 3600])
def test_permit_is_outside_its_time(network: Network, request_: UnlockRequest, offset: int) -> None:
    refused(Reason.EXPIRED, lambda: network.unlock(TAX, request_, now=NOW + offset))
    inside = NOW + offset + (1 if offset < 0 else -1)
    network.unlock(TAX, request_, now=inside)


def test_permit_outlives_the_limit_of_permits(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    """A hub cannot issue one today to be used in a year."""
    for seconds, allowed in ((PERMIT_SECONDS + 1, False), (PERMIT_SECONDS, True)):
        permit = reissued(chain, request_, expires=NOW + seconds)
        if allowed:
            network.unlock(TAX, permit)
        else:
            refused(Reason.BAD_PERMIT, lambda p=permit: network.unlock(TAX, p))


def test_model_is_not_installed(chain: Chain, network: Network, request_: UnlockRequest) -> None:
    unknown = reissued(chain, request_, certificate=bytes(32))
    refused(Reason.UNCERTIFIED_MODEL, lambda: network.unlock(TAX, unknown))


def test_certificate_has_run_out(chain: Chain, network: Network, request_: UnlockRequest) -> None:
    end = chain.alpha.certificate.not_after
    late = reissued(chain, request_, issued=end, expires=end + 60)
    refused(Reason.UNCERTIFIED_MODEL, lambda: network.unlock(TAX, late, now=end))


def test_certificate_is_of_another_bank(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    stolen = reissued(chain, request_, bank=DELTA)
    refused(Reason.FOREIGN_CERTIFICATE, lambda: network.unlock(TAX, stolen))


def test_certificate_is_not_the_one_in_the_permit(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    desk, permit = chain.desk(TAX), permit_of(request_)
    epoch = chain.epochs[1]
    refused(
        Reason.FOREIGN_CERTIFICATE,
        lambda: desk.examine(request_, permit, chain.beta.certificate, epoch, NOW),
    )
    desk.examine(request_, permit, chain.alpha.certificate, epoch, NOW)


def test_epoch_is_not_open(chain: Chain, network: Network, request_: UnlockRequest) -> None:
    unknown = reissued(chain, request_, epoch=9)
    refused(Reason.NOT_OPEN, lambda: network.unlock(TAX, unknown))
    desk, permit = chain.desk(TAX), permit_of(request_)
    other = chain.epochs[2]
    refused(
        Reason.NOT_OPEN,
        lambda: desk.examine(request_, permit, chain.alpha.certificate, other, NOW),
    )


def test_epoch_opens_later_or_is_closed(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    """After `closes` there is `closed` for ever, also for a permit that was answered before."""
    network.unlock(TAX, request_)
    window = chain.epochs[1].descriptor
    certificate = chain.alpha.certificate.model_copy(update={"not_before": NOW - 9 * DAY})
    for now, reason in ((window.opens - 1, Reason.NOT_OPEN), (window.closes, Reason.CLOSED)):
        moved = reissued(
            chain, request_, issued=now, expires=now + 60, certificate=certificate.hash
        )
        logged = dataclasses.replace(
            moved.permit,
            promise=promise(HUB, moved.permit.entry, chain.signing[HUB], now),
        )
        late = UnlockRequest(logged, b"")
        permit, desk = permit_of(late), chain.desk(TAX)
        refused(
            reason,
            lambda r=late, p=permit, n=now, d=desk: d.examine(
                r, p, certificate, chain.epochs[1], n
            ),
        )


def test_ctx_is_of_another_model_or_epoch(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    for ctx in (
        chain.beta.certificate.context(chain.epochs[1]),
        chain.alpha.certificate.context(chain.epochs[2]),
        chain.rival.certificate.context(chain.epochs[1]),
    ):
        moved = reissued(chain, request_, ctx=ctx)
        refused(Reason.WRONG_CONTEXT, lambda m=moved: network.unlock(TAX, m))


@pytest.mark.parametrize("element", [bytes(32), b"\xff" * 32, b"\x01" + bytes(31)])
def test_element_is_no_element(
    chain: Chain, network: Network, request_: UnlockRequest, element: bytes
) -> None:
    """Identity and non-canonical points: a validity check alone accepts the identity."""
    bad = reissued(chain, request_, blinded=element)
    refused(Reason.MALFORMED, lambda: network.unlock(TAX, bad))


# --- the promise -------------------------------------------------------------------------------


def with_promise(chain: Chain, request: UnlockRequest, **changes: Any) -> UnlockRequest:
    fields: dict[str, Any] = {
        "log": HUB,
        "leaf": leaf_hash(request.permit.entry),
        "issued": NOW,
        "include_by": NOW + PROMISE_SECONDS,
    }
    made = InclusionPromise(**(fields | changes)).sign(chain.signing[HUB])
    return UnlockRequest(dataclasses.replace(request.permit, promise=made), request.named)


PROMISES: dict[str, dict[str, Any]] = {
    "another log": {"log": TAX},
    "another leaf": {"leaf": bytes(32)},
    "an hour to include": {"include_by": NOW + 3600},
    "the future": {"issued": NOW + 31, "include_by": NOW + 40},
}


@pytest.mark.parametrize("changes", PROMISES.values(), ids=PROMISES.keys())
def test_promise_is_of(
    chain: Chain, network: Network, request_: UnlockRequest, changes: dict[str, Any]
) -> None:
    bad = with_promise(chain, request_, **changes)
    refused(Reason.BAD_PROMISE, lambda: network.unlock(TAX, bad))
    network.unlock(TAX, with_promise(chain, request_))


def test_promise_is_not_signed_by_the_hub(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    raw = request_.permit.entry
    for forged in (
        promise(HUB, raw, chain.signing[HARBOUR], NOW),
        request_.permit.document,  # a signature of the hub, but on something else
    ):
        logged = dataclasses.replace(request_.permit, promise=forged)
        bad = UnlockRequest(logged, b"")
        refused(Reason.BAD_PROMISE, lambda b=bad: network.unlock(TAX, b))


def test_entry_records_something_else(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    """The hub promises an entry that is not this permit's, so the log would not show the permit."""
    permit, key = permit_of(request_), chain.signing[HUB]
    entries = [
        entry(Kind.PERMIT, NOW, document=bytes(32), bank=HARBOUR, ctx=permit.ctx),
        entry(Kind.ADMIN, NOW, document=permit.hash, bank=HARBOUR, ctx=permit.ctx),
        entry(Kind.PERMIT, NOW, bank=HARBOUR),
        entry(Kind.PERMIT, NOW - 1, document=permit.hash, bank=HARBOUR, ctx=permit.ctx),
        b"no entry at all",
    ]
    for raw in entries:
        logged = Logged(request_.permit.document, raw, promise(HUB, raw, key, NOW))
        bad = UnlockRequest(logged, b"")
        refused(Reason.BAD_PROMISE, lambda b=bad: network.unlock(TAX, b))


# --- settling ----------------------------------------------------------------------------------


def test_id_or_element_was_used_by_another_permit(
    chain: Chain, network: Network, request_: UnlockRequest
) -> None:
    other = network.permits(network.begin(chain.alpha, chain.consent(chain.firms[1])).request)[0]
    network.unlock(TAX, request_)
    used, fresh = permit_of(request_), permit_of(other)
    for changes in (
        {"id": bytes(16)},  # the same element under a new id
        {"blinded": fresh.blinded},  # a new element under the same id
        {"purpose": "01"},  # the same id and element in another permit
    ):
        replayed = reissued(chain, request_, **changes)
        refused(Reason.REPLAYED_PERMIT, lambda r=replayed: network.unlock(TAX, r))
    network.unlock(TAX, other)
    mixed = reissued(chain, other, id=used.id)  # both used, but by two permits
    refused(Reason.REPLAYED_PERMIT, lambda: network.unlock(TAX, mixed))


def test_budget_is_used_up(chain: Chain, network: Network) -> None:
    requests = [
        network.permits(network.begin(chain.alpha, chain.consent(firm)).request)[0]
        for firm in chain.firms[:3]
    ]
    for request in requests[:2]:
        network.unlock(TAX, request, budget=2)
    refused(Reason.BUDGET_EXHAUSTED, lambda: network.unlock(TAX, requests[2], budget=2))
    network.unlock(TAX, requests[0], budget=2)  # a repetition costs nothing
    network.unlock(POWER, requests[2], budget=2)  # each holder has its own ledger
    later = network.begin(chain.alpha, chain.consent(chain.firms[3])).request
    network.unlock(TAX, network.permits(later)[0], budget=3)


def test_budget_is_each_banks_own_and_renews(chain: Chain, network: Network) -> None:
    desk, ledger = chain.desk(TAX), network.ledger(TAX)
    network.unlock(
        TAX, network.permits(network.begin(chain.alpha, chain.consent(chain.firms[0])).request)[0]
    )
    consent = chain.consent(chain.firms[0], bank=DELTA)
    rival = network.permits(network.begin(chain.rival, consent).request, DELTA)[0]
    network.unlock(TAX, rival, budget=1)
    again = network.permits(network.begin(chain.alpha, chain.consent(chain.firms[1])).request)[0]
    unlock = desk.examine(again, permit_of(again), chain.alpha.certificate, chain.epochs[1], NOW)
    refused(Reason.BUDGET_EXHAUSTED, lambda: desk.settle(unlock, ledger, 1, NOW))
    assert desk.settle(unlock, ledger, 1, NOW + 1)  # the window of the budget has moved on


def test_bank_is_stopped_at_once(chain: Chain, network: Network, request_: UnlockRequest) -> None:
    network.unlock(TAX, request_)
    network.ledger(TAX).stopped_banks.add(HARBOUR)
    refused(Reason.BANK_STOPPED, lambda: network.unlock(TAX, request_))
    consent = chain.consent(chain.firms[0], bank=DELTA)
    rival = network.permits(network.begin(chain.rival, consent).request, DELTA)[0]
    network.unlock(TAX, rival)
    network.ledger(TAX).stopped_banks.clear()
    network.unlock(TAX, request_)


# --- a holder that must be told ----------------------------------------------------------------


@pytest.fixture
def told(chain: Chain, network: Network) -> UnlockRequest:
    query = network.begin(chain.with_court, chain.consent(chain.firms[0]))
    return network.permits(query.request)[1]


def test_twin_with_evidence_is_answered(network: Network, told: UnlockRequest) -> None:
    network.unlock(COURT, told)


def test_evidence_is_missing_or_damaged(
    chain: Chain, network: Network, told: UnlockRequest
) -> None:
    flipped = bytes([told.named[0] ^ 1]) + told.named[1:]
    for named in (b"", told.named[:-1], flipped):
        bad = dataclasses.replace(told, named=named)
        refused(Reason.NAMED_REQUIRED, lambda b=bad: network.unlock(COURT, b))


def test_evidence_is_of_another_permit(chain: Chain, network: Network, told: UnlockRequest) -> None:
    other = network.permits(network.begin(chain.with_court, chain.consent(chain.firms[1])).request)[
        1
    ]
    swapped = dataclasses.replace(told, named=other.named)
    refused(Reason.NAMED_REQUIRED, lambda: network.unlock(COURT, swapped))


def test_holder_has_no_key_to_be_told(chain: Chain, network: Network, told: UnlockRequest) -> None:
    desk = UnlockDesk(COURT, chain.members, chain.holders[COURT].signing, None)
    permit = permit_of(told)
    refused(
        Reason.NAMED_REQUIRED,
        lambda: desk.examine(told, permit, chain.with_court.certificate, chain.epochs[1], NOW),
    )


# --- what it signs -----------------------------------------------------------------------------


def test_key_statement_and_table_are_logged_by_their_hashes(chain: Chain) -> None:
    desk, key = chain.desk(TAX), chain.holders[TAX].signing.public
    epoch = chain.epochs[1]
    ctx = chain.alpha.certificate.context(epoch)
    for (signed, raw), document, kind in (
        (desk.state_key(ctx, bytes(32), epoch, NOW), KeyStatement, Kind.CTX_KEY),
        (desk.sign_table(ctx, 3, bytes(32), NOW), TableAnswer, Kind.PREPARED),
    ):
        opened = document.open_(signed, key)
        recorded = read_entry(raw)
        assert recorded.kind is kind and opened.holder == TAX and opened.ctx == ctx
        assert recorded.body["document"] == b64(opened.hash)
