"""Queries at night and on days off, and the registered batches that may run then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from holidays.countries.china import China

from federation.audit.conduct.check import QueryCheck, of_query
from federation.audit.findings import Finding, FindingKind
from federation.audit.records import AuditedQuery, Event
from federation.audit.thresholds import AuditThresholds
from federation.auditkeys import CHINA
from federation.entries import Kind
from federation.purpose import Purpose


@dataclass(slots=True)
class _Batch:
    """A registered batch; `left` queries of it have not run."""

    since: int
    until: int
    left: int


class Batches:
    """The post-loan batches that banks registered, by bank and officer.

    A query belongs to one if it is of purpose 01, by the batch's officer, within its time, which
    the bank had registered before, and within its size. Memory: batches whose time is not over.
    """

    def __init__(self, thresholds: AuditThresholds) -> None:
        self._skew = thresholds.time_skew
        self._batches: dict[tuple[str, str], list[_Batch]] = {}

    def event(self, event: Event) -> None:
        """Takes an entry of a bank's log."""
        body = event.body
        if event.kind is not Kind.BATCH or body.get("purpose") != Purpose.POST_LOAN:
            return
        since, until, size = body.get("from"), body.get("until"), body.get("size")
        if isinstance(since, int) and isinstance(until, int) and isinstance(size, int):
            owner = (event.log, str(body.get("officer", "")))
            # What ran before the batch was registered was in no registered batch.
            batch = _Batch(max(since, event.time - self._skew), until, size)
            self._batches.setdefault(owner, []).append(batch)

    def covers(self, query: AuditedQuery) -> bool:
        """Whether the query belongs to a batch, of which it then takes one place."""
        if query.purpose != Purpose.POST_LOAN:
            return False
        for batch in self._batches.get((query.bank, query.officer), ()):
            if batch.since <= query.time <= batch.until and batch.left > 0:
                batch.left -= 1
                return True
        return False

    def advance(self, now: int) -> None:
        """Forgets batches that were over before `now` (unix seconds)."""
        for owner, batches in list(self._batches.items()):
            left = [b for b in batches if b.until + 2 * self._skew >= now]
            if left:
                self._batches[owner] = left
            else:
                del self._batches[owner]


class QuietHours(QueryCheck):
    """A query at night or on a statutory holiday, unless in a registered batch. No memory.

    Statutory holidays with their exchanged days off are those of the `holidays` package, which
    has the State Council's notice of a year once it is published; before that, and to correct it,
    the thresholds have dates.
    """

    def __init__(self, thresholds: AuditThresholds) -> None:
        self._limits = thresholds
        self._is_off = lru_cache(maxsize=1024)(self._day_off)

    def query(self, query: AuditedQuery, *, batched: bool) -> Iterator[Finding]:
        """A finding for each such query."""
        if batched:
            return
        moment = datetime.fromtimestamp(query.time, CHINA)
        quiet = self._at_night(moment.hour)
        if quiet or self._is_off(moment.date()):
            yield of_query(
                FindingKind.QUIET_HOURS,
                query,
                {"local": moment.isoformat(), "why": "night" if quiet else "holiday"},
            )

    def _at_night(self, hour: int) -> bool:
        begin, end = self._limits.quiet_from, self._limits.quiet_until
        return begin <= hour < end if begin <= end else hour >= begin or hour < end

    def _day_off(self, day: date) -> bool:
        if day in self._limits.working_days:
            return False
        return day in self._limits.holidays or day in _statutory(day.year)


@lru_cache(maxsize=32)
def _statutory(year: int) -> frozenset[date]:
    return frozenset(China(years=year))  # type: ignore[no-untyped-call]
