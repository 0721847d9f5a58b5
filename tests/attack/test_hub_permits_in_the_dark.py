"""A hub and a bank query without consent, and see to it that everything else is in order.

Desks, holders, permits and records are the real ones: each attack succeeds, the bank has a true
record. What finds it afterwards is the audit, from the logs that all parties kept, of which the
attackers write only their own; and it finds that query alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import pytest

from federation.audit import verify
from federation.audit.cancellations import Cancelled
from federation.audit.engine import Audit
from federation.audit.findings import Finding, FindingKind
from federation.audit.records import event
from federation.audit.sources import PermitRecord
from federation.audit.thresholds import AuditThresholds
from federation.auditkeys import AuditKey, SubjectClass, calendar_month, months_later
from federation.consent import Consent, sign_cancellation, verify_cancellation
from federation.entries import Kind, read_entry
from federation.envelope import EnvelopeKey
from federation.errors import Reason, Refusal
from federation.exchange import hub
from federation.exchange.bank import OpenQuery
from federation.exchange.messages import QueryReply, UnlockRequest
from federation.identity import SpiffeId
from federation.permit import Evidence, Permit, open_for_audit, seal_to_regulator
from federation.signed import Signed
from support.audit import verifier
from support.audited import Logs
from support.chain import HARBOUR, HUB, NOW, REGULATOR, TAX, Chain
from support.checks import refused
from support.network import Network
from support.people import Firm, Model
from tests.attack.test_hub_alters_or_permits import (
    accomplice,
    believed,
    for_another_bank,
    for_another_purpose,
    nothing,
    of_another_firm,
    recording,
    run_out,
    self_made,
)

VICTIM = 5
"""Its place among the firms; honest queries are about others."""


@dataclass
class Ledgers:
    """What every party has in its log after some queries."""

    chain: Chain
    network: Network
    bank_log: list[tuple[Kind, Mapping[str, object]]] = field(default_factory=list)
    cancelled: list[Cancelled] = field(default_factory=list)

    def query(self, model: Model, query: OpenQuery, firm: Firm) -> bytes:
        """A whole query of harbour: it checks the record, and logs; the hash of the permit."""
        return self.received(model, query, firm, self.network.ask(query))

    def received(self, model: Model, query: OpenQuery, firm: Firm, reply: QueryReply) -> bytes:
        """The bank's part of it, once it has the answers."""
        record = self.network.open(query, reply, model, firm)
        assert record == self.chain.reference(model, 1, firm)
        self.bank_log.append((Kind.APPLICATION_OPENED, {"reference": "a-1", "officer": "o-1"}))
        for one in reply.permits:
            named = {"document": one.document.payload_hash, "ctx": query.request.ctx}
            self.bank_log.append((Kind.QUERY, named))
        return reply.permits[0].document.payload_hash

    def audit(self, *, holders: bool = True, bank: bool = True) -> list[Finding]:
        """What the audit finds in all logs, or in those of some alone."""
        logs, verified = Logs(), verifier(self.chain)
        for model in (self.chain.alpha, self.chain.with_court):
            document = model.certificate.hash
            logs.log(REGULATOR, Kind.CERTIFIED, NOW - 9, document=document, bank=HARBOUR)
            for holder in model.certificate.holders:
                stated = self.chain.statement(holder, model, self.chain.epochs[1])
                logs.events.append(event(str(holder), 0, read_entry(stated.entry)))
        for index, (raw, envelope, document_) in enumerate(self.network.hub_log):
            # An empty envelope is one that the hub does not show.
            record = PermitRecord(index, raw, document_, envelope or None)
            examined = verified.examine(record)
            logs.queries.append(examined.query)
            logs.findings += examined.findings
        logs.cancelled += self.cancelled
        if holders:
            for holder, raws in self.network.holder_logs.items():
                logs.events += [event(str(holder), n, read_entry(r)) for n, r in enumerate(raws)]
                # Beside its log each keeps the permits, as the hub signed them.
                kept = (one.permit.document for one in self.network.seen[holder])
                logs.books.signed |= {self._signed_by_hub(document) for document in kept}
        if bank:
            for kind, body in self.bank_log:
                logs.log(HARBOUR, kind, NOW + 1, **body)
        return self._fed(logs)

    def _fed(self, logs: Logs) -> list[Finding]:
        """Fed by clocks, as `node.regulator.audit.feed` does: in the hub's log each entry has the
        latest time so far, whatever its own.
        """
        audit = Audit(HUB, REGULATOR, AuditThresholds(), logs.books)
        feed: list[tuple[int, bool, Callable[[], Iterable[Finding] | None]]] = []
        feed += [(one.time, False, partial(audit.event, one)) for one in logs.events]
        ended = {one.index: one for one in self.cancelled}
        clock = 0
        for query in logs.queries:
            clock = max(clock, query.time)
            feed.append((clock, True, partial(audit.query, query)))
            if query.index in ended:  # the entry after that one
                cancelled = ended[query.index]
                clock = max(clock, cancelled.time)
                feed.append((clock, False, partial(audit.cancelled, cancelled)))
        found = list(logs.findings)
        for _, _, take in sorted(feed, key=lambda item: item[:2]):
            found += take() or ()
        return found + audit.finish(NOW + 10)

    def _signed_by_hub(self, document: Signed) -> bytes:
        return Permit.open_(document, self.chain.members.hub.signing).hash


