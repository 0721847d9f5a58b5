"""Whether there was business behind a query: an application, a loan, and no administrator."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from federation.audit.conduct.check import QueryCheck, of_query
from federation.audit.findings import Finding, FindingKind
from federation.audit.records import AuditedQuery, Event
from federation.audit.thresholds import DAY, AuditThresholds
from federation.auditkeys import calendar_month, month_start, months_later
from federation.entries import Kind
from federation.purpose import Purpose

APPROVAL = frozenset({Purpose.LOAN_APPROVAL.value, Purpose.FINANCING_APPROVAL.value})


class _Dossiers:
    """Applications or loans by bank and reference: when last opened and closed.

    Memory: those open, and those closed within `keep` seconds.
    """

    def __init__(self, opened: Kind, closed: Kind, keep: int) -> None:
        self._kinds = (opened, closed)
        self._keep = keep
        self._dossiers: dict[tuple[str, str], tuple[int, int | None]] = {}

    def event(self, event: Event) -> None:
        """Takes an entry of a bank's log."""
        if event.kind not in self._kinds:
            return
        name = (event.log, str(event.body.get("reference", "")))
        known = self._dossiers.get(name)
        if event.kind is self._kinds[0]:
            if known is None or known[1] is not None:
                self._dossiers[name] = (event.time, None)
        elif known is not None and known[1] is None:
            self._dossiers[name] = (known[0], event.time)

    def open_within(self, bank: str, reference: str, since: int, until: int) -> bool:
        """Whether the dossier was open at any time from `since` to `until`."""
        known = self._dossiers.get((bank, reference)) if reference else None
        if known is None:
            return False
        opened, closed = known
        return opened <= until and (closed is None or closed >= since)

    def forget(self, now: int) -> None:
        """Forgets what was closed long enough ago."""
        over = [
            name
            for name, (_, closed) in self._dossiers.items()
            if closed is not None and closed < now - self._keep
        ]
        for name in over:
            del self._dossiers[name]


class LiveLoan:
    """A post-loan query has the reference of a loan that the bank had open at the time."""

    def __init__(self, thresholds: AuditThresholds) -> None:
        self._skew = thresholds.time_skew
        self._loans = _Dossiers(Kind.LOAN_OPENED, Kind.LOAN_CLOSED, 4 * self._skew)

    def query(self, query: AuditedQuery, *, batched: bool) -> Iterator[Finding]:
        """A finding for each query without."""
        if query.purpose != Purpose.POST_LOAN:
            return
        since, until = query.time - self._skew, query.time + self._skew
        if not self._loans.open_within(query.bank, query.reference, since, until):
            yield of_query(FindingKind.NO_LIVE_LOAN, query, {"reference": query.reference})

    def event(self, event: Event) -> None:
        """Takes loans opened and closed."""
        self._loans.event(event)

    def advance(self, now: int) -> Iterator[Finding]:
        """Forgets loans that are closed."""
        self._loans.forget(now)
        yield from ()


class _Waiting(NamedTuple):
    """An approval query whose application may still be opened."""

    due: int
    bank: str
    month: int
    reference: str
    time: int


@dataclass(slots=True)
class _Month:
    """The approval queries of an institution in a calendar month."""

    queries: int = 0
    without: int = 0


class Applications:
    """The share of an institution's approval queries of a calendar month without an application.

    A query counts as without when no application with its reference was open at its time, or was
    opened within the days after. A month is judged once that can be said of all its queries. The
    finding carries no query id: each such query alone may be a firm that thought better of it.
    """

    def __init__(self, thresholds: AuditThresholds) -> None:
        self._limits = thresholds
        self._wait = thresholds.application_days * DAY + thresholds.time_skew
        self._applications = _Dossiers(
            Kind.APPLICATION_OPENED, Kind.APPLICATION_CLOSED, self._wait + DAY
        )
        self._waiting: deque[_Waiting] = deque()
        self._months: dict[tuple[str, int], _Month] = {}

    def query(self, query: AuditedQuery, *, batched: bool) -> Iterator[Finding]:
        """Takes the query; findings come with the month."""
        if query.purpose in APPROVAL:
            month = calendar_month(query.time)
            due = query.time + self._wait
            self._waiting.append(_Waiting(due, query.bank, month, query.reference, query.time))
        yield from ()

    def event(self, event: Event) -> None:
        """Takes applications opened and closed."""
        self._applications.event(event)

    def advance(self, now: int) -> Iterator[Finding]:
        """Judges the months all of whose queries are old enough."""
        while self._waiting and self._waiting[0].due <= now:
            waited = self._waiting.popleft()
            month = self._months.setdefault((waited.bank, waited.month), _Month())
            month.queries += 1
            since, until = waited.time - self._limits.time_skew, waited.due
            month.without += not self._applications.open_within(
                waited.bank, waited.reference, since, until
            )
        for (bank, number), month in list(self._months.items()):
            if month_start(months_later(number, 1)) + self._wait <= now:
                del self._months[bank, number]
                yield from self._judge(bank, number, month)
        self._applications.forget(now)

    def _judge(self, bank: str, number: int, month: _Month) -> Iterator[Finding]:
        if month.queries < self._limits.application_minimum:
            return
        if month.without > self._limits.application_share * month.queries:
            yield Finding(
                kind=FindingKind.NO_APPLICATION,
                subject=bank,
                evidence={"month": number, "queries": month.queries, "without": month.without},
                key=str(number),
            )


class Administrators(QueryCheck):
    """A query by an account that did an administrator's action at the bank before.

    Memory: one time for each account that did any.
    """

    def __init__(self, thresholds: AuditThresholds) -> None:
        self._seconds = thresholds.administrator_days * DAY
        self._skew = thresholds.time_skew
        self._acted: dict[tuple[str, str], int] = {}

    def query(self, query: AuditedQuery, *, batched: bool) -> Iterator[Finding]:
        """A finding for each such query."""
        acted = self._acted.get((query.bank, query.officer)) if query.officer else None
        if acted is not None and acted > query.time - self._seconds:
            yield of_query(FindingKind.ADMINISTRATOR_QUERIES, query, {"acted": acted})

    def event(self, event: Event) -> None:
        """Takes administrators' actions."""
        if event.kind is Kind.ADMIN:
            self._acted[event.log, str(event.body.get("by", ""))] = event.time
