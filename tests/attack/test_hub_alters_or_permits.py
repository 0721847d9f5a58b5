"""A hub that changes what it relays, shows parties different chains, or permits without consent."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from federation.answers import UnlockAnswer, read_key
from federation.auditkeys import key_id_of
from federation.consent import Consent, sign_consent
from federation.entries import Kind, entry
from federation.epoch import (
    Manifest,
    ManifestRef,
    OpenEpoch,
    Opening,
    check_roster,
    make_opening,
    read_descriptor,
    read_epoch,
)
from federation.errors import (
    EnvelopeError,
    Reason,
    Refusal,
    SignatureInvalid,
)
from federation.exchange import hub
from federation.exchange.bank import OpenQuery, begin_query, open_record
from federation.exchange.messages import QueryReply
from federation.permit import Permit, open_for_audit, seal_to_regulator
from federation.purpose import Purpose
from federation.roster import Roster
from federation.signed import Signed
from federation.subjects import SubjectAuthority
from scoring.oprf import blind, blind_evaluate, derive_key_pair
from support.audit import examined
from support.chain import (
    COURT,
    DAY,
    DELTA,
    HARBOUR,
    HUB,
    LICENCE_DOMAIN,
    NOW,
    POWER,
    TAX,
    UNNAMED,
    Chain,
)
from support.checks import refused, rejected
from support.network import Network
from support.people import Firm

# --- changing answers --------------------------------------------------------------------------


@pytest.fixture
def asked(chain: Chain, network: Network) -> tuple[OpenQuery, QueryReply]:
    query = network.begin(chain.alpha, chain.consent(chain.firms[0]))
    return query, network.ask(query)


def with_answer(reply: QueryReply, index: int, answer: Signed) -> QueryReply:
    answers = list(reply.answers)
    answers[index] = answer
    return QueryReply(reply.permits, tuple(answers))


def test_answer_is_changed_on_its_way(
    chain: Chain, network: Network, asked: tuple[OpenQuery, QueryReply]
) -> None:
    """Another element, another proof, signed by nobody, by the hub, or left as it was."""
    query, reply = asked
    firm, holders = chain.firms[0], chain.alpha.certificate.holders
    honest = reply.answers[0]
    opened = UnlockAnswer.parse(honest.payload)
    own = derive_key_pair(bytes(32), b"the hub's own key")
    forged = blind_evaluate(own, [query.request.blindings[0].blinded])
    for changes in (
        {"evaluated": forged.elements[0], "proof": forged.proof},
        {"proof": forged.proof},
        {"evaluated": blind(b"another firm").element},
    ):
        altered = opened.model_copy(update=changes)
        for answer in (
            dataclasses.replace(honest, payload=altered.payload()),
            altered.sign(chain.signing[HUB]),
        ):
            bad = with_answer(reply, 0, answer)
            rejected(holders[0], lambda b=bad: network.open(query, b, chain.alpha, firm))
    assert network.open(query, reply, chain.alpha, firm) == chain.reference(chain.alpha, 1, firm)


def test_answer_of_an_earlier_query_is_relayed(
    chain: Chain, network: Network, asked: tuple[OpenQuery, QueryReply]
) -> None:
    """The holder's true signature on another permit of the same firm."""
    query, reply = asked
    firm, holders = chain.firms[0], chain.alpha.certificate.holders
    earlier = network.ask(network.begin(chain.alpha, chain.consent(firm)))
    for index, holder in enumerate(holders):
        bad = with_answer(reply, index, earlier.answers[index])
        rejected(holder, lambda b=bad: network.open(query, b, chain.alpha, firm))


def test_permit_is_issued_for_another_element_than_asked(chain: Chain, network: Network) -> None:
    """The hub lets the holders evaluate its own element and relays the honest answers."""
    firm = chain.firms[0]
    query = network.begin(chain.alpha, chain.consent(firm))
    own = network.begin(chain.alpha, chain.consent(firm))
    reply = network.ask(own)
    rejected(HUB, lambda: network.open(query, reply, chain.alpha, firm))
    network.open(own, reply, chain.alpha, firm)


# --- changing the roster -----------------------------------------------------------------------


def other_roster(chain: Chain, codes: Callable[[Chain], Any]) -> Roster:
    roster = Roster(chain.root.chain)
    for batch in codes(chain):
        roster.append(batch)
    return roster


ROSTERS: dict[str, Callable[[Chain], Any]] = {
    "a firm left out": lambda c: [c.roster.codes(0)[1:]],
    "a firm put in": lambda c: [[*c.roster.codes(0), c.stranger.uscc]],
    "two rows exchanged": lambda c: [c.roster.codes(0)[12:], c.roster.codes(0)[:12]],
    "no firm": lambda c: [],
}