@pytest.fixture
def ledgers(chain: Chain, network: Network) -> Ledgers:
    """After three honest queries, one of a model with a named holder: four permits."""
    found = Ledgers(chain, network)
    for number, model in enumerate((chain.alpha, chain.with_court, chain.alpha)):
        firm = chain.firms[number]
        asked = network.begin(model, chain.consent(firm), officer=f"o-{number}", reference="a-1")
        found.query(model, asked, firm)
    assert len(network.hub_log) == 4
    assert found.audit() == []
    return found


def begin(ledgers: Ledgers, compact: str | None = None) -> OpenQuery:
    """Harbour begins a query about the victim with what it calls a consent, or with a true one."""
    chain = ledgers.chain
    consent = chain.consent(chain.firms[VICTIM])
    if compact is not None:
        consent = dataclasses.replace(consent, compact=compact)
    return ledgers.network.begin(chain.alpha, consent, officer="o-9", reference="a-1")


def only(
    ledgers: Ledgers, kind: FindingKind, query: bytes | None, subject: SpiffeId = HUB
) -> Finding:
    (found,) = ledgers.audit()
    assert (found.kind, found.query, found.subject) == (kind, query, str(subject))
    return found


FORGED: dict[Callable[[Chain, Firm], str], FindingKind] = {
    self_made: FindingKind.CONSENT_FORGED,
    accomplice: FindingKind.CONSENT_FORGED,
    of_another_firm: FindingKind.EVIDENCE_MISMATCH,
    for_another_bank: FindingKind.CONSENT_WRONG_BANK,
    for_another_purpose: FindingKind.CONSENT_WRONG_PURPOSE,
    run_out: FindingKind.CONSENT_EXPIRED,
    nothing: FindingKind.CONSENT_MISSING,
}


def in_the_dark(
    ledgers: Ledgers, monkeypatch: pytest.MonkeyPatch, forge: Callable[[Chain, Firm], str]
) -> bytes:
    """The hub lets a query through without the consent; the permit's hash."""
    chain = ledgers.chain
    victim = chain.firms[VICTIM]
    compact = forge(chain, victim)
    with monkeypatch.context() as patched:
        patched.setattr(hub, "verify_consent", believed(compact, chain.consent(victim)))
        return ledgers.query(chain.alpha, begin(ledgers, compact), victim)


@pytest.mark.parametrize("forge", FORGED)
def test_everything_is_logged_and_there_is_no_consent(
    ledgers: Ledgers, monkeypatch: pytest.MonkeyPatch, forge: Callable[[Chain, Firm], str]
) -> None:
    only(ledgers, FORGED[forge], in_the_dark(ledgers, monkeypatch, forge))


@pytest.mark.parametrize("forge", [self_made, accomplice, run_out])
def test_an_audit_that_believes_the_hub_finds_nothing(
    ledgers: Ledgers, monkeypatch: pytest.MonkeyPatch, forge: Callable[[Chain, Firm], str]
) -> None:
    """The defence removed: the logs are in order in every other way."""
    chain, victim = ledgers.chain, ledgers.chain.firms[VICTIM]
    in_the_dark(ledgers, monkeypatch, forge)
    consents = {firm.uscc: chain.consent(firm) for firm in chain.firms}
    honest = verify.verify_consent

    def believing(compact: str, authority: bytes, now: int):  # type: ignore[no-untyped-def]
        try:
            return honest(compact, authority, now)
        except Refusal:
            return dataclasses.replace(consents[victim.uscc], compact=compact)

    monkeypatch.setattr(verify, "verify_consent", believing)
    assert ledgers.audit() == []


# --- a promise that is not kept -------------------------------------------------------------------


def unlogged(ledgers: Ledgers) -> bytes:
    """A true permit and a signed promise, and no entry."""
    network, chain = ledgers.network, ledgers.chain
    before = list(network.hub_log)
    permit = ledgers.query(chain.alpha, begin(ledgers), chain.firms[VICTIM])
    network.hub_log = before
    return permit


