"""Who asks about one firm again and again: a user, many institutions, near-identical models."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from federation.audit.conduct.check import QueryCheck, of_query
from federation.audit.findings import Finding, FindingKind
from federation.audit.records import AuditedQuery
from federation.audit.sources import Books
from federation.audit.thresholds import DAY, AuditThresholds
from federation.canonical import b64

_PAIRS = 65_536


@dataclass(slots=True)
class _Firm:
    """The queries about a firm within the window, and how many of them are whose."""

    asked: deque[tuple[int, str, str]] = field(default_factory=deque)
    """Time, bank and officer."""
    users: Counter[tuple[str, str]] = field(default_factory=Counter)
    banks: Counter[str] = field(default_factory=Counter)

    def add(self, time: int, bank: str, officer: str) -> None:
        """Takes a query."""
        self.asked.append((time, bank, officer))
        self.users[bank, officer] += 1
        self.banks[bank] += 1

    def forget(self, until: int) -> None:
        """Forgets queries up to that time."""
        while self.asked and self.asked[0][0] <= until:
            _, bank, officer = self.asked.popleft()
            self.users[bank, officer] -= 1
            self.banks[bank] -= 1
            if not self.users[bank, officer]:
                del self.users[bank, officer]
            if not self.banks[bank]:
                del self.banks[bank]


class SameFirm(QueryCheck):
    """The same firm by one user or by many institutions within some days.

    By a user: each query from the third on. By institutions: each query by which another one, the
    fourth or a later, comes to those that asked. Memory: the queries of the window.
    """

    def __init__(self, thresholds: AuditThresholds) -> None:
        self._limits = thresholds
        self._window = thresholds.same_firm_days * DAY
        self._firms: dict[str, _Firm] = {}

    def query(self, query: AuditedQuery, *, batched: bool) -> Iterator[Finding]:
        """Findings about this query."""
        if not query.uscc:
            return
        firm = self._firms.setdefault(query.uscc, _Firm())
        firm.forget(query.time - self._window)
        is_first_of_bank = query.bank not in firm.banks
        firm.add(query.time, query.bank, query.officer)
        mine = firm.users[query.bank, query.officer]
        if mine >= self._limits.same_firm_user:
            yield of_query(FindingKind.SAME_FIRM_USER, query, {"queries": mine})
        if is_first_of_bank and len(firm.banks) >= self._limits.same_firm_banks:
            yield of_query(FindingKind.SAME_FIRM_BANKS, query, {"institutions": len(firm.banks)})

    def advance(self, now: int) -> Iterator[Finding]:
        """Forgets firms about which nobody asked within the window."""
        oldest = now - self._window
        for uscc in [u for u, firm in self._firms.items() if firm.asked[-1][0] <= oldest]:
            del self._firms[uscc]
        yield from ()


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
        self._asked: dict[tuple[str, str], dict[bytes, int]] = {}
        self._distance = lru_cache(maxsize=_PAIRS)(self._measured)

    def query(self, query: AuditedQuery, *, batched: bool) -> Iterator[Finding]:
        """A finding about this query if a near-identical model was asked before it."""
        if not query.uscc or not query.model:
            return
        models = self._asked.setdefault((query.bank, query.uscc), {})
        models[query.model] = query.time
        for other, time in models.items():
            if other == query.model or time <= query.time - self._window:
                continue
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
        over = [n for n, models in self._asked.items() if max(models.values()) <= oldest]
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