@pytest.mark.parametrize("codes", ROSTERS.values(), ids=ROSTERS.keys())
def test_roster_is_not_the_one_of_the_descriptor(
    chain: Chain, codes: Callable[[Chain], Any]
) -> None:
    """Shown another roster, a party would pad or open other rows than the rest."""
    descriptor = read_descriptor(chain.epoch_documents[1][0], chain.members)
    check_roster(descriptor, chain.roster)
    refused(Reason.CONFLICT, lambda: check_roster(descriptor, other_roster(chain, codes)))


def test_descriptor_counts_other_rows_than_its_root(chain: Chain) -> None:
    wrong = chain.descriptor(1, roster_rows=chain.roster.size - 1)
    refused(Reason.CONFLICT, lambda: check_roster(wrong, chain.roster))


def test_roster_may_have_grown_since_the_descriptor(chain: Chain) -> None:
    grown = other_roster(chain, lambda c: [c.roster.codes(0), [c.stranger.uscc]])
    check_roster(chain.epochs[1].descriptor, grown)


def test_other_row_of_the_table_is_garbage(
    chain: Chain, network: Network, asked: tuple[OpenQuery, QueryReply]
) -> None:
    """Without that check a bank that was told a wrong row gets no other firm's record."""
    query, reply = asked
    session, layout = chain.session(chain.alpha), chain.alpha.scorecard.layout()
    table = chain.table(chain.alpha)
    for firm in chain.firms[1:]:
        word = int(table[chain.row(firm)])
        rejected(
            HUB,
            lambda w=word: open_record(query, reply, session, chain.members, layout, w, NOW),
        )


# --- changing the epoch ------------------------------------------------------------------------


def read(chain: Chain, **changes: Any) -> OpenEpoch:
    """Epoch 1 as a member reads it from the hub, with some of its documents changed."""
    descriptor, manifests, opening = chain.epoch_documents[1]
    documents = {"descriptor": descriptor, "manifests": manifests, "opening": opening} | changes
    return read_epoch(
        documents["descriptor"], documents["manifests"], documents["opening"], chain.members
    )


def test_manifest_is_changed_by_the_hub(chain: Chain) -> None:
    """Only the holder can sign it, and the opening names the one that it signed."""
    epoch, key = chain.epochs[1], chain.signing[HUB]
    _, manifests, opening = chain.epoch_documents[1]
    read(chain)
    altered = epoch.manifests[TAX].model_copy(update={"data_hash": bytes(32)})
    others = [m for m in manifests if m.payload_hash != epoch.manifests[TAX].hash]
    kept = [m for h, m in epoch.manifests.items() if h != TAX]
    forged = altered.sign(key)
    refused(Reason.CONFLICT, lambda: read(chain, manifests=[*others, forged]))
    with pytest.raises(SignatureInvalid):
        following = make_opening(epoch.descriptor, [*kept, altered])
        read(chain, manifests=[*others, forged], opening=following.sign(key))
    assert Opening.parse(opening.payload) == epoch.opening


def test_manifest_of_one_holder_passes_for_anothers(chain: Chain) -> None:
    epoch, key = chain.epochs[1], chain.signing[HUB]
    claimed = epoch.manifests[TAX].model_copy(update={"holder": POWER})
    refs = [
        ManifestRef(holder=h, hash=claimed.hash if h == POWER else m.hash)
        for h, m in sorted(epoch.manifests.items(), key=lambda item: str(item[0]))
    ]
    opening = epoch.opening.model_copy(update={"manifests": tuple(refs)})
    signed_by_all = chain.epoch_documents[1][1]
    manifests = [m for m in signed_by_all if m.payload_hash != epoch.manifests[POWER].hash]
    signed = claimed.sign(chain.holders[TAX].signing)
    with pytest.raises(SignatureInvalid):
        read(chain, manifests=[*manifests, signed], opening=opening.sign(key))


def test_manifest_of_another_epoch_is_taken(chain: Chain) -> None:
    """An old state of one holder's data beside the new state of the others."""
    first, second = chain.epochs[1], chain.epochs[2]
    mixed: list[Manifest] = [
        second.manifests[h] if h == TAX else m for h, m in first.manifests.items()
    ]
    refused(Reason.CONFLICT, lambda: make_opening(first.descriptor, mixed))
    refs = tuple(
        ManifestRef(holder=m.holder, hash=m.hash)
        for m in sorted(mixed, key=lambda m: str(m.holder))
    )
    opening = first.opening.model_copy(update={"manifests": refs})
    by_hash = {m.payload_hash: m for n in (1, 2) for m in chain.epoch_documents[n][1]}
    documents = [by_hash[ref.hash] for ref in refs]
    signed = opening.sign(chain.signing[HUB])
    refused(Reason.CONFLICT, lambda: read(chain, manifests=documents, opening=signed))


