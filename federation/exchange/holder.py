"""A holder's side of a query: from a permit to an evaluation.

`examine` needs no state, `settle` runs inside the holder's transaction, and only after that
transaction, with its log entry, is durable does the node evaluate and call `answer`.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Protocol

from federation.answers import KeyStatement, TableAnswer, UnlockAnswer
from federation.certificate import ModelCertificate
from federation.entries import CLOCK_SKEW, Kind, Logged, check_logged, entry
from federation.envelope import EnvelopeKey
from federation.epoch import OpenEpoch
from federation.errors import DocumentError, EnvelopeError, Reason, Refusal, SignatureInvalid
from federation.exchange.evidence import check_evidence
from federation.exchange.messages import UnlockRequest
from federation.identity import SpiffeId
from federation.membership import Members
from federation.permit import PERMIT_SECONDS, Permit, PermitPolicy, open_as_named
from federation.signed import Signed, SigningKey
from federation.tlog.checkpoint import witnesses_of
from federation.tlog.proof import verify_proof
from scoring.errors import OprfError
from scoring.oprf import check_element


class Ledger(Protocol):
    """What the holder remembers, as its transaction sees it."""

    def permit_of_id(self, permit_id: bytes) -> bytes | None:
        """The hash of the permit answered under this id, if any."""

    def permit_of_element(self, blinded: bytes) -> bytes | None:
        """The hash of the permit answered for this element, if any."""

    def stopped(self, bank: SpiffeId) -> bool:
        """Whether the holder's administrator stopped this bank."""

    def answered(self, bank: SpiffeId, since: int) -> int:
        """How many permits of this bank were answered since then."""


@dataclass(frozen=True)
class Unlock:
    """A permit that passed every check that needs no ledger. `entry` goes into the log."""

    permit: Permit
    entry: bytes