def test_hub_keeps_a_permit_out_of_its_log(ledgers: Ledgers) -> None:
    only(ledgers, FindingKind.PERMIT_UNLOGGED, unlogged(ledgers))


def test_one_holder_that_logs_is_enough(ledgers: Ledgers) -> None:
    """Bank and all other holders are in it, and leave the query out of their logs, too."""
    before = {holder: list(raws) for holder, raws in ledgers.network.holder_logs.items()}
    bank = list(ledgers.bank_log)
    permit = unlogged(ledgers)
    honest = ledgers.network.holder_logs[TAX]
    ledgers.network.holder_logs, ledgers.bank_log = {**before, TAX: honest}, bank
    only(ledgers, FindingKind.PERMIT_UNLOGGED, permit)


def test_a_bank_that_logs_is_enough(ledgers: Ledgers) -> None:
    """All holders keep it to themselves. Who signed the permit nobody shows: the bank must."""
    before = {holder: list(raws) for holder, raws in ledgers.network.holder_logs.items()}
    permit = unlogged(ledgers)
    for holder, raws in before.items():
        ledgers.network.holder_logs[holder] = raws
        seen = ledgers.network.seen[holder]
        seen[:] = [one for one in seen if one.permit.document.payload_hash != permit]
    only(ledgers, FindingKind.QUERY_UNEXPLAINED, permit, HARBOUR)


def test_a_holder_that_logs_and_keeps_no_permit_has_to_explain_itself(ledgers: Ledgers) -> None:
    """An insider there deletes what would convict the hub: then nothing says it was permitted."""
    permit = unlogged(ledgers)
    for seen in ledgers.network.seen.values():
        seen[:] = [one for one in seen if one.permit.document.payload_hash != permit]
    found = ledgers.audit()
    holders = ledgers.chain.alpha.certificate.holders
    kinds = {(one.kind, one.query) for one in found}
    assert kinds == {(FindingKind.UNLOCK_UNEXPLAINED, permit)}
    assert {one.subject for one in found} == set(map(str, holders))


def test_without_counterpart_logs_nobody_would_know(ledgers: Ledgers) -> None:
    """The defence removed; and what remains outside the guarantee: all of them together."""
    unlogged(ledgers)
    assert ledgers.audit(holders=False, bank=False) == []


def test_hub_logs_what_holders_answered_and_another_permit_in_its_place(ledgers: Ledgers) -> None:
    """As many entries as unlocks: a count would be right."""
    permit = unlogged(ledgers)
    query = begin(ledgers)
    ledgers.network.permits(query.request)
    found = ledgers.audit()
    assert [(one.kind, one.query) for one in found] == [(FindingKind.PERMIT_UNLOGGED, permit)]


# --- evidence -------------------------------------------------------------------------------------


def resealed(
    ledgers: Ledgers, seal: Callable[[Evidence, Ledgers], bytes], **changes: object
) -> bytes:
    """An honest query whose envelope the hub replaces before it writes its entry."""
    network, chain = ledgers.network, ledgers.chain
    permit = ledgers.query(chain.alpha, begin(ledgers), chain.firms[VICTIM])
    _, envelope, document = network.hub_log[-1]
    evidence = open_for_audit(envelope, permit, NOW, chain.audit).model_copy(update=changes)
    sealed = seal(evidence, ledgers)
    network.hub_log[-1] = (recording(document, sealed), sealed, document)
    return permit


def right_key(evidence: Evidence, ledgers: Ledgers) -> AuditKey:
    return ledgers.chain.audit.sealing.of(evidence.uscc, NOW)


def to_right_key(evidence: Evidence, ledgers: Ledgers) -> bytes:
    return seal_to_regulator(evidence, right_key(evidence, ledgers))


def garbage(evidence: Evidence, ledgers: Ledgers) -> bytes:
    return bytes(len(to_right_key(evidence, ledgers)))


def to_own_key_in_the_name_of_the_right_one(evidence: Evidence, ledgers: Ledgers) -> bytes:
    right = right_key(evidence, ledgers)
    own = right.model_copy(update={"public": EnvelopeKey.generate().public})
    return right.id + seal_to_regulator(evidence, own)[len(right.id) :]


def to_own_key(evidence: Evidence, ledgers: Ledgers) -> bytes:
    own = right_key(evidence, ledgers)
    return seal_to_regulator(
        evidence, own.model_copy(update={"public": EnvelopeKey.generate().public})
    )


