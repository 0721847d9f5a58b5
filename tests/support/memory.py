"""What hub and holders remember, in memory: the protocols `Registry` and `Ledger`."""

from __future__ import annotations

from dataclasses import dataclass, field

from federation.consent import Consent
from federation.exchange.hub import Draft, PermitRequest
from federation.identity import SpiffeId
from federation.permit import Permit


@dataclass
class MemoryRegistry:
    """A hub's registry. `record` is what its transaction does after `settle`."""

    queries: dict[bytes, tuple[Draft, ...]] = field(default_factory=dict)
    used: dict[bytes, int] = field(default_factory=dict)
    cancelled_hashes: set[bytes] = field(default_factory=set)
    elements: set[bytes] = field(default_factory=set)
    months: dict[tuple[bytes, int], set[int]] = field(default_factory=dict)

    def stored(self, query: bytes) -> tuple[Draft, ...] | None:
        return self.queries.get(query)

    def cancelled(self, consent: Consent) -> bool:
        return consent.hash in self.cancelled_hashes

    def uses(self, consent: Consent) -> int:
        return self.used.get(consent.hash, 0)

    def epochs(self, consent: Consent, month: int) -> frozenset[int]:
        return frozenset(self.months.get((consent.hash, month), ()))

    def element_used(self, blinded: bytes) -> bool:
        return blinded in self.elements

    def record(self, request: PermitRequest) -> None:
        self.queries[request.query] = request.drafts
        self.used[request.consent.hash] = self.uses(request.consent) + 1
        self.elements.update(draft.permit.blinded for draft in request.drafts)
        self.months.setdefault((request.consent.hash, request.month), set()).add(request.epoch)


@dataclass
class MemoryLedger:
    """A holder's ledger. `record` is what its transaction does after `settle`."""

    permits: list[tuple[Permit, int]] = field(default_factory=list)
    stopped_banks: set[SpiffeId] = field(default_factory=set)

    def permit_of_id(self, permit_id: bytes) -> bytes | None:
        return next((p.hash for p, _ in self.permits if p.id == permit_id), None)

    def permit_of_element(self, blinded: bytes) -> bytes | None:
        return next((p.hash for p, _ in self.permits if p.blinded == blinded), None)

    def stopped(self, bank: SpiffeId) -> bool:
        return bank in self.stopped_banks

    def answered(self, bank: SpiffeId, since: int) -> int:
        return sum(p.bank == bank and at >= since for p, at in self.permits)

    def record(self, permit: Permit, now: int) -> None:
        self.permits.append((permit, now))