def test_manifest_is_held_back_or_added(chain: Chain) -> None:
    manifests = chain.epoch_documents[1][1]
    for shown in (manifests[1:], (*manifests, chain.epoch_documents[2][1][0]), ()):
        refused(Reason.CONFLICT, lambda s=shown: read(chain, manifests=s))


def test_opening_is_put_on_another_descriptor(chain: Chain) -> None:
    later = chain.descriptor(1, closes=NOW + 2 * DAY).sign(chain.signing[HUB])
    refused(Reason.CONFLICT, lambda: read(chain, descriptor=later))
    refused(Reason.CONFLICT, lambda: read(chain, opening=chain.epoch_documents[2][2]))


def test_epoch_is_signed_by_somebody_else(chain: Chain) -> None:
    epoch, key = chain.epochs[1], chain.signing[HARBOUR]
    for changes in (
        {"descriptor": epoch.descriptor.sign(key)},
        {"opening": epoch.opening.sign(key)},
        {"opening": epoch.descriptor.sign(chain.signing[HUB])},
    ):
        with pytest.raises(SignatureInvalid):
            read(chain, **changes)


def equivocated(chain: Chain) -> OpenEpoch:
    """Epoch 1 as the hub shows it to the bank alone: the court's manifest is not in it."""
    epoch = chain.epochs[1]
    manifests = {h: m for h, m in epoch.manifests.items() if h != COURT}
    opening = make_opening(epoch.descriptor, manifests.values())
    hashes = {m.hash for m in manifests.values()}
    documents = [m for m in chain.epoch_documents[1][1] if m.payload_hash in hashes]
    return read(chain, manifests=documents, opening=opening.sign(chain.signing[HUB]))


def test_bank_and_holders_are_shown_different_openings(chain: Chain, network: Network) -> None:
    """Both are in order on their own. ctx differs, so no key, pad, permit or answer fits."""
    other = equivocated(chain)
    certificate = chain.alpha.certificate
    assert certificate.context(other) != certificate.context(chain.epochs[1])
    for holder in UNNAMED:
        logged = chain.statement(holder, chain.alpha, chain.epochs[1])
        read_key(logged, holder, certificate, chain.epochs[1], NOW)
        refused(
            Reason.WRONG_CONTEXT,
            lambda h=holder, g=logged: read_key(g, h, certificate, other, NOW),
        )
    session = dataclasses.replace(chain.session(chain.alpha), epoch=other)
    query = begin_query(session, chain.consent(chain.firms[0]), purpose="02")
    examined = network.permit_desk.examine(
        query.request, HARBOUR, certificate, other, chain.roster, NOW
    )
    (draft,) = examined.drafts
    request = dataclasses.replace(
        network.permits(network.begin(chain.alpha, chain.consent(chain.firms[0])).request)[0],
        permit=network.logged(draft.signed, draft.entry),
    )
    refused(Reason.WRONG_CONTEXT, lambda: network.unlock(TAX, request))


# --- permits without a consent -----------------------------------------------------------------


def audited(network: Network) -> list[str]:
    """What the regulator finds in the hub's log with its audit key: one line a permit."""
    return [
        found.findings[0].kind.value if found.findings else "in order"
        for found in examined(network)
    ]


def recording(document: Signed, envelope: bytes) -> bytes:
    """The hub's entry of a permit and whatever it keeps for its evidence."""
    permit = Permit.parse(document.payload)
    digest = hashlib.sha256(envelope).digest()
    return entry(
        Kind.PERMIT, NOW, document=permit.hash, bank=permit.bank, ctx=permit.ctx, envelope=digest
    )


def believed(compact: str, consent: Consent) -> Callable[..., Consent]:
    """A hub that pretends to have verified: whatever is presented is `consent`."""
    return lambda *_: dataclasses.replace(consent, compact=compact)


