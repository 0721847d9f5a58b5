"""Verifying an exported query offline, from nothing but the trust root of the chain that answered.

1. Members: credentials of hub, bank and participants, signed by the regulator, valid at the time; a
   bank of another chain is a guest, on the regulator's credential and its pin of that chain.
2. The model certificate, signed by the regulator, with the members' keys.
3. The epoch: descriptor, manifests and opening belong together; ctx follows from 2 and 3.
4. Each participant's key statement: signed, logged, for this ctx and its manifest.
5. Permits: the hub's, logged, for this bank, model, ctx; together for exactly the participants.
6. Each participant's answer: signed, for its permit and ctx; the DLEQ proof holds for the key of 4.
7. Each participant's signature on its table of the subject's bucket.

That shows, without naming the subject, that the query was permitted and answered by the book. With
the bank's own part (`opening`) it also shows about whom, and under which consent:

8. The consent is the subject's own, held at the time, and covers bank, purpose, chain and all that
   the model tells; every element is proven to be of the subject.
9. The record follows from the padded word, the answers and the scalars, and passes its checks.

The padded word comes from tables that the bank alone can decrypt, and nobody but the bank vouches
for it: a bank can state another word and with it another record. So the record here is what the
bank says that it got, consistent with the rest, and no proof of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from federation.answers import TableAnswer, UnlockAnswer, read_key
from federation.certificate import ModelCertificate, read_certificate
from federation.consent import verify_consent
from federation.entries import CLOCK_SKEW, Kind, Logged, check_logged
from federation.epoch import read_epoch
from federation.errors import FederationError, Reason, Refusal
from federation.exchange.bank import OpenQuery, Session, open_record
from federation.exchange.evidence import check_coverage, knowledge_context
from federation.exchange.messages import QueryReply
from federation.identity import SpiffeId
from federation.interchain.guest import welcome
from federation.membership import Member, Members, TrustRoot
from federation.permit import Permit
from federation.signed import Signed
from node.bank.agent import reason_of
from node.bank.documents import logged_from, signed_from
from node.bank.errors import BankError
from node.bank.ledger import open_query_from
from node.bank.texts import Code
from scoring.errors import ScoringError
from scoring.oprf import hash_to_group, verify, verify_knowledge
from scoring.record import COVERAGE, FieldLayout, Record, RecordLayout

FORMAT: Final = "yinxin-query-evidence/1"
MAX_EVIDENCE_BYTES = 32 << 20


@dataclass(frozen=True)
class Verified:
    """What an evidence file shows. `record` is the bank's statement, None without its own part."""

    chain: str
    bank: SpiffeId
    model: str
    certificate: bytes
    epoch: int
    purpose: str
    time: int
    holders: tuple[SpiffeId, ...]
    permits: tuple[bytes, ...]
    record: Record | None

    def to_dict(self) -> dict[str, Any]:
        """For printing."""
        found: dict[str, Any] = {
            "verified": True,
            "chain": self.chain,
            "bank": str(self.bank),
            "model": self.model,
            "certificate": self.certificate.hex(),
            "epoch": self.epoch,
            "purpose": self.purpose,
            "time": self.time,
            "holders": [str(holder) for holder in self.holders],
            "permits": [permit.hex() for permit in self.permits],
        }
        if self.record is not None:
            values = dict(self.record.values)
            found["record"] = {"fields": values, "coverage": self.record.coverage}
            found["record_stated_by"] = str(self.bank)
        return found


def verify_evidence(raw: bytes, root: TrustRoot) -> Verified:
    """What an evidence file shows, once all of it verifies. Raises BankError saying what fails."""
    if len(raw) > MAX_EVIDENCE_BYTES:
        raise fails(f"it has over {MAX_EVIDENCE_BYTES} bytes")
    try:
        value = json.loads(raw)
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise fails(f"it is no {FORMAT} file")
        return _verify(value, root)
    except FederationError as error:
        raise fails(reason_of(error)) from error
    except ScoringError as error:
        raise fails(str(error)) from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise fails(f"its form is wrong ({type(error).__name__})") from error


def layout_of(certificate: ModelCertificate) -> RecordLayout:
    """The record's layout as the certificate has it."""
    fields = tuple(
        FieldLayout(name=f.name, offset=f.offset, width=f.width, maximum=f.maximum)
        for f in certificate.fields
    )
    own = certificate.coverage
    coverage = FieldLayout(name=COVERAGE, offset=own.offset, width=own.width, maximum=own.maximum)
    return RecordLayout(fields=fields, coverage=coverage)