def to_key_of_another_month(evidence: Evidence, ledgers: Ledgers) -> bytes:
    """One that the regulator erases sooner."""
    earlier = months_later(calendar_month(NOW), -1)
    keys = ledgers.chain.audit.statements.values()
    (key,) = (k for k in keys if (k.month, k.subjects) == (earlier, SubjectClass.ENTERPRISE))
    return seal_to_regulator(evidence, key)


def to_key_of_another_class(evidence: Evidence, ledgers: Ledgers) -> bytes:
    now = calendar_month(NOW)
    keys = ledgers.chain.audit.statements.values()
    (key,) = (k for k in keys if (k.month, k.subjects) == (now, SubjectClass.INDIVIDUAL))
    return seal_to_regulator(evidence, key)


def of_an_earlier_permit(evidence: Evidence, ledgers: Ledgers) -> bytes:
    return ledgers.network.hub_log[0][1]


@pytest.mark.parametrize(
    "seal",
    [
        garbage,
        to_own_key,
        to_own_key_in_the_name_of_the_right_one,
        to_key_of_another_month,
        to_key_of_another_class,
        of_an_earlier_permit,
    ],
)
def test_evidence_that_the_regulator_cannot_open(
    ledgers: Ledgers, seal: Callable[[Evidence, Ledgers], bytes]
) -> None:
    """The consent may be a true one: who cannot show it has none."""
    only(ledgers, FindingKind.EVIDENCE_UNOPENABLE, resealed(ledgers, seal))


def test_evidence_is_withheld(ledgers: Ledgers) -> None:
    permit = ledgers.query(ledgers.chain.alpha, begin(ledgers), ledgers.chain.firms[VICTIM])
    recorded, _, document = ledgers.network.hub_log[-1]
    ledgers.network.hub_log[-1] = (recorded, b"", document)
    only(ledgers, FindingKind.EVIDENCE_MISSING, permit)


def test_evidence_with_the_consent_of_another_firm(ledgers: Ledgers) -> None:
    """A true one, with that firm's code beside it: the permit's tag is of another consent."""
    other = ledgers.chain.consent(ledgers.chain.firms[9])
    changes = {"consent": other.compact, "uscc": other.uscc}
    permit = resealed(ledgers, to_right_key, **changes)
    only(ledgers, FindingKind.EVIDENCE_MISMATCH, permit)


# --- times ----------------------------------------------------------------------------------------


def dated_back(ledgers: Ledgers, seconds: int, given: Consent) -> bytes:
    """A permit with a time so long ago, which holders are asked to answer now."""
    network, chain = ledgers.network, ledgers.chain
    firm, issued = chain.firms[VICTIM], NOW - seconds
    query = network.begin(chain.alpha, given, officer="o-9", reference="a-1")
    (first,) = network.permits(query.request, now=issued)
    promised = network.logged(first.permit.document, first.permit.entry, NOW)
    request = UnlockRequest(promised, first.named)
    reply = network.collect([request], chain.alpha.certificate.holders, NOW)
    return ledgers.received(chain.alpha, query, firm, reply)


def test_a_consent_that_ran_out_is_used_by_dating_back(ledgers: Ledgers) -> None:
    """Within the hour that a permit lives, times in entries agree with one another: what tells is
    when witnesses saw the hub's log without it (test_hub_splits_its_log).
    """
    firm = ledgers.chain.firms[VICTIM]
    over = ledgers.chain.consent(firm, at=NOW - 200, expires=NOW - 100)
    dated_back(ledgers, 200, over)
    assert ledgers.audit() == []


def test_dating_back_further_than_a_permit_lives(ledgers: Ledgers) -> None:
    """No holder answers it: its hour is over."""
    network, holders = ledgers.network, ledgers.chain.alpha.certificate.holders
    requests = network.permits(begin(ledgers).request)
    refused(Reason.EXPIRED, lambda: network.collect(requests, holders, NOW + 3_600))


def test_dating_back_past_a_cancellation(ledgers: Ledgers) -> None:
    """The order of the hub's own log counts, and not the times in it. The cancellation is the
    entry before the permit's.
    """
    chain, firm = ledgers.chain, ledgers.chain.firms[VICTIM]
    consent = chain.consent(firm)
    compact = sign_cancellation(consent.compact, firm.key, firm.certificate, NOW - 50)
    authority = chain.root.licence_authority.encode()
    told = verify_cancellation(compact, authority, NOW - 50)
    last = len(ledgers.network.hub_log) - 1
    ledgers.cancelled.append(Cancelled(last, NOW - 50, told.consent_hash))
    permit = dated_back(ledgers, 200, consent)
    only(ledgers, FindingKind.CONSENT_CANCELLED, permit)