def test_audit_finds_honest_permits_in_order(chain: Chain, network: Network) -> None:
    firm = chain.firms[0]
    query = network.begin(chain.alpha, chain.consent(firm), officer="o-1", reference="loan-1")
    network.ask(query)
    network.ask(network.begin(chain.with_court, chain.consent(chain.firms[1])))
    assert audited(network) == ["in order"] * 3
    found = examined(network)[0].query
    assert (found.uscc, found.bank) == (firm.uscc, str(HARBOUR))
    assert (found.officer, found.reference) == ("o-1", "loan-1")


def self_made(chain: Chain, victim: Firm) -> str:
    """A key for the victim that an authority of the hub's own certified."""
    forger = Firm(victim.uscc, SubjectAuthority.create(LICENCE_DOMAIN, NOW), NOW)
    return sign_consent(chain.claims(victim), forger.key, forger.certificate)


def accomplice(chain: Chain, victim: Firm) -> str:
    """Signed by another enterprise, which plays along."""
    other = chain.firms[9]
    return sign_consent(chain.claims(victim), other.key, other.certificate)


def of_another_firm(chain: Chain, victim: Firm) -> str:
    return chain.consent(chain.firms[9]).compact


def for_another_bank(chain: Chain, victim: Firm) -> str:
    return chain.consent(victim, bank=DELTA).compact


def for_another_purpose(chain: Chain, victim: Firm) -> str:
    return chain.consent(victim, purpose=Purpose.POST_LOAN).compact


def for_another_chain(chain: Chain, victim: Firm) -> str:
    return chain.consent(victim, chains=("zsj",)).compact


def run_out(chain: Chain, victim: Firm) -> str:
    return chain.consent(victim, at=NOW - 50, not_before=NOW - 100, expires=NOW - 1).compact


def nothing(chain: Chain, victim: Firm) -> str:
    return ""


@pytest.mark.parametrize(
    ("forge", "finding"),
    [
        (self_made, "consent-forged"),
        (accomplice, "consent-forged"),
        (of_another_firm, "evidence-mismatch"),
        (for_another_bank, "consent-wrong-bank"),
        (for_another_purpose, "consent-wrong-purpose"),
        (for_another_chain, "consent-wrong-chain"),
        (run_out, "consent-expired"),
        (nothing, "consent-missing"),
    ],
)
def test_hub_and_bank_query_without_a_consent(
    chain: Chain,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    forge: Callable[[Chain, Firm], str],
    finding: str,
) -> None:
    """It succeeds until the audit, as the protocol says; and the audit finds every such permit."""
    victim = chain.firms[0]
    truth = chain.consent(victim)
    compact = forge(chain, victim)
    presented = dataclasses.replace(truth, compact=compact)
    query = network.begin(chain.alpha, presented)
    if forge not in (for_another_bank, for_another_purpose, for_another_chain):
        with pytest.raises(Refusal):
            network.examine(query.request)
    monkeypatch.setattr(hub, "verify_consent", believed(compact, truth))
    record = network.open(query, network.ask(query), chain.alpha, victim)
    assert record == chain.reference(chain.alpha, 1, victim)
    assert audited(network) == [finding]


