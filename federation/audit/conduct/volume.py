"""How much a user asks: within an hour, and on a day against its own month before.

A user is an officer's pseudonym at a bank. Queries of registered batches are not counted: their
number was registered. Findings carry no query id: no single query is at fault.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from math import sqrt

from federation.audit.conduct.check import QueryCheck
from federation.audit.findings import Finding, FindingKind
from federation.audit.records import AuditedQuery
from federation.audit.thresholds import DAY, HOUR, AuditThresholds

_CHINA_OFFSET = 8 * HOUR
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def china_day(time: int) -> int:
    """The number of the day in China: days since 1970-01-01."""
    return (time + _CHINA_OFFSET) // DAY


class VolumeHour(QueryCheck):
    """More queries within 60 minutes than allowed; found once a user and clock hour.

    Memory: the times of the last hour.
    """

    def __init__(self, thresholds: AuditThresholds) -> None:
        self._most = thresholds.volume_hour
        self._times: dict[tuple[str, str], deque[int]] = {}

    def query(self, query: AuditedQuery, *, batched: bool) -> Iterator[Finding]:
        """A finding with the query that is one too many."""
        if batched:
            return
        times = self._times.setdefault((query.bank, query.officer), deque())
        times.append(query.time)
        while times[0] <= query.time - HOUR:
            times.popleft()
        if len(times) > self._most:
            hour = query.time // HOUR * HOUR
            yield Finding(
                kind=FindingKind.VOLUME_HOUR,
                subject=query.bank,
                evidence={
                    "officer": query.officer,
                    "from": times[0],
                    "until": query.time,
                    "queries": len(times),
                    "allowed": self._most,
                },
                key=f"{query.officer} {hour}",
            )
            times.clear()  # the next finding needs as many again

    def advance(self, now: int) -> Iterator[Finding]:
        """Forgets users who asked nothing for an hour."""
        for user in [u for u, times in self._times.items() if not times or times[-1] < now - HOUR]:
            del self._times[user]
        yield from ()


@dataclass(slots=True)
class _User:
    first: int
    days: dict[int, int] = field(default_factory=dict)
    judged: tuple[int, float] = (-1, 0.0)
    """A day, and the most queries of it that are not unusual."""


class VolumeDay(QueryCheck):
    """A day with more queries than the user's mean of the days before and so many deviations.

    Days without a query count as zero from the user's first one on. Found once a user and day.
    Memory: a number for each of the days before.
    """

    def __init__(self, thresholds: AuditThresholds) -> None:
        self._limits = thresholds
        self._users: dict[tuple[str, str], _User] = {}

    def query(self, query: AuditedQuery, *, batched: bool) -> Iterator[Finding]:
        """A finding with the query with which the day becomes unusual."""
        if batched:
            return
        day = china_day(query.time)
        user = self._users.setdefault((query.bank, query.officer), _User(day))
        count = user.days[day] = user.days.get(day, 0) + 1
        if user.judged[0] != day:
            user.judged = (day, self._most(user, day))
        most = user.judged[1]
        if count > most >= count - 1:
            yield Finding(
                kind=FindingKind.VOLUME_DAY,
                subject=query.bank,
                evidence={
                    "officer": query.officer,
                    "day": date.fromordinal(day + _EPOCH_DAY).isoformat(),
                    "queries": count,
                    "allowed": int(most),
                },
                key=f"{query.officer} {day}",
            )

    def advance(self, now: int) -> Iterator[Finding]:
        """Forgets users who asked nothing in all the days before."""
        oldest = china_day(now) - self._limits.volume_days
        for name in [n for n, user in self._users.items() if max(user.days) < oldest]:
            del self._users[name]
        yield from ()

    def _most(self, user: _User, day: int) -> float:
        oldest = max(user.first, day - self._limits.volume_days)
        user.days = {d: n for d, n in user.days.items() if d >= day - self._limits.volume_days}
        if day - user.first < self._limits.volume_history:
            return float("inf")
        before = [user.days.get(d, 0) for d in range(oldest, day)]
        mean = sum(before) / len(before)
        variance = sum(n * n for n in before) / len(before) - mean * mean
        unusual = mean + self._limits.volume_sigmas * sqrt(max(variance, 0.0))
        return max(unusual, float(self._limits.volume_floor))
