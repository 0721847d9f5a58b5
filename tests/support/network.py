"""Queries over the chain in memory: the hub's and the holders' desks with their memories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from federation.consent import Consent
from federation.entries import Logged, promise
from federation.exchange.bank import OpenQuery, begin_query, open_record
from federation.exchange.hub import PermitDesk, PermitRequest, Settled
from federation.exchange.messages import QueryReply, QueryRequest, UnlockRequest
from federation.identity import SpiffeId
from federation.permit import Permit
from federation.purpose import Purpose
from federation.signed import Signed
from scoring.oprf import blind_evaluate
from scoring.record import Record
from support.chain import HARBOUR, HUB, NOW, Chain
from support.memory import MemoryLedger, MemoryRegistry
from support.people import Firm, Model

BUDGET = 100


@dataclass
class Network:
    """One test's hub and holders. Logs and envelopes are kept as the nodes would keep them."""

    chain: Chain
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    ledgers: dict[SpiffeId, MemoryLedger] = field(default_factory=dict)
    hub_log: list[tuple[bytes, bytes, Signed]] = field(default_factory=list)
    """Entry, envelope and permit of every use."""
    holder_logs: dict[SpiffeId, list[bytes]] = field(default_factory=dict)
    seen: dict[SpiffeId, list[UnlockRequest]] = field(default_factory=dict)

    # --- hub ----------------------------------------------------------------------------------

    @property
    def permit_desk(self) -> PermitDesk:
        return PermitDesk(
            HUB, self.chain.members, self.chain.signing[HUB], self.chain.audit.sealing
        )

    def examine(
        self, request: QueryRequest, bank: SpiffeId = HARBOUR, now: int = NOW
    ) -> PermitRequest:
        model = self.chain.model_of(request.certificate_hash)
        return self.permit_desk.examine(
            request,
            bank,
            model.certificate if model else None,
            self.chain.epochs.get(request.epoch),
            self.chain.roster,
            now,
        )

    def permits(
        self, request: QueryRequest, bank: SpiffeId = HARBOUR, now: int = NOW
    ) -> tuple[UnlockRequest, ...]:
        """Examines, settles and logs a request, as a hub does it in one transaction."""
        examined = self.examine(request, bank, now)
        settled: Settled = self.permit_desk.settle(examined, self.registry)
        if settled.fresh:
            self.registry.record(examined)
            for draft in settled.drafts:
                self.hub_log.append((draft.entry, draft.envelope, draft.signed))
        return tuple(
            UnlockRequest(self.logged(draft.signed, draft.entry, now), draft.named)
            for draft in settled.drafts
        )

    def logged(self, document: Signed, entry: bytes, now: int = NOW) -> Logged:
        return Logged(document, entry, promise(HUB, entry, self.chain.signing[HUB], now))

    # --- holder -------------------------------------------------------------------------------

    def ledger(self, holder: SpiffeId) -> MemoryLedger:
        return self.ledgers.setdefault(holder, MemoryLedger())

    def unlock(
        self, holder: SpiffeId, request: UnlockRequest, now: int = NOW, budget: int = BUDGET
    ) -> Signed:
        """Everything that a holder does with a permit, in the order of section 5."""
        self.seen.setdefault(holder, []).append(request)
        desk, ledger = self.chain.desk(holder), self.ledger(holder)
        permit = desk.read(request)
        model = self.chain.model_of(permit.certificate)
        certificate = model.certificate if model else None
        unlock = desk.examine(
            request, permit, certificate, self.chain.epochs.get(permit.epoch), now
        )
        if desk.settle(unlock, ledger, budget, now - 86_400):
            self.holder_logs.setdefault(holder, []).append(unlock.entry)
            ledger.record(permit, now)
        return self.evaluate(holder, permit)

    def evaluate(self, holder: SpiffeId, permit: Permit) -> Signed:
        keys = self.chain.holders[holder].keys(permit.ctx, permit.epoch)
        done = blind_evaluate(keys, [permit.blinded])
        return self.chain.desk(holder).answer(permit, done.elements[0], done.proof)

    # --- bank ---------------------------------------------------------------------------------

    def begin(
        self,
        model: Model,
        consent: Consent,
        epoch: int = 1,
        purpose: str = Purpose.LOAN_APPROVAL,
        **pseudonyms: str,
    ) -> OpenQuery:
        session = self.chain.session(model, epoch)
        return begin_query(session, consent, purpose=purpose, **pseudonyms)

    def collect(
        self, requests: Sequence[UnlockRequest], holders: Sequence[SpiffeId], now: int = NOW
    ) -> QueryReply:
        """Every holder's answer to the permit whose audience it is in."""
        answers = []
        for holder in holders:
            mine = next(
                request
                for request in requests
                if holder in Permit.parse(request.permit.document.payload).audience
            )
            answers.append(self.unlock(holder, mine, now))
        return QueryReply(tuple(request.permit for request in requests), tuple(answers))

    def ask(self, query: OpenQuery, bank: SpiffeId = HARBOUR, now: int = NOW) -> QueryReply:
        model = self.chain.model_of(query.request.certificate_hash)
        holders = model.certificate.holders if model else ()
        return self.collect(self.permits(query.request, bank, now), holders, now)

    def open(
        self,
        query: OpenQuery,
        reply: QueryReply,
        model: Model,
        firm: Firm,
        epoch: int = 1,
        now: int = NOW,
    ) -> Record:
        word = int(self.chain.table(model, epoch)[self.chain.row(firm)])
        session, layout = self.chain.session(model, epoch), model.scorecard.layout()
        return open_record(query, reply, session, self.chain.members, layout, word, now)

    def query(
        self, model: Model, firm: Firm, consent: Consent | None = None, epoch: int = 1
    ) -> Record:
        """A whole honest query of the model's bank."""
        bank = model.certificate.bank
        given = consent if consent is not None else self.chain.consent(firm, bank=bank)
        query = self.begin(model, given, epoch)
        return self.open(query, self.ask(query, bank), model, firm, epoch)
