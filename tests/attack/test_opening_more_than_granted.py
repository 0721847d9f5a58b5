"""A bank stretches what it was granted: to another model, epoch, bank, firm or element."""

from __future__ import annotations

import dataclasses

import pytest

from federation.certificate import ModelCertificate
from federation.entries import Kind, Logged, entry, promise
from federation.errors import Reason
from federation.exchange import hub
from federation.exchange.bank import OpenQuery, begin_query
from federation.exchange.messages import UnlockRequest
from federation.identity import SpiffeId
from federation.permit import Permit
from scoring.oprf import finalize, random_scalar
from support.attacker import OneKeyHolder, opened_with, outputs
from support.chain import DELTA, HARBOUR, HUB, NOW, UNNAMED, Chain
from support.checks import refused
from support.memory import MemoryLedger
from support.network import Network

TARGETS = {
    "another model": ("beta", 1),
    "another epoch": ("alpha", 2),
    "another model and epoch": ("beta", 2),
    "another bank's table": ("rival", 1),
}


def granted(network: Network, index: int) -> dict[SpiffeId, bytes]:
    """The outputs of an honest query of `alpha` in epoch 1."""
    query = network.begin(network.chain.alpha, network.chain.consent(network.chain.firms[index]))
    return outputs(query, network.ask(query))


@pytest.mark.parametrize(("name", "epoch"), TARGETS.values(), ids=TARGETS.keys())
def test_one_permits_unlock_opens(chain: Chain, network: Network, name: str, epoch: int) -> None:
    """Every table of the chain lies open to the attacker; the outputs are of one ctx."""
    model = getattr(chain, name)
    for index, firm in enumerate(chain.firms):
        ys = granted(network, index)
        assert opened_with(ys, chain, chain.alpha, 1, firm) == chain.reference(chain.alpha, 1, firm)
        # 12 of 48 bits may be set: garbage would pass for a record once in 2^36.
        assert opened_with(ys, chain, model, epoch, firm) is None


@pytest.fixture(scope="module")
def one_key() -> Chain:
    return Chain(firms=8, holder=OneKeyHolder)


@pytest.mark.parametrize(("name", "epoch"), TARGETS.values(), ids=TARGETS.keys())
def test_one_permits_unlock_would_open_without_ctx_in_the_key(
    one_key: Chain, name: str, epoch: int
) -> None:
    """The defence removed: pads still name ctx and manifest, and the bank knows both."""
    network, model = Network(one_key), getattr(one_key, name)
    for index, firm in enumerate(one_key.firms):
        opened = opened_with(granted(network, index), one_key, model, epoch, firm)
        assert opened == one_key.reference(model, epoch, firm)


def test_one_permits_unlock_opens_another_row(chain: Chain, network: Network) -> None:
    ys = granted(network, 0)
    for firm in chain.firms[1:]:
        assert opened_with(ys, chain, chain.alpha, 1, firm) is None


# --- consents ----------------------------------------------------------------------------------


