"""A hub signs a permit that it must not have signed: each kind planted among honest ones."""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from federation.audit import verify
from federation.audit.cancellations import Cancelled, examine_cancellation
from federation.audit.findings import Finding, FindingKind
from federation.audit.sources import CancellationRecord, PermitRecord
from federation.audit.verify import QueryVerifier
from federation.auditkeys import KeyErased
from federation.consent import Consent, read_unverified, sign_cancellation, sign_consent
from federation.entries import Kind, entry
from federation.envelope import EnvelopeKey
from federation.errors import DocumentError
from federation.identity import Role, SpiffeId
from federation.permit import Permit
from federation.purpose import Purpose
from federation.registration import seal_statement
from federation.subjects import SubjectAuthority
from support.audit import ChainDocuments
from support.audited import World, permit_entry, permit_record
from support.chain import (
    DAY,
    DELTA,
    DOMAIN,
    HARBOUR,
    HUB,
    LICENCE_DOMAIN,
    NOW,
    POWER,
    REGULATOR,
    TAX,
)
from support.people import Firm

AT = NOW + 60


def only(world: World, kind: FindingKind, record: PermitRecord, *, served: bool) -> Finding:
    """The one finding once the record is planted: of that kind, about that permit, of the hub."""
    query = world.examine(record, served=served)
    (found,) = world.logs.audit()
    assert (found.kind, found.query, found.subject) == (kind, query.id, str(HUB))
    assert not query.verified
    assert not any(firm.uscc in repr(found) for firm in world.chain.firms)
    return found


# --- permits that holders refuse ------------------------------------------------------------------


def signed_by_another(world: World) -> PermitRecord:
    chain = world.chain
    return permit_record(chain, chain.consent(chain.firms[0]), key=chain.signing[HARBOUR])


def with_no_document(world: World) -> PermitRecord:
    return dataclasses.replace(changed(world), document=None)


def changed(world: World, **permit: object) -> PermitRecord:
    chain = world.chain
    return permit_record(chain, chain.consent(chain.firms[0]), permit=permit)


def of_another_entry(world: World) -> PermitRecord:
    return dataclasses.replace(changed(world), entry=changed(world).entry)


def with_another_envelope(world: World) -> PermitRecord:
    return dataclasses.replace(changed(world), envelope=changed(world).envelope)


