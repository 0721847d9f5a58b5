"""Who asks about one firm again and again: a user, many institutions, near-identical models."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from functools import lru_cache
from sys import intern
from typing import TypeVar

from federation.audit.conduct.check import QueryCheck, of_query
from federation.audit.findings import Finding, FindingKind
from federation.audit.records import AuditedQuery
from federation.audit.sources import Books
from federation.audit.thresholds import DAY, AuditThresholds
from federation.canonical import b64

_PAIRS = 65_536
K = TypeVar("K")


class SameFirm(QueryCheck):
    """The same firm by one user or by many institutions within some days.

    By a user: each query from the third on. By institutions: each query by which another one, the
    fourth or a later, comes to those that asked. Memory: the queries of the window.
    """

    def __init__(self, thresholds: AuditThresholds) -> None:
        self._limits = thresholds
        self._window = thresholds.same_firm_days * DAY
        self._asked: deque[tuple[int, str, str, str]] = deque()
        """Time, firm, bank and officer of each query of the window."""
        self._users: Counter[tuple[str, str, str]] = Counter()
        self._banks: Counter[tuple[str, str]] = Counter()
        self._institutions: Counter[str] = Counter()

    def query(self, query: AuditedQuery, *, batched: bool) -> Iterator[Finding]:
        """Findings about this query."""
        self._forget(query.time - self._window)
        if not query.uscc:
            return
        firm, bank = query.uscc, intern(query.bank)
        self._asked.append((query.time, firm, bank, query.officer))
        self._users[firm, bank, query.officer] += 1
        self._banks[firm, bank] += 1
        mine = self._users[firm, bank, query.officer]
        if mine >= self._limits.same_firm_user:
            yield of_query(FindingKind.SAME_FIRM_USER, query, {"queries": mine})
        if self._banks[firm, bank] > 1:
            return
        self._institutions[firm] += 1
        institutions = self._institutions[firm]
        if institutions >= self._limits.same_firm_banks:
            yield of_query(FindingKind.SAME_FIRM_BANKS, query, {"institutions": institutions})

    def _forget(self, until: int) -> None:
        while self._asked and self._asked[0][0] <= until:
            _, firm, bank, officer = self._asked.popleft()
            _less(self._users, (firm, bank, officer))
            if _less(self._banks, (firm, bank)):
                _less(self._institutions, firm)


def _less(counts: Counter[K], key: K) -> bool:
    """Takes one away; whether none is left."""
    counts[key] -= 1
    if counts[key]:
        return False
    del counts[key]
    return True


class Probing(QueryCheck):
    """One firm asked about with two models of a bank that differ in a few columns.

    The difference of the two scores is what those columns are worth to the firm. Two models with
    the same points in every column tell nothing more than one, as when a certificate is renewed.
    Memory: the last query about each firm with each model within the window.
    """

    def __init__(self, thresholds: AuditThresholds, books: Books) -> None:
        self._limits = thresholds
        self._window = thresholds.probing_days * DAY
        self._books = books
        self._asked: dict[tuple[str, str], tuple[tuple[bytes, int], ...]] = {}
        """Models and times, by bank and firm."""
        self._distance = lru_cache(maxsize=_PAIRS)(self._measured)

    def query(self, query: AuditedQuery, *, batched: bool) -> Iterator[Finding]:
        """A finding about this query if a near-identical model was asked before it."""
        if not query.uscc or not query.model:
            return
        name = (intern(query.bank), query.uscc)
        others = [
            (model, time)
            for model, time in self._asked.get(name, ())
            if model != query.model and time > query.time - self._window
        ]
        self._asked[name] = (*others, (query.model, query.time))
        for other, time in others:
            different, columns = self._distance(*sorted((query.model, other)))
            if 0 < different <= self._limits.probing_share * columns:
                more: dict[str, str | int] = {
                    "model": b64(query.model),
                    "other": b64(other),
                    "other_time": time,
                    "different": different,
                    "columns": columns,
                }
                yield of_query(FindingKind.PROBING, query, more)
                return

    def advance(self, now: int) -> Iterator[Finding]:
        """Forgets firms about which the bank asked nothing within the window."""
        oldest = now - self._window
        over = [n for n, models in self._asked.items() if models[-1][1] <= oldest]
        for name in over:
            del self._asked[name]
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