class UnlockDesk:
    """Checks permits for one holder."""

    def __init__(
        self,
        holder: SpiffeId,
        members: Members,
        key: SigningKey,
        sealing: EnvelopeKey | None,
        policy: PermitPolicy = PermitPolicy.PROMISE,
    ) -> None:
        """`sealing` is the key of envelopes to a holder that must see the subject, else None;
        `policy` is the chain's.
        """
        self._holder = holder
        self._members = members
        self._key = key
        self._sealing = sealing
        self._policy = policy

    def read(self, request: UnlockRequest) -> Permit:
        """The permit as the hub signed it; tells which certificate and epoch to look up.

        Raises Refusal(bad_permit), DocumentError.
        """
        try:
            permit = Permit.open_(request.permit.document, self._members.hub.signing)
        except SignatureInvalid as error:
            raise Refusal(Reason.BAD_PERMIT, str(error)) from error
        if permit.chain != self._members.root.chain:
            raise Refusal(Reason.WRONG_CHAIN, "permit is of another chain")
        return permit

    def examine(
        self,
        request: UnlockRequest,
        permit: Permit,
        certificate: ModelCertificate | None,
        epoch: OpenEpoch | None,
        now: int,
    ) -> Unlock:
        """Checks everything about a permit that needs no ledger. Raises Refusal."""
        if self._holder not in permit.audience:
            raise Refusal(Reason.WRONG_AUDIENCE, "permit is for other holders")
        if not permit.issued - CLOCK_SKEW <= now < permit.expires:
            raise Refusal(Reason.EXPIRED, "permit is outside its time")
        if permit.expires - permit.issued > PERMIT_SECONDS:
            raise Refusal(Reason.BAD_PERMIT, "permit is for longer than permits are")
        self._check_promise(request.permit, permit, now)
        if certificate is None:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "no such certificate is installed")
        certificate.require_valid(now)
        certificate.participant(self._holder)
        if certificate.bank != permit.bank or certificate.hash != permit.certificate:
            raise Refusal(Reason.FOREIGN_CERTIFICATE, "certificate is of another bank")
        if epoch is None or epoch.number != permit.epoch:
            raise Refusal(Reason.NOT_OPEN, f"epoch {permit.epoch} is not open")
        epoch.require_open(now)
        if not hmac.compare_digest(certificate.context(epoch), permit.ctx):
            raise Refusal(Reason.WRONG_CONTEXT, "permit is for another context")
        try:
            check_element(permit.blinded)
        except OprfError as error:
            raise Refusal(Reason.MALFORMED, str(error)) from error
        if certificate.participant(self._holder).named:
            self._check_subject(request, permit, certificate, now)
        recorded = entry(Kind.UNLOCK, now, document=permit.hash, bank=permit.bank, ctx=permit.ctx)
        return Unlock(permit, recorded)

    def settle(self, unlock: Unlock, ledger: Ledger, budget: int, since: int) -> bool:
        """Decides inside the holder's transaction; true when the permit is new to it.

        `budget` is the most permits of a bank answered since `since`. The same permit again is
        answered again and costs nothing. Raises Refusal(bank_stopped), Refusal(replayed_permit),
        Refusal(budget_exhausted).
        """
        permit = unlock.permit
        if ledger.stopped(permit.bank):
            raise Refusal(Reason.BANK_STOPPED, f"{permit.bank} is stopped")
        by_id = ledger.permit_of_id(permit.id)
        by_element = ledger.permit_of_element(permit.blinded)
        if by_id is not None and by_id == by_element == permit.hash:
            return False
        if by_id is not None or by_element is not None:
            raise Refusal(Reason.REPLAYED_PERMIT, "id or element was used by another permit")
        if ledger.answered(permit.bank, since) >= budget:
            raise Refusal(Reason.BUDGET_EXHAUSTED, f"budget of {permit.bank} is used up")
        return True

    def answer(self, permit: Permit, evaluated: bytes, proof: bytes) -> Signed:
        """The signed evaluation of a settled, logged permit."""
        return UnlockAnswer(
            holder=self._holder,
            ctx=permit.ctx,
            permit=permit.hash,
            evaluated=evaluated,
            proof=proof,
        ).sign(self._key)

    def state_key(
        self, ctx: bytes, public_key: bytes, epoch: OpenEpoch, now: int
    ) -> tuple[Signed, bytes]:
        """The key statement of a ctx and its log entry; log it before anything is answered."""
        statement = KeyStatement(
            chain=self._members.root.chain,
            holder=self._holder,
            ctx=ctx,
            public_key=public_key,
            manifest=epoch.manifests[self._holder].hash,
        )
        return statement.sign(self._key), entry(Kind.CTX_KEY, now, document=statement.hash, ctx=ctx)

    def sign_table(
        self, ctx: bytes, bucket: int, table_hash: bytes, now: int
    ) -> tuple[Signed, bytes]:
        """The signed answer of a prepared bucket and its log entry."""
        answer = TableAnswer(holder=self._holder, ctx=ctx, bucket=bucket, table=table_hash)
        return answer.sign(self._key), entry(
            Kind.PREPARED, now, document=answer.hash, ctx=ctx, bucket=bucket
        )

    def _check_promise(self, logged: Logged, permit: Permit, now: int) -> None:
        hub = self._members.hub
        try:
            recorded = check_logged(logged, Kind.PERMIT, hub.id, hub.signing, now)
            if self._policy is PermitPolicy.PROOF:
                witnesses = witnesses_of(self._members, hub.id)
                verify_proof(logged.proof, logged.entry, hub.id, hub.signing, witnesses)
        except (SignatureInvalid, DocumentError) as error:
            raise Refusal(Reason.BAD_PROMISE, str(error)) from error
        if recorded.time != permit.issued:
            raise Refusal(Reason.BAD_PROMISE, "permit and its entry have different times")

    def _check_subject(
        self, request: UnlockRequest, permit: Permit, model: ModelCertificate, now: int
    ) -> None:
        """A named holder checks consent and proof itself before it answers."""
        if self._sealing is None:
            raise Refusal(Reason.NAMED_REQUIRED, "this holder has no key to be told the subject")
        try:
            evidence = open_as_named(request.named, permit.hash, self._holder, self._sealing)
        except (EnvelopeError, DocumentError) as error:
            raise Refusal(Reason.NAMED_REQUIRED, str(error)) from error
        check_evidence(evidence, permit, model, self._members.root, now)
