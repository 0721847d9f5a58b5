"""Ten requests that must be refused, each beside a twin that differs in nothing else and succeeds.

The demo acts as a dishonest bank and, for one of them, as a dishonest hub: it holds their keys,
because it made them. What is counted in the end is what the refusers' own logs say.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from federation.consent import Consent, verify_consent
from federation.entries import Kind, Logged, entry, promise
from federation.errors import Reason
from federation.exchange.bank import Session, begin_query
from federation.exchange.messages import QueryReply, QueryRequest, UnlockRequest
from federation.identity import SpiffeId
from federation.permit import Permit
from federation.pki import SubjectAuthority
from federation.purpose import Purpose
from federation.signed import SigningKey
from federation.uscc import Uscc
from node.demo.errors import DemoError
from node.enterprise.client import ConsentClient
from node.enterprise.enterprise import CLOCK_SKEW, DAY, ConsentTerms, Enterprise, enrol_enterprises
from node.rpc.client import Channel
from node.rpc.convert import query_to_wire, reply_from_wire, unlock_to_wire
from node.rpc.errors import RemoteRefusal
from yinxin.v1 import common_pb2, hub_pb2

REASONS = (
    Reason.NO_CONSENT,
    Reason.EXPIRED,
    Reason.WRONG_BANK,
    Reason.WRONG_PURPOSE,
    Reason.REPLAYED_PERMIT,
    Reason.CANCELLED,
    Reason.USES_EXHAUSTED,
    Reason.UNKNOWN_ENTERPRISE,
    Reason.UNCERTIFIED_MODEL,
    Reason.FOREIGN_CERTIFICATE,
)


@dataclass(frozen=True)
class Stage:
    """What the dishonest parties have at hand.

    `firms` are enrolled enterprises nobody else uses, `stranger` one that is not enrolled.
    `bank` and `other_bank` are channels to the hub, `holder` the hub's channel to one holder,
    `consents` is the hub's address for enterprises, `chain_authority` proves that it is the hub.
    """

    session: Session
    terms: ConsentTerms
    authority: SubjectAuthority
    firms: list[Enterprise]
    stranger: Uscc
    bank: Channel
    other_bank: Channel
    other_bank_id: SpiffeId
    hub_id: SpiffeId
    hub_key: SigningKey
    holder: Channel
    consents: str
    chain_authority: bytes
    now: int
    permitted: list[bytes] = field(default_factory=list)
    """Hashes of the permits of twins that succeeded: the bank's log has to hold them."""


async def mount(stage: Stage) -> None:
    """Mounts all ten with their twins. Raises DemoError for one that goes otherwise."""
    for reason in REASONS:
        await _ATTEMPTS[reason](stage, stage.firms[REASONS.index(reason)])


def _request(stage: Stage, consent: Consent, purpose: str | None = None) -> QueryRequest:
    query = begin_query(stage.session, consent, purpose=purpose or consent.purpose)
    return query.request


async def _ask(channel: Channel, request: QueryRequest) -> QueryReply:
    reply = await channel.unary("/yinxin.v1.Hub/Query", query_to_wire(request), hub_pb2.QueryReply)
    return reply_from_wire(reply)


async def _succeeds(stage: Stage, request: QueryRequest) -> QueryReply:
    reply = await _ask(stage.bank, request)
    if len(reply.answers) != len(stage.session.certificate.holders):
        raise DemoError("a query that should succeed has too few answers")
    stage.permitted.extend(permit.document.payload_hash for permit in reply.permits)
    return reply


async def _refused(reason: Reason, call: Awaitable[object]) -> None:
    try:
        await call
    except RemoteRefusal:
        return
    raise DemoError(f"{reason.value}: was answered and should have been refused")


def _good(stage: Stage, firm: Enterprise, uses: int = 1) -> Consent:
    compact = firm.consent(replace(stage.terms, uses=uses), stage.now)
    return verify_consent(compact, stage.authority.certificate_pem, stage.now)


async def _no_consent(stage: Stage, firm: Enterprise) -> None:
    """The bank certifies the firm's key itself, with an authority of its own."""
    await _succeeds(stage, _request(stage, _good(stage, firm)))
    own = SubjectAuthority.create(firm.issuer, stage.now, 365)
    (forged,) = enrol_enterprises(own, [firm.uscc], stage.now, 30)
    compact = forged.consent(stage.terms, stage.now)
    consent = verify_consent(compact, own.certificate_pem, stage.now)
    await _refused(Reason.NO_CONSENT, _ask(stage.bank, _request(stage, consent)))


async def _expired(stage: Stage, firm: Enterprise) -> None:
    """A consent given three days ago for two."""
    terms, given = replace(stage.terms, days=2), stage.now - 3 * DAY
    await _succeeds(stage, _request(stage, _good(stage, firm)))
    compact = firm.consent(terms, given)
    consent = unchecked(terms, firm, compact, given)
    await _refused(Reason.EXPIRED, _ask(stage.bank, _request(stage, consent)))


