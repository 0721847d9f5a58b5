"""A holder compares what it is asked: which queries are about one firm, which about another?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from federation.auditkeys import KEY_ID_BYTES
from federation.consent import Consent
from federation.envelope import sealed_size
from federation.exchange import bank, hub
from federation.exchange.bank import OpenQuery
from federation.exchange.messages import UnlockRequest
from federation.permit import EVIDENCE_BYTES, Permit
from scoring import oprf
from support.chain import COURT, POWER, TAX, Chain
from support.network import Network

PERMIT_RANDOM = {"id", "blinded", "consent_tag"}
"""Fresh in every permit; what else differs is a hash or signature over these."""
ENTRY_RANDOM = {"document", "envelope"}


def view(request: UnlockRequest) -> dict[str, Any]:
    """All that a request shows, field by field."""
    permit = json.loads(request.permit.document.payload)
    logged = json.loads(request.permit.entry)
    promised = json.loads(request.permit.promise.payload)
    return (
        {f"permit.{name}": value for name, value in permit.items()}
        | {f"entry.{name}": value for name, value in logged["body"].items()}
        | {"entry.kind": logged["kind"], "entry.time": logged["time"]}
        | {f"promise.{name}": value for name, value in promised.items()}
        | {
            "permit signature": request.permit.document.signature.hex(),
            "promise signature": request.permit.promise.signature.hex(),
        }
    )


RANDOM = (
    {f"permit.{name}" for name in PERMIT_RANDOM}
    | {f"entry.{name}" for name in ENTRY_RANDOM}
    | {"promise.leaf", "permit signature", "promise signature"}
)


def compare(first: UnlockRequest, second: UnlockRequest) -> set[str]:
    """The names of the fields that differ, once it is sure that no length does."""
    one, other = view(first), view(second)
    assert one.keys() == other.keys()
    for name in one:
        assert len(str(one[name])) == len(str(other[name])), name
    assert len(first.permit.document.payload) == len(second.permit.document.payload)
    assert len(first.permit.entry) == len(second.permit.entry)
    return {name for name in one if one[name] != other[name]}


def requests(network: Network, *consents: Consent) -> list[UnlockRequest]:
    """What the tax bureau was asked, by one query for each consent."""
    for consent in consents:
        network.ask(network.begin(network.chain.alpha, consent))
    return network.seen[TAX]


def test_two_queries_of_one_firm_under_one_consent(chain: Chain, network: Network) -> None:
    consent = chain.consent(chain.firms[0])
    assert compare(*requests(network, consent, consent)) == RANDOM


def test_queries_of_two_firms_look_like_queries_of_one(chain: Chain, network: Network) -> None:
    u, v = chain.firms[0], chain.firms[1]
    assert compare(*requests(network, chain.consent(u), chain.consent(v))) == RANDOM


def test_a_firm_that_the_holder_does_not_know_looks_like_one_it_knows(
    chain: Chain, network: Network
) -> None:
    known = chain.holders[TAX].data[1].known
    u = next(f for f in chain.firms if known[chain.row(f)])
    v = next(f for f in chain.firms if not known[chain.row(f)])
    assert compare(*requests(network, chain.consent(u), chain.consent(v))) == RANDOM


def test_consents_that_differ_in_length_do_not_show(chain: Chain, network: Network) -> None:
    """Long consents, long pseudonyms: the envelope is one size, and the holder has its hash."""
    short = chain.consent(chain.firms[0])
    long = chain.consent(chain.firms[1], disclosed=tuple(f"court.f{n}" for n in range(4)), uses=999)
    assert len(short.compact) != len(long.compact)
    network.ask(network.begin(chain.alpha, short))
    network.ask(network.begin(chain.alpha, long, officer="o" * 64, reference="r" * 64))
    assert compare(*network.seen[TAX]) == RANDOM
    sizes = {len(envelope) for _, envelope, _ in network.hub_log}
    assert sizes == {KEY_ID_BYTES + sealed_size(EVIDENCE_BYTES)}


def test_storage_after_a_query_for_u_or_v_differs_in_random_fields_only(chain: Chain) -> None:
    """Ledger and log of a holder, for two runs that differ in the firm alone."""
    kept = []
    for firm in chain.firms[:2]:
        network = Network(chain)
        network.ask(network.begin(chain.alpha, chain.consent(firm)))
        (permit, at), (logged,) = network.ledgers[TAX].permits[0], network.holder_logs[TAX]
        kept.append((json.loads(permit.payload()), at, json.loads(logged), len(logged)))
    (one, at, entry_one, size), (other, at_other, entry_other, size_other) = kept
    assert (at, size) == (at_other, size_other)
    assert {name for name in one if one[name] != other[name]} == PERMIT_RANDOM
    assert all(len(one[name]) == len(other[name]) for name in PERMIT_RANDOM)
    body, body_other = entry_one.pop("body"), entry_other.pop("body")
    assert entry_one == entry_other
    assert {name for name in body if body[name] != body_other[name]} == {"document"}


def test_no_identifier_of_the_firm_is_in_any_message_to_a_holder(
    chain: Chain, network: Network
) -> None:
    firm = chain.firms[0]
    consent = chain.consent(firm)
    network.ask(network.begin(chain.with_court, consent))
    code = firm.uscc.encode()
    needles = {
        code,
        code.hex().encode(),
        consent.hash,
        consent.id,
        consent.compact.split(".")[1].encode(),
        oprf.hash_to_group(code),
    }
    for holder in (TAX, POWER, COURT):
        for request in network.seen[holder]:
            logged = request.permit
            sent = b"".join(
                (
                    logged.document.to_json(),
                    logged.document.payload,
                    logged.entry,
                    logged.promise.payload,
                    request.named,
                )
            )
            assert not any(needle in sent for needle in needles)


def test_named_and_other_holders_compare_their_permits(chain: Chain, network: Network) -> None:
    """The court knows the subject; what it saw tells the tax bureau nothing but the time."""
    network.ask(network.begin(chain.with_court, chain.consent(chain.firms[0])))
    (court,), (tax,) = network.seen[COURT], network.seen[TAX]
    one, other = view(court), view(tax)
    assert not {name for name in RANDOM if one[name] == other[name]}


# --- without the defences ----------------------------------------------------------------------


def test_element_blinded_with_one_scalar_links_queries(
    chain: Chain, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    scalar = oprf.random_scalar()
    monkeypatch.setattr(bank, "blind", lambda code: oprf.blind(code, scalar=scalar))
    u, v = chain.firms[0], chain.firms[1]
    begun: list[OpenQuery] = [network.begin(chain.alpha, chain.consent(firm)) for firm in (u, u, v)]
    again, same, other = (query.request.blindings[0].blinded for query in begun)
    assert again == same != other


def test_bare_consent_hash_links_queries_and_can_be_guessed(
    chain: Chain, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent = chain.consent(chain.firms[0], uses=4)
    honest = requests(network, consent, consent)
    tags = {Permit.parse(r.permit.document.payload).consent_tag for r in honest}
    assert len(tags) == 2 and consent.hash not in tags

    monkeypatch.setattr(hub, "consent_tag", lambda _key, consent_hash: consent_hash)
    network.seen.clear()
    bare = requests(network, consent, consent)
    tags = {Permit.parse(r.permit.document.payload).consent_tag for r in bare}
    assert tags == {consent.hash}


def test_promises_are_of_one_size(chain: Chain, network: Network) -> None:
    network.ask(network.begin(chain.with_court, chain.consent(chain.firms[0])))
    sizes = {
        len(request.permit.promise.payload) for seen in network.seen.values() for request in seen
    }
    assert len(sizes) == 1