def test_hub_lets_a_consent_of_one_firm_open_another(
    chain: Chain, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A true consent of U in the envelope, an element of V in the permit: the proof convicts."""
    u, v = chain.consent(chain.firms[0]), chain.consent(chain.firms[1])
    query = begin_query(
        chain.session(chain.alpha), dataclasses.replace(v, compact=u.compact), purpose="02"
    )
    refused(Reason.BAD_PROOF, lambda: network.permits(query.request))
    monkeypatch.setattr(hub, "verify_knowledge", lambda *_: None)
    record = network.open(query, network.ask(query), chain.alpha, chain.firms[1])
    assert record == chain.reference(chain.alpha, 1, chain.firms[1])
    assert audited(network) == ["proof-invalid"]


def test_hub_puts_a_later_consent_into_the_envelope(chain: Chain, network: Network) -> None:
    """The permit was issued for nobody's consent; afterwards the firm did sign one. The tag in
    the permit is of the consent's hash, and the holders' logs have the permit's.
    """
    firm = chain.firms[0]
    network.ask(network.begin(chain.alpha, chain.consent(firm)))
    _, envelope, document = network.hub_log[0]
    evidence = open_for_audit(envelope, document.payload_hash, NOW, chain.audit)
    later = evidence.model_copy(update={"consent": chain.consent(firm).compact})
    sealed = seal_to_regulator(later, chain.audit.statement(key_id_of(envelope)))
    rewritten = recording(document, sealed)
    network.hub_log[0] = (rewritten, sealed, document)
    assert audited(network) == ["evidence-mismatch"]


def test_envelope_is_altered_exchanged_or_empty(chain: Chain, network: Network) -> None:
    for firm in chain.firms[:2]:
        network.ask(network.begin(chain.alpha, chain.consent(firm)))
    first, second = network.hub_log
    recorded, envelope, document = first
    flipped = envelope[:-1] + bytes([envelope[-1] ^ 1])
    for bad in (flipped, second[1], b""):
        network.hub_log = [(recorded, bad, document)]
        assert audited(network) == ["entry-mismatch"]  # not the one in the entry
        network.hub_log = [(recording(document, bad), bad, document)]
        assert audited(network) == ["evidence-unopenable"]
    network.hub_log = [first, second]
    assert audited(network) == ["in order"] * 2


def test_entry_and_permit_are_exchanged(chain: Chain, network: Network) -> None:
    for firm in chain.firms[:2]:
        network.ask(network.begin(chain.alpha, chain.consent(firm)))
    first, second = network.hub_log
    network.hub_log = [(first[0], first[1], second[2]), (second[0], first[1], second[2])]
    assert audited(network) == ["entry-mismatch"] * 2


def test_envelope_names_another_enterprise_than_the_consent(chain: Chain, network: Network) -> None:
    network.ask(network.begin(chain.alpha, chain.consent(chain.firms[0])))
    _, envelope, document = network.hub_log[0]
    evidence = open_for_audit(envelope, document.payload_hash, NOW, chain.audit)
    other = evidence.model_copy(update={"uscc": str(chain.firms[1].uscc)})
    sealed = seal_to_regulator(other, chain.audit.statement(key_id_of(envelope)))
    logged = recording(document, sealed)
    network.hub_log = [(logged, sealed, document)]
    assert audited(network) == ["evidence-mismatch"]


# --- a holder that is told -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (self_made, Reason.NO_CONSENT),
        (accomplice, Reason.NO_CONSENT),
        (for_another_bank, Reason.WRONG_BANK),
        (of_another_firm, Reason.NO_CONSENT),
    ],
)
def test_named_holder_finds_a_missing_consent_at_once(
    chain: Chain,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    forge: Callable[[Chain, Firm], str],
    reason: Reason,
) -> None:
    """It need not wait for the audit: it opens the evidence and verifies it itself."""
    victim = chain.firms[0]
    truth, compact = chain.consent(victim), forge(chain, victim)
    query = network.begin(chain.with_court, dataclasses.replace(truth, compact=compact))
    monkeypatch.setattr(hub, "verify_consent", believed(compact, truth))
    unnamed, court = network.permits(query.request)
    network.unlock(TAX, unnamed)
    refused(reason, lambda: network.unlock(COURT, court))
    monkeypatch.undo()
    honest = network.begin(chain.with_court, truth)
    network.ask(honest)


def test_named_holder_is_told_of_a_consent_that_leaves_it_out(
    chain: Chain, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm = chain.firms[0]
    query = network.begin(chain.with_court, chain.consent(firm, named=()))
    refused(Reason.NAMED_REQUIRED, lambda: network.permits(query.request))
    monkeypatch.setattr(hub, "check_coverage", lambda *_: None)
    _, court = network.permits(query.request)
    refused(Reason.NAMED_REQUIRED, lambda: network.unlock(COURT, court))


def test_named_holder_is_told_another_subject(
    chain: Chain, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """U's true consent, V's element: the court would believe that U was asked about."""
    u, v = chain.consent(chain.firms[0]), chain.consent(chain.firms[1])
    query = begin_query(
        chain.session(chain.with_court), dataclasses.replace(v, compact=u.compact), purpose="02"
    )
    monkeypatch.setattr(hub, "verify_knowledge", lambda *_: None)
    _, court = network.permits(query.request)
    refused(Reason.BAD_PROOF, lambda: network.unlock(COURT, court))


# --- envelopes ---------------------------------------------------------------------------------


def test_envelope_opens_for_the_regulator_alone(
    chain: Chain, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.ask(network.begin(chain.with_court, chain.consent(chain.firms[0])))
    for _, envelope, document in network.hub_log:
        keys = [*chain.sealing.values(), *(side.sealing for side in chain.holders.values())]
        for key in keys:
            stolen = dict.fromkeys(chain.audit.secrets, key)
            with pytest.raises(EnvelopeError), monkeypatch.context() as patched:
                patched.setattr(chain.audit, "secrets", stolen)
                open_for_audit(envelope, document.payload_hash, NOW, chain.audit)
        opened = open_for_audit(envelope, document.payload_hash, NOW, chain.audit)
        assert opened.permit == Permit.parse(document.payload).hash
