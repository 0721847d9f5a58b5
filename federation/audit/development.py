"""Developments without data: whose labels were counted, how often, and what it cost a firm.

The regulator's own log says which labels it certified, for which bank and at what cost ρ
(`federation.development.privacy`); holders log what they released, banks what they received. A
holder releases once under a certificate: a second sample of the noise would halve its variance.
What a release cost follows from its certificate; a holder's own figure is believed only above that.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterator

from federation.audit.findings import Finding, FindingKind
from federation.audit.reconcile import role_of
from federation.audit.records import Event
from federation.audit.sources import Books
from federation.audit.thresholds import AuditThresholds
from federation.canonical import b64, unb64
from federation.development import privacy
from federation.entries import Kind
from federation.errors import DocumentError
from federation.identity import Role

DEVELOPMENT_KINDS = frozenset(
    {Kind.LABELS, Kind.LABELS_INSTALLED, Kind.COUNTS, Kind.COUNTS_RECEIVED}
)
_Key = tuple[str, ...]


class _Spending:
    """ρ within 365 days, by whom or for whom."""

    def __init__(self, epsilon: float) -> None:
        delta = 10.0**-privacy.DELTA_EXPONENT
        self.limit = math.ceil(privacy.rho(epsilon, delta) * privacy.NANO)
        self._spent: defaultdict[_Key, deque[tuple[int, int]]] = defaultdict(deque)

    def add(self, key: _Key, time: int, rho: int) -> int:
        """What is spent with this, where that is over the limit, else 0."""
        recent = self._spent[key]
        recent.append((time, rho))
        while recent[0][0] <= time - privacy.YEAR_SECONDS:
            recent.popleft()
        total = sum(part for _, part in recent)
        return total if total > self.limit else 0


class Developments:
    """Fed every entry of those kinds, of all logs. Memory: a few numbers a certificate and holder,
    for ever: a certificate must not be answered again, however late.
    """

    def __init__(self, regulator: str, thresholds: AuditThresholds, books: Books) -> None:
        """`regulator` is the SPIFFE id of the log whose certificates count."""
        self._regulator = regulator
        self._books = books
        self._skew = thresholds.time_skew
        self._grace = thresholds.bank_grace
        self._certified: dict[str, str] = {}
        self._released: dict[tuple[str, str], Event] = {}
        self._statements: set[tuple[str, bytes]] = set()
        self._received: set[bytes] = set()
        self._used: list[Event] = []
        self._unmatched: list[Event] = []
        self._bank = _Spending(thresholds.development_bank_epsilon)
        self._holder = _Spending(thresholds.development_holder_epsilon)

    def event(self, event: Event) -> list[Finding]:
        """Takes the next entry; kinds that have no part in this are passed over."""
        if event.kind not in DEVELOPMENT_KINDS:
            return []
        if event.kind is Kind.LABELS and event.log == self._regulator:
            bank = str(event.body.get("bank", ""))
            self._certified[b64(event.subject)] = bank
            # Affiliates are one bank to the regulator; holders do not know of them.
            key = "certified", self._books.group(bank)
            return list(self._over(self._bank, event, bank, key, _rho(event)))
        self._used.append(event)
        if event.kind is Kind.COUNTS_RECEIVED:
            self._received.add(event.subject)
            self._unmatched.append(event)
        if event.kind is Kind.COUNTS and role_of(event.log) is Role.HOLDER:
            return list(self._release(event))
        return []

    def advance(self, now: int) -> list[Finding]:
        """Judges what has waited for its grace at `now` (unix seconds)."""
        due = [event for event in self._used if event.time + self._skew <= now]
        self._used = [event for event in self._used if event.time + self._skew > now]
        found = [finding for event in due for finding in self._uncertified(event)]
        late = [event for event in self._unmatched if event.time + self._grace <= now]
        self._unmatched = [event for event in self._unmatched if event.time + self._grace > now]
        return found + [finding for event in late for finding in self._alone(event)]

    def _release(self, event: Event) -> Iterator[Finding]:
        certificate, bank = _certificate(event), str(event.body.get("bank", ""))
        self._statements.add((event.log, event.subject))
        first = self._released.setdefault((event.log, certificate), event)
        if first is not event:
            if first.subject == event.subject:
                return
            yield _found(
                FindingKind.COUNTS_REPEATED,
                event.log,
                event,
                key=f"{certificate} {b64(event.subject)}",
                first_epoch=first.body.get("epoch", 0),
                epoch=event.body.get("epoch", 0),
            )
        self._unmatched.append(event)
        stated, certified = _rho(event), self._books.counting_cost(_hash(certificate), event.log)
        if certified not in (None, stated):
            yield _found(
                FindingKind.COUNTS_MISSTATED,
                event.log,
                event,
                key=f"{certificate} {b64(event.subject)}",
                rho=stated,
                certified=certified or 0,
            )
        rho = max(stated, certified or 0)
        yield from self._over(self._bank, event, event.log, (event.log, bank), rho)
        yield from self._over(self._holder, event, event.log, (event.log,), rho)

    def _over(
        self, spending: _Spending, event: Event, subject: str, key: _Key, rho: int
    ) -> Iterator[Finding]:
        total = spending.add(key, event.time, rho)
        if total:
            yield _found(
                FindingKind.DEVELOPMENT_OVER_BUDGET,
                subject,
                event,
                key=f"{' '.join(key)} {_certificate(event)} {b64(event.subject)}",
                rho=total,
                limit=spending.limit,
            )

    def _uncertified(self, event: Event) -> Iterator[Finding]:
        """Labels or counts of a certificate that the regulator never logged, or for another bank.

        A bank's own entries name no bank: they are about itself.
        """
        certificate = _certificate(event)
        bank = self._certified.get(certificate)
        own = event.log if role_of(event.log) is Role.BANK else event.body.get("bank")
        if bank is None or bank != own:
            key = f"{event.kind} {certificate}"
            yield _found(FindingKind.LABELS_UNCERTIFIED, event.log, event, key=key)

    def _alone(self, event: Event) -> Iterator[Finding]:
        """Counts that only one of holder and bank has in its log."""
        key = b64(event.subject)
        if event.kind is Kind.COUNTS:
            if event.subject not in self._received:
                bank = str(event.body.get("bank", ""))
                yield _found(FindingKind.COUNTS_RECEIPT_MISSING, bank, event, key=key)
            return
        holder = str(event.body.get("holder", ""))
        if (holder, event.subject) not in self._statements:
            yield _found(FindingKind.COUNTS_UNLOGGED, holder, event, key=key)


def _certificate(event: Event) -> str:
    """The certificate that an entry is about: its document, but of counts, which name both."""
    named = event.body.get("certificate")
    return named if isinstance(named, str) else b64(event.subject)


def _rho(event: Event) -> int:
    """The cost that an entry states; one that is no number, or less than nothing, is nothing."""
    rho = event.body.get("rho", 0)
    return max(0, rho) if isinstance(rho, int) else 0


def _hash(certificate: str) -> bytes:
    try:
        return unb64(certificate, "certificate")
    except DocumentError:
        return b""


def _found(
    kind: FindingKind, subject: str, event: Event, *, key: str, **more: str | int
) -> Finding:
    evidence: dict[str, str | int] = {
        "log": event.log,
        "index": event.index,
        "time": event.time,
        "certificate": _certificate(event),
    }
    return Finding(kind=kind, subject=subject, evidence=evidence | more, key=key)