def _verify(value: Mapping[str, Any], root: TrustRoot) -> Verified:
    time = int(value["time"])
    if value["chain"] != root.chain:
        raise Refusal(Reason.WRONG_CHAIN, f"the file is of chain {value['chain']}")
    members = Members(root, map(signed_from, value["members"]), time, _guests(value, root))
    certificate = read_certificate(signed_from(value["certificate"]), members)
    certificate.require_valid(time)
    session = _session(value, certificate, members, time)
    permits = tuple(logged_from(permit) for permit in value["permits"])
    opened = _check_permits(permits, session, members, time)
    answers = tuple(signed_from(answer) for answer in value["answers"])
    _check_answers(answers, opened, session)
    _check_tables(value, session)
    record = None
    if "opening" in value:
        query = open_query_from(value["opening"]["open"])
        _check_consent(query, session, root, time)
        reply, word = QueryReply(permits, answers), int(value["opening"]["word"])
        layout = layout_of(certificate)
        record = open_record(query, reply, session, members, layout, word, time)
        stated = value["opening"]["record"]
        if {**record.values, COVERAGE: record.coverage} != {
            **stated["fields"],
            COVERAGE: stated["coverage"],
        }:
            raise fails("the record is not the one that the answers give")
    return Verified(
        chain=root.chain,
        bank=certificate.bank,
        model=certificate.name,
        certificate=certificate.hash,
        epoch=session.epoch.number,
        purpose=opened[0].purpose,
        time=time,
        holders=certificate.holders,
        permits=tuple(permit.hash for permit in opened),
        record=record,
    )


def _guests(value: Mapping[str, Any], root: TrustRoot) -> tuple[Member, ...]:
    """The bank as a guest of the chain: part of step 1."""
    guests, pins = value.get("guests", ()), value.get("pins", ())
    return welcome(map(signed_from, guests), map(signed_from, pins), root)


def _session(
    value: Mapping[str, Any], certificate: ModelCertificate, members: Members, time: int
) -> Session:
    """Steps 3 and 4."""
    documents = value["epoch"]
    epoch = read_epoch(
        signed_from(documents["descriptor"]),
        [signed_from(manifest) for manifest in documents["manifests"]],
        signed_from(documents["opening"]),
        members,
    )
    epoch.require_open(time)
    epoch.require_participants(certificate.holders)
    keys = {}
    for holder, logged in zip(certificate.holders, value["keys"], strict=True):
        statement = read_key(logged_from(logged), holder, certificate, epoch, time)
        keys[holder] = statement.public_key
    return Session(certificate, epoch, keys)


def _check_permits(
    permits: tuple[Logged, ...], session: Session, members: Members, time: int
) -> tuple[Permit, ...]:
    """Step 5."""
    certificate, hub = session.certificate, members.hub
    expected = (
        certificate.chain,
        certificate.bank,
        certificate.hash,
        session.ctx,
        session.epoch.number,
    )
    opened = []
    for logged in permits:
        permit = Permit.open_(logged.document, hub.signing)
        check_logged(logged, Kind.PERMIT, hub.id, hub.signing, time)
        found = (permit.chain, permit.bank, permit.certificate, permit.ctx, permit.epoch)
        if found != expected:
            raise Refusal(Reason.BAD_PERMIT, "a permit is for another query")
        if not permit.issued - CLOCK_SKEW <= time < permit.expires + CLOCK_SKEW:
            raise Refusal(Reason.BAD_PERMIT, "a permit is of another time")
        opened.append(permit)
    audience = sorted((holder for permit in opened for holder in permit.audience), key=str)
    if audience != list(certificate.holders) or len({p.purpose for p in opened}) != 1:
        raise Refusal(Reason.BAD_PERMIT, "permits are not for exactly the participants")
    return tuple(opened)


def _check_answers(
    answers: tuple[Signed, ...], permits: tuple[Permit, ...], session: Session
) -> None:
    """Step 6."""
    for holder, signed in zip(session.certificate.holders, answers, strict=True):
        permit = next(permit for permit in permits if holder in permit.audience)
        answer = UnlockAnswer.open_(signed, session.certificate.participant(holder).signing)
        if (answer.holder, answer.ctx, answer.permit) != (holder, session.ctx, permit.hash):
            raise Refusal(Reason.WRONG_CONTEXT, f"answer of {holder} is for another permit")
        verify(session.keys[holder], [permit.blinded], [answer.evaluated], answer.proof)


def _check_tables(value: Mapping[str, Any], session: Session) -> None:
    """Step 7."""
    for holder, signed in zip(session.certificate.holders, value["tables"], strict=True):
        signing = session.certificate.participant(holder).signing
        table = TableAnswer.open_(signed_from(signed), signing)
        if (table.holder, table.ctx, table.bucket) != (holder, session.ctx, value["bucket"]):
            raise Refusal(Reason.WRONG_CONTEXT, f"table of {holder} is of another bucket")


def _check_consent(query: OpenQuery, session: Session, root: TrustRoot, time: int) -> None:
    """Step 8."""
    certificate, request = session.certificate, query.request
    consent = verify_consent(request.consent, root.licence_authority.encode(), time)
    check_coverage(consent, certificate, certificate.bank, request.purpose, root.chain)
    if consent.uscc.encode() != query.code or request.epoch != session.epoch.number:
        raise Refusal(Reason.NO_CONSENT, "the consent does not cover the query")
    statement = knowledge_context(root.chain, certificate.bank, consent.hash, session.ctx)
    for blinding in request.blindings:
        verify_knowledge(hash_to_group(query.code), blinding.blinded, statement, blinding.proof)


def fails(reason: str) -> BankError:
    """Evidence that does not verify."""
    return BankError(Code.EVIDENCE_INVALID, "evidence", reason=reason)
