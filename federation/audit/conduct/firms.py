"""Who asks about one firm again and again: a user, many institutions, near-identical models."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from federation.audit.conduct.check import QueryCheck, of_query
from federation.audit.findings import Finding, FindingKind
from federation.audit.records import AuditedQuery
from federation.audit.sources import Books
from federation.audit.thresholds import DAY, AuditThresholds
from federation.canonical import b64

_PAIRS = 65_536


class _Asked(NamedTuple):
    """A query about a firm."""

    time: int
    bank: str
    officer: str
    model: bytes


class _Firms:
    """The queries about each firm within a window. Memory: those queries."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._firms: dict[str, deque[_Asked]] = {}

    def add(self, query: AuditedQuery) -> deque[_Asked]:
        """The queries about the firm within the window, this one at their end."""
        asked = self._firms.setdefault(query.uscc, deque())
        while asked and asked[0].time <= query.time - self._seconds:
            asked.popleft()
        asked.append(_Asked(query.time, query.bank, query.officer, query.model))
        return asked

    def forget(self, now: int) -> None:
        """Forgets firms about which nobody asked within the window."""
        over = [u for u, asked in self._firms.items() if asked[-1].time <= now - self._seconds]
        for uscc in over:
            del self._firms[uscc]


class SameFirm(QueryCheck):
    """The same firm by one user or by many institutions within some days.

    By a user: each query from the third on. By institutions: each query by which another one, the
    fourth or a later, comes to those that asked.
    """

    def __init__(self, thresholds: AuditThresholds) -> None:
        self._limits = thresholds
        self._firms = _Firms(thresholds.same_firm_days * DAY)

    def query(self, query: AuditedQuery, *, batched: bool) -> Iterator[Finding]:
        """Findings about this query."""
        if not query.uscc:
            return
        asked = self._firms.add(query)
        mine = sum((a.bank, a.officer) == (query.bank, query.officer) for a in asked)
        if mine >= self._limits.same_firm_user:
            yield of_query(FindingKind.SAME_FIRM_USER, query, {"queries": mine})
        before = {a.bank for a in list(asked)[:-1]}
        if query.bank not in before and len(before) + 1 >= self._limits.same_firm_banks:
            yield of_query(FindingKind.SAME_FIRM_BANKS, query, {"institutions": len(before) + 1})

    def advance(self, now: int) -> Iterator[Finding]:
        """Forgets what is older than the window."""
        self._firms.forget(now)
        yield from ()


class Probing(QueryCheck):
    """One firm asked about with two models of a bank that differ in a few columns.

    The difference of the two scores is what those columns are worth to the firm. Two models with
    the same points in every column tell nothing more than one, as when a certificate is renewed.
    """

    def __init__(self, thresholds: AuditThresholds, books: Books) -> None:
        self._limits = thresholds
        self._books = books
        self._firms = _Firms(thresholds.probing_days * DAY)
        self._distance = lru_cache(maxsize=_PAIRS)(self._measured)

    def query(self, query: AuditedQuery, *, batched: bool) -> Iterator[Finding]:
        """A finding about this query if a near-identical model was asked before it."""
        if not query.uscc or not query.model:
            return
        asked = self._firms.add(query)
        models = {a.model: a for a in asked if a.bank == query.bank and a.model != query.model}
        for other, earlier in models.items():
            different, columns = self._distance(*sorted((query.model, other)))
            if 0 < different <= self._limits.probing_share * columns:
                yield of_query(
                    FindingKind.PROBING,
                    query,
                    {
                        "model": b64(query.model),
                        "other": b64(other),
                        "other_time": earlier.time,
                        "different": different,
                        "columns": columns,
                    },
                )
                return

    def advance(self, now: int) -> Iterator[Finding]:
        """Forgets what is older than the window."""
        self._firms.forget(now)
        yield from ()

    def _measured(self, one: bytes, other: bytes) -> tuple[int, int]:
        """In how many columns two models differ, and how many they have together."""
        first, second = self._books.points(one), self._books.points(other)
        if first is None or second is None:
            return 0, 0
        return _difference(first, second)


def _difference(first: Mapping[str, int], second: Mapping[str, int]) -> tuple[int, int]:
    columns = first.keys() | second.keys()
    return sum(first.get(c, 0) != second.get(c, 0) for c in columns), len(columns)