REFUSED: dict[str, tuple[Callable[[World], PermitRecord], FindingKind]] = {
    "signed by the bank": (signed_by_another, FindingKind.PERMIT_FORGED),
    "not shown": (with_no_document, FindingKind.PERMIT_FORGED),
    "entry of another permit": (of_another_entry, FindingKind.ENTRY_MISMATCH),
    "entry of another envelope": (with_another_envelope, FindingKind.ENTRY_MISMATCH),
    "for two hours": (lambda w: changed(w, expires=AT + 7_200), FindingKind.PERMIT_OVERLONG),
    "for fewer holders": (
        lambda w: changed(w, audience=(POWER, TAX)),
        FindingKind.AUDIENCE_WRONG,
    ),
    "for no holder": (lambda w: changed(w, audience=()), FindingKind.AUDIENCE_WRONG),
    "for another context": (lambda w: changed(w, ctx=bytes(32)), FindingKind.CONTEXT_WRONG),
    "for another chain": (lambda w: changed(w, chain="zsj"), FindingKind.CONTEXT_WRONG),
    "for an epoch that is not": (lambda w: changed(w, epoch=9), FindingKind.EPOCH_CLOSED),
    "for a closed epoch": (
        lambda w: changed(w, issued=NOW + DAY, expires=NOW + DAY + 1),
        FindingKind.EPOCH_CLOSED,
    ),
    "for a bank that is no member": (
        lambda w: changed(w, bank=SpiffeId(DOMAIN, Role.BANK, "ghost")),
        FindingKind.BANK_FOREIGN,
    ),
    "for a model never certified": (
        lambda w: changed(w, certificate=bytes(32)),
        FindingKind.CERTIFICATE_UNLOGGED,
    ),
    "for another bank's model": (
        lambda w: changed(w, certificate=w.chain.rival.certificate.hash),
        FindingKind.CERTIFICATE_FOREIGN,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_permit_is_not_as_it_must_be(world: World, case: str) -> None:
    plant, kind = REFUSED[case]
    only(world, kind, plant(world), served=False)


def test_the_certificate_ran_out(world: World) -> None:
    chain = world.chain
    ended = chain.alpha.certificate.model_copy(update={"not_after": AT})
    signed = ended.sign(chain.signing[REGULATOR])
    model = dataclasses.replace(chain.alpha, certificate=ended, signed=signed)
    world.verifier = QueryVerifier(ChainDocuments(chain, {ended.hash: signed}), chain.audit)
    record = permit_record(chain, chain.consent(chain.firms[0]), model=model)
    only(world, FindingKind.CERTIFICATE_EXPIRED, record, served=False)


@pytest.mark.parametrize("late", [False, True])
def test_a_permit_after_the_hub_had_the_withdrawal(world: World, late: bool) -> None:
    """One that was issued in the second of the receipt is before it, and is clean."""
    chain = world.chain
    record = permit_record(chain, chain.consent(chain.firms[0]))
    withdrawals = {chain.alpha.certificate.hash: AT - 1 if late else AT}
    documents = ChainDocuments(chain, withdrawals=withdrawals)
    world.verifier = QueryVerifier(documents, chain.audit)
    if late:
        only(world, FindingKind.CERTIFICATE_WITHDRAWN, record, served=False)
    else:
        assert world.verifier.examine(record).findings == ()


def test_a_certificate_that_only_the_hub_has_is_none(world: World) -> None:
    chain = world.chain
    forged = chain.alpha.certificate.model_copy(update={"epochs_a_month": 31})
    signed = forged.sign(chain.signing[HUB])
    model = dataclasses.replace(chain.alpha, certificate=forged, signed=signed)
    world.verifier = QueryVerifier(ChainDocuments(chain, {forged.hash: signed}), chain.audit)
    record = permit_record(chain, chain.consent(chain.firms[0]), model=model)
    only(world, FindingKind.CERTIFICATE_UNLOGGED, record, served=False)


# --- evidence -------------------------------------------------------------------------------------


def test_the_evidence_is_lost(world: World) -> None:
    record = dataclasses.replace(changed(world), envelope=None)
    only(world, FindingKind.EVIDENCE_MISSING, record, served=True)


def test_the_evidence_does_not_open(world: World) -> None:
    record = changed(world)
    assert record.document is not None and record.envelope is not None
    permit = Permit.parse(record.document.payload)
    rubbish = record.envelope[:-1] + bytes([record.envelope[-1] ^ 1])
    record = dataclasses.replace(record, entry=permit_entry(permit, rubbish), envelope=rubbish)
    only(world, FindingKind.EVIDENCE_UNOPENABLE, record, served=True)


@pytest.mark.parametrize("evidence", [{"tag_key": bytes(32)}, {"uscc": "91100000100003962T"}])
def test_the_evidence_is_of_another_permit(world: World, evidence: dict[str, object]) -> None:
    chain = world.chain
    record = permit_record(chain, chain.consent(chain.firms[0]), evidence=evidence)
    only(world, FindingKind.EVIDENCE_MISMATCH, record, served=True)


def test_evidence_that_perished_by_law_is_no_finding(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def erased(key_id: bytes) -> EnvelopeKey:
        raise KeyErased("audit key was erased")

    record = changed(world)
    monkeypatch.setattr(world.chain.audit, "key", erased)
    with pytest.raises(KeyErased):
        world.verifier.examine(record)


# --- consents -------------------------------------------------------------------------------------


def given(world: World, firm: Firm, **changes: Any) -> Consent:
    """A consent that the firm signed, whenever it holds."""
    claims = world.chain.claims(firm, **changes)
    return read_unverified(sign_consent(claims, firm.key, firm.certificate))


def self_made(world: World, firm: Firm) -> Consent:
    """A key for the victim that an authority of the hub's own certified."""
    forger = Firm(firm.uscc, SubjectAuthority.create(LICENCE_DOMAIN, NOW), NOW)
    claims = world.chain.claims(firm)
    return read_unverified(sign_consent(claims, forger.key, forger.certificate))


def accomplice(world: World, firm: Firm) -> Consent:
    """Signed by another enterprise, which plays along."""
    other, claims = world.chain.firms[9], world.chain.claims(firm)
    return read_unverified(sign_consent(claims, other.key, other.certificate))


CONSENTS: dict[str, tuple[Callable[[World, Firm], Consent], FindingKind]] = {
    "key of no authority": (self_made, FindingKind.CONSENT_FORGED),
    "key of another firm": (accomplice, FindingKind.CONSENT_FORGED),
    "ran out": (lambda w, f: given(w, f, expires=AT), FindingKind.CONSENT_EXPIRED),
    "begins later": (
        lambda w, f: given(w, f, not_before=AT + 1),
        FindingKind.CONSENT_AFTER_QUERY,
    ),
    "begins before and was signed after": (
        lambda w, f: given(w, f, issued_at=AT + 301),
        FindingKind.CONSENT_AFTER_QUERY,
    ),
    "another bank": (lambda w, f: given(w, f, bank=DELTA), FindingKind.CONSENT_WRONG_BANK),
    "another purpose": (
        lambda w, f: given(w, f, purpose=Purpose.POST_LOAN),
        FindingKind.CONSENT_WRONG_PURPOSE,
    ),
    "another chain": (
        lambda w, f: given(w, f, chains=("zsj",)),
        FindingKind.CONSENT_WRONG_CHAIN,
    ),
    "fewer fields": (
        lambda w, f: given(w, f, fields=("money",)),
        FindingKind.CONSENT_WRONG_FIELDS,
    ),
}


@pytest.mark.parametrize("case", CONSENTS)
def test_a_consent_does_not_cover_the_query(world: World, case: str) -> None:
    make, kind = CONSENTS[case]
    record = permit_record(world.chain, make(world, world.chain.firms[0]))
    only(world, kind, record, served=True)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"disclosed": ()}, FindingKind.FEATURE_UNDISCLOSED),
        ({"named": ()}, FindingKind.HOLDER_UNNAMED),
    ],
)
def test_a_consent_misses_what_the_model_needs(
    world: World, changes: dict[str, object], kind: FindingKind
) -> None:
    chain = world.chain
    consent = given(world, chain.firms[0], **changes)
    record = permit_record(
        chain, consent, model=chain.with_court, permit={"audience": (POWER, TAX)}
    )
    # The court was down, so that nobody has a result, and nobody has to.
    query = world.examine(record, served=False)
    for holder in (POWER, TAX):
        world.logs.log(holder, Kind.UNLOCK, AT, document=query.id, bank=HARBOUR, ctx=query.ctx)
    (found,) = world.logs.audit()
    assert (found.kind, found.query) == (kind, query.id)