async def _wrong_bank(stage: Stage, firm: Enterprise) -> None:
    await _succeeds(stage, _request(stage, _good(stage, firm)))
    terms = replace(stage.terms, bank=stage.other_bank_id)
    compact = firm.consent(terms, stage.now)
    consent = verify_consent(compact, stage.authority.certificate_pem, stage.now)
    await _refused(Reason.WRONG_BANK, _ask(stage.bank, _request(stage, consent)))


async def _wrong_purpose(stage: Stage, firm: Enterprise) -> None:
    consent = _good(stage, firm, uses=2)
    await _succeeds(stage, _request(stage, consent))
    request = _request(stage, consent, Purpose.POST_LOAN)
    await _refused(Reason.WRONG_PURPOSE, _ask(stage.bank, request))


async def _replayed_permit(stage: Stage, firm: Enterprise) -> None:
    """The hub signs a second permit for an element that was evaluated already."""
    reply = await _succeeds(stage, _request(stage, _good(stage, firm)))
    await _unlock(stage, reply.permits[0])  # the same permit again is answered again
    permit = Permit.parse(reply.permits[0].document.payload)
    again = permit.model_copy(update={"id": secrets.token_bytes(16)})
    raw = entry(Kind.PERMIT, again.issued, document=again.hash)
    forged = Logged(
        again.sign(stage.hub_key), raw, promise(stage.hub_id, raw, stage.hub_key, stage.now)
    )
    await _refused(Reason.REPLAYED_PERMIT, _unlock(stage, forged))


async def _cancelled(stage: Stage, firm: Enterprise) -> None:
    consent = _good(stage, firm, uses=5)
    await _succeeds(stage, _request(stage, consent))
    hub, address, authority = stage.hub_id, stage.consents, stage.chain_authority
    async with ConsentClient.connect(firm, hub, address, authority) as client:
        await client.cancel(firm.cancellation(consent.compact, stage.now))
    await _refused(Reason.CANCELLED, _ask(stage.bank, _request(stage, consent)))


async def _uses_exhausted(stage: Stage, firm: Enterprise) -> None:
    consent = _good(stage, firm, uses=2)
    await _succeeds(stage, _request(stage, consent))
    await _succeeds(stage, _request(stage, consent))
    await _refused(Reason.USES_EXHAUSTED, _ask(stage.bank, _request(stage, consent)))


async def _unknown_enterprise(stage: Stage, firm: Enterprise) -> None:
    await _succeeds(stage, _request(stage, _good(stage, firm)))
    (stranger,) = enrol_enterprises(stage.authority, [stage.stranger], stage.now, 30)
    consent = _good(stage, stranger)
    await _refused(Reason.UNKNOWN_ENTERPRISE, _ask(stage.bank, _request(stage, consent)))


async def _uncertified_model(stage: Stage, firm: Enterprise) -> None:
    request = _request(stage, _good(stage, firm))
    other = replace(request, certificate_hash=secrets.token_bytes(32))
    await _refused(Reason.UNCERTIFIED_MODEL, _ask(stage.bank, other))
    await _succeeds(stage, request)


async def _foreign_certificate(stage: Stage, firm: Enterprise) -> None:
    """Another bank of the chain queries under this bank's certificate."""
    request = _request(stage, _good(stage, firm))
    await _refused(Reason.FOREIGN_CERTIFICATE, _ask(stage.other_bank, request))
    await _succeeds(stage, request)


async def _unlock(stage: Stage, permit: Logged) -> None:
    request = unlock_to_wire(UnlockRequest(permit, b""))
    await stage.holder.unary("/yinxin.v1.Holder/Unlock", request, common_pb2.UnlockAnswer)


def unchecked(terms: ConsentTerms, firm: Enterprise, compact: str, given: int) -> Consent:
    """A consent that holds no longer, as a bank that does not look at the time reads it."""
    return Consent(
        issuer=firm.issuer,
        uscc=firm.uscc,
        bank=terms.bank,
        purpose=terms.purpose,
        fields=terms.fields,
        disclosed=terms.disclosed,
        chains=terms.chains,
        issued_at=given,
        not_before=given - CLOCK_SKEW,
        expires=given + terms.days * DAY,
        compact=compact,
    )


_ATTEMPTS: dict[Reason, Callable[[Stage, Enterprise], Awaitable[None]]] = {
    Reason.NO_CONSENT: _no_consent,
    Reason.EXPIRED: _expired,
    Reason.WRONG_BANK: _wrong_bank,
    Reason.WRONG_PURPOSE: _wrong_purpose,
    Reason.REPLAYED_PERMIT: _replayed_permit,
    Reason.CANCELLED: _cancelled,
    Reason.USES_EXHAUSTED: _uses_exhausted,
    Reason.UNKNOWN_ENTERPRISE: _unknown_enterprise,
    Reason.UNCERTIFIED_MODEL: _uncertified_model,
    Reason.FOREIGN_CERTIFICATE: _foreign_certificate,
}
