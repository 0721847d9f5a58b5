"""How often consents were used, over all queries of the hub's log.

What a hub has to count in its transaction is counted again here: uses, epochs of a month,
cancellations, elements and permit ids. All permits of one query share one use; so the uses of a
consent under one model are the most permits that any one group of its holders was given. A
finding is about the permit with which the limit was passed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from federation.audit.cancellations import Cancelled
from federation.audit.findings import Finding, FindingKind
from federation.audit.recent import Recent
from federation.audit.records import AuditedQuery, ConsentFacts
from federation.canonical import b64

_SWEEP_SECONDS = 86_400


@dataclass(slots=True)
class _Use:
    """The uses of one consent so far."""

    expires: int
    uses: int = 0
    queries: Counter[bytes] = field(default_factory=Counter)
    """Queries by model."""
    permits: Counter[tuple[bytes, tuple[str, ...]]] = field(default_factory=Counter)
    """Permits by model and audience."""
    epochs: dict[int, list[int]] = field(default_factory=dict)
    """Epochs by calendar month, in order of first use."""


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
        group = (query.model, query.audience)
        use.permits[group] += 1
        if use.permits[group] <= use.queries[query.model]:
            return  # another permit of a query that was counted
        use.queries[query.model] += 1
        use.uses += 1
        if use.uses > consent.uses:
            yield self._found(
                FindingKind.USES_EXCEEDED, query, {"uses": use.uses, "granted": consent.uses}
            )
        epochs = use.epochs.setdefault(query.month, [])
        if query.epoch not in epochs:
            epochs.append(query.epoch)
        if query.epochs_a_month and epochs.index(query.epoch) >= query.epochs_a_month:
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
