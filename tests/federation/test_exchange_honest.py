"""Honest queries: the record that the bank opens is the one computed in the clear."""

from __future__ import annotations

import pytest

from federation.exchange.messages import QueryRequest
from federation.permit import Permit, open_as_named
from scoring.words import ROWS
from support.chain import COURT, DELTA, HARBOUR, NOW, UNNAMED, Chain
from support.network import Network


def test_record_of_every_firm_is_the_reference(chain: Chain, network: Network) -> None:
    known = set()
    for firm in chain.firms:
        record = network.query(chain.alpha, firm)
        assert record == chain.reference(chain.alpha, 1, firm)
        known.add(record.coverage)
    assert len(known) > 1  # firms that some holder does not know are among them


@pytest.mark.parametrize("name", ["beta", "rival", "with_court"])
@pytest.mark.parametrize("epoch", [1, 2])
def test_record_of_every_model_and_epoch(
    chain: Chain, network: Network, name: str, epoch: int
) -> None:
    model = getattr(chain, name)
    for firm in chain.firms[:3]:
        assert network.query(model, firm, epoch=epoch) == chain.reference(model, epoch, firm)


def test_models_and_epochs_do_differ(chain: Chain) -> None:
    """Else the test above, and every attack that mixes them up, would show nothing."""
    words = {
        (name, epoch, firm.uscc): chain.reference_word(getattr(chain, name), epoch, firm)
        for name in ("alpha", "beta")
        for epoch in (1, 2)
        for firm in chain.firms[:6]
    }
    assert len(set(words.values())) > len(words) / 2


def test_table_looks_random(chain: Chain) -> None:
    """48 random-looking bits a row: as many high as low bits, also where no firm is."""
    table = chain.table(chain.alpha)
    assert table.shape == (ROWS,)
    ones = sum(int(word).bit_count() for word in table)
    assert abs(ones - 24 * ROWS) < 6 * (12 * ROWS) ** 0.5


def test_same_consent_and_element_returns_the_stored_permit(chain: Chain, network: Network) -> None:
    """A bank whose hub or line failed repeats its request: no second use, and the same record."""
    firm = chain.firms[0]
    query = network.begin(chain.alpha, chain.consent(firm, uses=1))
    first = network.permits(query.request)
    again = network.permits(query.request, now=NOW + 60)
    assert [r.permit.document for r in first] == [r.permit.document for r in again]
    assert len(network.hub_log) == 1
    reply = network.ask(query, now=NOW + 90)
    record = network.open(query, reply, chain.alpha, firm, now=NOW + 90)
    assert record == chain.reference(chain.alpha, 1, firm)


def test_same_permit_again_returns_the_same_evaluation(chain: Chain, network: Network) -> None:
    firm = chain.firms[1]
    query = network.begin(chain.alpha, chain.consent(firm))
    first, second = network.ask(query), network.ask(query)
    records = {network.open(query, reply, chain.alpha, firm).coverage for reply in (first, second)}
    assert records == {chain.reference(chain.alpha, 1, firm).coverage}
    assert all(len(network.ledger(holder).permits) == 1 for holder in UNNAMED)
    assert all(len(log) == 1 for log in network.holder_logs.values())


def test_named_holder_has_a_blinding_of_its_own(chain: Chain, network: Network) -> None:
    """All permits of the query share one use; no two holders of unlike kind share an element."""
    query = network.begin(chain.with_court, chain.consent(chain.firms[2], uses=1))
    unnamed, court = query.request.blindings
    assert court.audience == (COURT,)
    assert COURT not in unnamed.audience and len(unnamed.audience) == 2
    assert unnamed.blinded != court.blinded and query.scalars[0] != query.scalars[1]
    requests = network.permits(query.request)
    ids = {Permit.parse(r.permit.document.payload).id for r in requests}
    assert len(ids) == len(requests) == 2
    assert list(network.registry.used.values()) == [1]


def test_named_holder_is_told_the_subject_and_nobody_else(chain: Chain, network: Network) -> None:
    firm = chain.firms[3]
    query = network.begin(
        chain.with_court, chain.consent(firm), officer="officer-7", reference="loan-9"
    )
    network.ask(query)
    (court,) = network.seen[COURT]
    permit = Permit.parse(court.permit.document.payload)
    told = open_as_named(court.named, permit.hash, COURT, chain.holders[COURT].sealing)
    assert (told.uscc, told.consent) == (firm.uscc, query.request.consent)
    assert (told.officer, told.reference) == ("", "")  # the bank's own affair
    for holder, requests in network.seen.items():
        assert holder == COURT or all(request.named == b"" for request in requests)


def test_two_banks_ask_about_one_firm(chain: Chain, network: Network) -> None:
    firm = chain.firms[4]
    for model, bank in ((chain.alpha, HARBOUR), (chain.rival, DELTA)):
        consent = chain.consent(firm, bank=bank)
        assert network.query(model, firm, consent) == chain.reference(model, 1, firm)


def test_request_shows_no_subject_but_in_the_consent(chain: Chain, network: Network) -> None:
    """The hub reads the subject in the consent; nothing else of the request depends on it."""
    requests: list[QueryRequest] = [
        network.begin(chain.alpha, chain.consent(firm)).request for firm in chain.firms[:2]
    ]
    for request in requests:
        (blinding,) = request.blindings
        assert len(blinding.blinded) == 32 and len(blinding.proof) == 64
    assert requests[0].ctx == requests[1].ctx
