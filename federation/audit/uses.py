"""How often consents were used, over all queries of the hub's log.

What a hub has to count in its transaction is counted again here: uses, epochs of a month,
cancellations, elements and permit ids. All permits of one query share one use; so the uses of a
consent under one model are the most permits that any one group of its holders was given. A
finding is about the permit with which the limit was passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from federation.audit.cancellations import Cancelled
from federation.audit.findings import Finding, FindingKind
from federation.audit.recent import Recent
from federation.audit.records import AuditedQuery, ConsentFacts
from federation.canonical import b64

_SWEEP_SECONDS = 86_400


@dataclass(slots=True)
class _Use:
    """The uses of one consent so far. Short tuples: there is one for each consent that holds, and
    most consents are used once.
    """

    expires: int
    uses: int = 0
    permits: tuple[tuple[bytes, tuple[str, ...], int], ...] = ()
    """Model, audience, and how many permits."""
    epochs: tuple[tuple[int, int], ...] = ()
    """Calendar month and epoch, in order of first use."""

    def begins(self, model: bytes, audience: tuple[str, ...]) -> bool:
        """Counts a permit; whether it is the first of its query."""
        counts = [count for m, a, count in self.permits if (m, a) == (model, audience)]
        queries = max((count for m, _, count in self.permits if m == model), default=0)
        others = tuple(p for p in self.permits if p[:2] != (model, audience))
        count = sum(counts) + 1
        self.permits = (*others, (model, audience, count))
        self.uses += count > queries
        return count > queries

    def in_month(self, month: int, epoch: int) -> int:
        """Counts an epoch; which one of the month it is, from 1."""
        if (month, epoch) not in self.epochs:
            self.epochs = (*self.epochs, (month, epoch))
        return [e for m, e in self.epochs if m == month].index(epoch) + 1


class ConsentUses:
    """Fed every query and cancellation of one hub, in order. Memory: consents that hold, and
    the elements and ids of one to two windows (`recent`).
    """

    def __init__(self, hub: str) -> None:
        """`hub` is the SPIFFE id of the hub, the subject of what is found."""
        self._hub = hub
        self._consents: dict[bytes, _Use] = {}
        self._cancelled: dict[bytes, Cancelled] = {}
        self._elements: Recent[bytes, bytes] = Recent()
        self._ids: Recent[bytes, bytes] = Recent()
        # Models and audiences are few: each is kept once, and not with every consent.
        self._models: dict[bytes, bytes] = {}
        self._audiences: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._swept = 0

    def cancelled(self, cancelled: Cancelled) -> None:
        """A consent that may not be used from here on. Kept: a consent names no end that a
        dishonest hub could not have ignored.
        """
        self._cancelled.setdefault(cancelled.consent, cancelled)

    def query(self, query: AuditedQuery) -> list[Finding]:
        """Takes the next query; one that was logged before must not come here again."""
        found = list(self._reuse(query))
        if query.consent is not None:
            found += self._use(query, query.consent)
        return found

    def advance(self, now: int) -> None:
        """Forgets consents that ended before `now` (unix seconds)."""
        if now - self._swept < _SWEEP_SECONDS:
            return
        self._swept = now
        ended = [h for h, use in self._consents.items() if use.expires < now - _SWEEP_SECONDS]
        for consent in ended:
            del self._consents[consent]

    def _reuse(self, query: AuditedQuery) -> Iterator[Finding]:
        pairs = (
            (FindingKind.ELEMENT_REUSED, self._elements, query.blinded),
            (FindingKind.PERMIT_ID_REUSED, self._ids, query.permit_id),
        )
        for kind, seen, value in pairs:
            if not value:
                continue
            first = seen.get(value)
            if first is None:
                seen.put(value, query.id, query.time)
            else:
                yield self._found(kind, query, {"first": b64(first)})

    def _use(self, query: AuditedQuery, consent: ConsentFacts) -> Iterator[Finding]:
        use = self._consents.setdefault(consent.hash, _Use(consent.expires))
        ended = self._cancelled.get(consent.hash)
        if ended is not None and query.index > ended.index:
            at = {"cancelled": ended.time, "entry": ended.index}
            yield self._found(FindingKind.CONSENT_CANCELLED, query, at)
        model = self._models.setdefault(query.model, query.model)
        audience = self._audiences.setdefault(query.audience, query.audience)
        if not use.begins(model, audience):
            return
        if use.uses > consent.uses:
            yield self._found(
                FindingKind.USES_EXCEEDED, query, {"uses": use.uses, "granted": consent.uses}
            )
        epochs = use.in_month(query.month, query.epoch)
        if query.epochs_a_month and epochs > query.epochs_a_month:
            yield self._found(
                FindingKind.EPOCHS_EXCEEDED,
                query,
                {"month": query.month, "epoch": query.epoch, "certified": query.epochs_a_month},
            )

    def _found(
        self, kind: FindingKind, query: AuditedQuery, more: Mapping[str, str | int]
    ) -> Finding:
        evidence: dict[str, str | int] = {"index": query.index, "time": query.time, **more}
        return Finding(kind=kind, subject=self._hub, query=query.id, evidence=evidence)