def test_there_is_no_consent(world: World) -> None:
    chain = world.chain
    record = permit_record(chain, chain.consent(chain.firms[0]), evidence={"consent": ""})
    only(world, FindingKind.CONSENT_MISSING, record, served=True)


def test_the_element_is_of_another_firm(world: World) -> None:
    chain = world.chain
    u, v = chain.consent(chain.firms[0]), chain.consent(chain.firms[1])
    record = permit_record(
        chain, dataclasses.replace(v, compact=u.compact), evidence={"uscc": u.uscc}
    )
    only(world, FindingKind.PROOF_INVALID, record, served=True)


def test_every_refusal_of_a_consent_has_its_kind(world: World) -> None:
    """What a hub must refuse for is what it is found to have let pass, one to one."""
    told = {kind for _, kind in CONSENTS.values()}
    assert set(verify.OF_CONSENT.values()) == told | {
        FindingKind.FEATURE_UNDISCLOSED,
        FindingKind.HOLDER_UNNAMED,
        FindingKind.PROOF_INVALID,
    }


def test_what_is_no_permit_entry_is_not_judged_as_one(world: World) -> None:
    other = entry(Kind.UNLOCK, AT, document=bytes(32))
    with pytest.raises(DocumentError):
        world.verifier.examine(PermitRecord(0, other, None, None))


# --- cancellations --------------------------------------------------------------------------------


def cancellation(world: World, compact: str) -> CancellationRecord:
    tag = secrets.token_bytes(32)
    key = world.chain.audit.sealing.of(world.chain.firms[0].uscc, AT)
    envelope = seal_statement(compact, tag, key)
    digest = hashlib.sha256(envelope).digest()
    return CancellationRecord(7, entry(Kind.CANCELLED, AT, consent=tag, envelope=digest), envelope)


def test_a_cancellation_is_read_from_the_hubs_log(world: World) -> None:
    chain, firm = world.chain, world.chain.firms[0]
    consent = chain.consent(firm)
    record = cancellation(world, sign_cancellation(consent.compact, firm.key, firm.certificate, AT))
    examined = examine_cancellation(record, chain.members, chain.audit)
    assert examined == Cancelled(7, AT, consent.hash)


def test_a_cancellation_that_the_firm_did_not_sign_is_found(world: World) -> None:
    chain, other = world.chain, world.chain.firms[1]
    compact = sign_cancellation(
        chain.consent(chain.firms[0]).compact, other.key, other.certificate, AT
    )
    for record, kind in (
        (cancellation(world, compact), FindingKind.CONSENT_FORGED),
        (
            dataclasses.replace(cancellation(world, compact), envelope=None),
            FindingKind.EVIDENCE_MISSING,
        ),
        (
            dataclasses.replace(cancellation(world, compact), envelope=bytes(9_000)),
            FindingKind.EVIDENCE_UNOPENABLE,
        ),
    ):
        found = examine_cancellation(record, chain.members, chain.audit)
        assert isinstance(found, Finding)
        assert (found.kind, found.query, found.subject) == (kind, None, str(HUB))
