"""The hub's side of a query: from a bank's request to permits.

The order of the checks is the order of the protocol: the model, the state of the data, the
consent, what the consent covers, the subject, the proofs. Only then does the hub build permits,
and only inside its transaction (`settle`) does it learn whether a use is left: two requests at
once must not both take the last one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Protocol

from federation.auditkeys import SealingKeys, calendar_month
from federation.certificate import ModelCertificate
from federation.consent import Consent, verify_consent
from federation.entries import Kind, entry
from federation.epoch import OpenEpoch
from federation.errors import Reason, Refusal
from federation.exchange.evidence import check_coverage, knowledge_context
from federation.exchange.messages import Blinding, QueryRequest
from federation.identity import Role, SpiffeId
from federation.membership import Members
from federation.permit import (
    PERMIT_SECONDS,
    Evidence,
    Permit,
    consent_tag,
    seal_to_named,
    seal_to_regulator,
)
from federation.roster import Roster
from federation.signed import Signed, SigningKey
from scoring.errors import OprfError
from scoring.oprf import hash_to_group, verify_knowledge

MAX_PSEUDONYM = 64


@dataclass(frozen=True)
class Draft:
    """One permit, ready to be settled.

    `entry` goes into the log, `envelope` (the sealed evidence, in the entry by its hash) beside
    it; `named` is for the one holder of the audience that must see the subject, else empty.
    """

    permit: Permit
    signed: Signed
    envelope: bytes
    entry: bytes
    named: bytes


@dataclass(frozen=True)
class PermitRequest:
    """A query that passed every check that needs no registry.

    The consent's hash and `query` (a hash of consent and elements) identify it. Either would
    let somebody who has seen the consent recognise it, so the registry keys them before it stores
    them. The consent may be used in `epochs_a_month` epochs that open in the calendar `month`.
    """

    consent: Consent
    query: bytes
    drafts: tuple[Draft, ...]
    epoch: int
    month: int
    epochs_a_month: int


class Registry(Protocol):
    """What the hub remembers, as its transaction sees it."""

    def stored(self, query: bytes) -> tuple[Draft, ...] | None:
        """The drafts settled before for the same consent and elements."""

    def cancelled(self, consent: Consent) -> bool:
        """Whether the enterprise cancelled this consent."""

    def uses(self, consent: Consent) -> int:
        """How many uses of this consent were taken in this chain."""

    def epochs(self, consent: Consent, month: int) -> frozenset[int]:
        """The epochs opening in that month in which the consent was used."""

    def element_used(self, blinded: bytes) -> bool:
        """Whether a permit for this element exists."""


@dataclass(frozen=True)
class Settled:
    """The permits of a query. `fresh` is false when they were issued before."""

    drafts: tuple[Draft, ...]
    fresh: bool


class PermitDesk:
    """Issues permits for one chain."""

    def __init__(
        self, hub: SpiffeId, members: Members, key: SigningKey, sealing: SealingKeys
    ) -> None:
        self._hub = hub
        self._sealing = sealing
        self._members = members
        self._key = key

    def examine(
        self,
        request: QueryRequest,
        bank: SpiffeId,
        certificate: ModelCertificate | None,
        epoch: OpenEpoch | None,
        roster: Roster,
        now: int,
    ) -> PermitRequest:
        """Checks a request of `bank`, whose identity the transport established.

        `certificate` and `epoch` are the ones the request names, or None where the hub has no
        such. Raises Refusal with the reason for the hub's own log.
        """
        model = self._check_model(request, bank, certificate, epoch, now)
        authority = self._members.root.licence_authority.encode()
        consent = verify_consent(request.consent, authority, now)
        check_coverage(consent, model, bank, request.purpose, self._members.root.chain)
        if epoch is None or roster.row(consent.uscc) >= epoch.descriptor.roster_rows:
            raise Refusal(Reason.UNKNOWN_ENTERPRISE, "the subject is enrolled for a later epoch")
        self._check_blindings(request, model, consent, bank)
        drafts = tuple(self.draft(b, request, bank, consent, epoch, now) for b in request.blindings)
        month = calendar_month(epoch.descriptor.opens)
        query = _query_hash(consent, request.blindings)
        return PermitRequest(consent, query, drafts, epoch.number, month, model.epochs_a_month)

    def settle(self, request: PermitRequest, registry: Registry) -> Settled:
        """Decides inside the hub's transaction. The same query again returns its permits.

        Raises Refusal(cancelled), Refusal(uses_exhausted), Refusal(epoch_limit), or
        Refusal(replayed_permit) for an element that another permit has.
        """
        if registry.cancelled(request.consent):
            raise Refusal(Reason.CANCELLED)
        stored = registry.stored(request.query)
        if stored is not None:
            return Settled(stored, fresh=False)
        if registry.uses(request.consent) >= request.consent.uses:
            raise Refusal(Reason.USES_EXHAUSTED)
        # What changes from one epoch to the next says more than either record.
        epochs = registry.epochs(request.consent, request.month) | {request.epoch}
        if len(epochs) > request.epochs_a_month:
            raise Refusal(Reason.EPOCH_LIMIT, f"consent was used in {len(epochs) - 1} epochs")
        for draft in request.drafts:
            if registry.element_used(draft.permit.blinded):
                raise Refusal(Reason.REPLAYED_PERMIT, "element has a permit already")
        return Settled(request.drafts, fresh=True)

    def _check_model(
        self,
        request: QueryRequest,
        bank: SpiffeId,
        certificate: ModelCertificate | None,
        epoch: OpenEpoch | None,
        now: int,
    ) -> ModelCertificate:
        self._members.require(bank, Role.BANK)
        if certificate is None or certificate.hash != request.certificate_hash:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "no such certificate is installed")
        if certificate.bank != bank:
            raise Refusal(Reason.FOREIGN_CERTIFICATE, f"certificate is {certificate.bank}'s")
        certificate.require_valid(now)
        if epoch is None or epoch.number != request.epoch:
            raise Refusal(Reason.NOT_OPEN, f"epoch {request.epoch} is not open")
        epoch.require_open(now)
        if not hmac.compare_digest(request.ctx, certificate.context(epoch)):
            raise Refusal(Reason.WRONG_CONTEXT, "request is for another context")
        if max(len(request.officer), len(request.reference)) > MAX_PSEUDONYM:
            raise Refusal(Reason.MALFORMED, f"officer or reference over {MAX_PSEUDONYM} characters")
        return certificate

    def _check_blindings(
        self, request: QueryRequest, model: ModelCertificate, consent: Consent, bank: SpiffeId
    ) -> None:
        named = model.named_holders
        unnamed = tuple(h for h in model.holders if h not in named)
        expected = ((unnamed,) if unnamed else ()) + tuple((h,) for h in named)
        if tuple(b.audience for b in request.blindings) != expected:
            raise Refusal(Reason.WRONG_AUDIENCE, "blindings do not fit the participants")
        if len({b.blinded for b in request.blindings}) != len(request.blindings):
            raise Refusal(Reason.REPLAYED_PERMIT, "two blindings share an element")
        base = hash_to_group(consent.uscc.encode())
        statement = knowledge_context(self._members.root.chain, bank, consent.hash, request.ctx)
        for blinding in request.blindings:
            try:
                verify_knowledge(base, blinding.blinded, statement, blinding.proof)
            except OprfError as error:
                raise Refusal(Reason.BAD_PROOF, str(error)) from error

    def draft(
        self,
        blinding: Blinding,
        request: QueryRequest,
        bank: SpiffeId,
        consent: Consent,
        epoch: OpenEpoch,
        now: int,
    ) -> Draft:
        """The permit of one blinding of a request that was examined, issued now (unix seconds)."""
        tag_key = secrets.token_bytes(32)
        permit = Permit(
            id=secrets.token_bytes(16),
            chain=self._members.root.chain,
            bank=bank,
            certificate=request.certificate_hash,
            ctx=request.ctx,
            epoch=request.epoch,
            purpose=request.purpose,
            audience=blinding.audience,
            blinded=blinding.blinded,
            consent_tag=consent_tag(tag_key, consent.hash),
            issued=now,
            expires=min(now + PERMIT_SECONDS, epoch.descriptor.closes),
        )
        evidence = Evidence(
            permit=permit.hash,
            consent=request.consent,
            uscc=consent.uscc,
            proof=blinding.proof,
            tag_key=tag_key,
            officer=request.officer,
            reference=request.reference,
        )
        envelope = seal_to_regulator(evidence, self._sealing.of(consent.uscc, now))
        recorded = entry(
            Kind.PERMIT,
            now,
            document=permit.hash,
            bank=bank,
            ctx=request.ctx,
            envelope=hashlib.sha256(envelope).digest(),
        )
        named = b""
        holder = blinding.audience[0]
        member = self._members.require(holder, Role.HOLDER)
        if member.named:
            named = seal_to_named(evidence, holder, member.sealing)
        return Draft(permit, permit.sign(self._key), envelope, recorded, named)


def _query_hash(consent: Consent, blindings: tuple[Blinding, ...]) -> bytes:
    digest = hashlib.sha256(b"yinxin/query/v1" + consent.hash)
    for blinding in blindings:
        digest.update(blinding.blinded)
    return digest.digest()