def test_consent_for_one_bank_is_used_by_another(
    chain: Chain, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm = chain.firms[0]
    consent = chain.consent(firm, bank=HARBOUR)
    stolen = network.begin(chain.rival, consent)
    refused(Reason.WRONG_BANK, lambda: network.ask(stolen, DELTA))
    own = network.begin(chain.rival, chain.consent(firm, bank=DELTA))
    network.ask(own, DELTA)

    monkeypatch.setattr(hub, "check_coverage", lambda *_: None)
    reply = network.ask(stolen, DELTA)
    record = network.open(stolen, reply, chain.rival, firm)
    assert record == chain.reference(chain.rival, 1, firm)


def test_request_of_one_bank_is_sent_by_another(
    chain: Chain, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delta saw harbour's request on its way. Even a hub that let coverage pass would see that
    the proof was made by another bank.
    """
    seen = network.begin(chain.alpha, chain.consent(chain.firms[0]))
    session = chain.session(chain.rival)
    moved = dataclasses.replace(
        seen.request, certificate_hash=chain.rival.certificate.hash, ctx=session.ctx
    )
    refused(Reason.WRONG_BANK, lambda: network.permits(moved, DELTA))
    monkeypatch.setattr(hub, "check_coverage", lambda *_: None)
    refused(Reason.BAD_PROOF, lambda: network.permits(moved, DELTA))


def for_another_firm(chain: Chain, network: Network) -> OpenQuery:
    """U's consent with an element and an honest proof for V."""
    u, v = chain.firms[0], chain.firms[1]
    honest, target = network.begin(chain.alpha, chain.consent(u)), chain.consent(v)
    disguised = dataclasses.replace(target, compact=honest.request.consent)
    query = begin_query(chain.session(chain.alpha), disguised, purpose="02")
    assert query.request.consent == honest.request.consent
    return query


def test_consent_of_one_firm_is_used_for_another(
    chain: Chain, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = for_another_firm(chain, network)
    refused(Reason.BAD_PROOF, lambda: network.permits(query.request))
    network.permits(network.begin(chain.alpha, chain.consent(chain.firms[0])).request)

    monkeypatch.setattr(hub, "verify_knowledge", lambda *_: None)
    record = network.open(query, network.ask(query), chain.alpha, chain.firms[1])
    assert record == chain.reference(chain.alpha, 1, chain.firms[1])


# --- permits -----------------------------------------------------------------------------------


def test_permit_is_replayed_by_another_bank(chain: Chain, network: Network) -> None:
    """The holder answers a repetition with the same evaluation: it opens for whoever knows r."""
    firm = chain.firms[0]
    query = network.begin(chain.alpha, chain.consent(firm))
    requests = network.permits(query.request)
    first = network.collect(requests, UNNAMED)
    replayed = network.collect(requests, UNNAMED)
    honest = outputs(query, first)
    assert outputs(query, replayed) == honest
    assert opened_with(honest, chain, chain.alpha, 1, firm) is not None

    thief = dataclasses.replace(query, scalars=(random_scalar(),))
    assert opened_with(outputs(thief, replayed), chain, chain.alpha, 1, firm) is None
    assert finalize(query.code, thief.scalars[0], query.request.blindings[0].blinded)


def reissued(chain: Chain, request: UnlockRequest, **changes: object) -> UnlockRequest:
    """A second permit by a hub that plays along."""
    key = chain.signing[HUB]
    permit = Permit.parse(request.permit.document.payload).model_copy(update=changes)
    raw = entry(Kind.PERMIT, permit.issued, document=permit.hash)
    return UnlockRequest(Logged(permit.sign(key), raw, promise(HUB, raw, key, NOW)), b"")


class ForgetfulLedger(MemoryLedger):
    """A holder that does not remember what it answered."""

    def permit_of_id(self, permit_id: bytes) -> None:
        return None

    def permit_of_element(self, blinded: bytes) -> None:
        return None


def test_same_element_under_a_new_permit_id(chain: Chain, network: Network) -> None:
    query = network.begin(chain.alpha, chain.consent(chain.firms[0]))
    (request,) = network.permits(query.request)
    network.collect([request], UNNAMED)
    again = reissued(chain, request, id=bytes(16))
    for holder in UNNAMED:
        refused(Reason.REPLAYED_PERMIT, lambda h=holder: network.unlock(h, again))
        network.ledgers[holder] = ForgetfulLedger()
        network.unlock(holder, again)


def test_other_element_under_a_used_permit_id(chain: Chain, network: Network) -> None:
    """One entry in the hub's log would stand for two firms."""
    u, v = chain.firms[0], chain.firms[1]
    first = network.begin(chain.alpha, chain.consent(u))
    (request,) = network.permits(first.request)
    network.collect([request], UNNAMED)
    second = network.begin(chain.alpha, chain.consent(v))
    element = second.request.blindings[0].blinded
    swapped = reissued(chain, request, blinded=element)
    for holder in UNNAMED:
        refused(Reason.REPLAYED_PERMIT, lambda h=holder: network.unlock(h, swapped))

    network.ledgers = {holder: ForgetfulLedger() for holder in UNNAMED}
    ys = outputs(second, network.collect([swapped], UNNAMED))
    assert opened_with(ys, chain, chain.alpha, 1, v) == chain.reference(chain.alpha, 1, v)


def test_permit_of_one_model_is_used_for_another(
    chain: Chain, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bank and hub: a permit for ctx of `alpha` whose evaluation is wanted under `beta`'s key."""
    firm = chain.firms[0]
    query = network.begin(chain.alpha, chain.consent(firm))
    (request,) = network.permits(query.request)
    beta = chain.beta.certificate
    moved = reissued(chain, request, ctx=beta.context(chain.epochs[1]))
    for holder in UNNAMED:
        refused(Reason.WRONG_CONTEXT, lambda h=holder: network.unlock(h, moved))

    monkeypatch.setattr(
        ModelCertificate, "context", lambda *_: Permit.parse(moved.permit.document.payload).ctx
    )
    answers = network.collect([moved], UNNAMED)
    monkeypatch.undo()
    ys = outputs(query, answers)
    assert opened_with(ys, chain, chain.beta, 1, firm) == chain.reference(chain.beta, 1, firm)
