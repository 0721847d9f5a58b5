"""Reconciling the logs of hub, holders and bank: every query must stand in all of them.

For each permit a case gathers the hub's entry, every holder's unlock and what the bank logged. It
is judged once its graces are over, so that the order in which logs are read does not matter, and
forgotten soon after the permit expires, so that memory follows the graces and not the logs.

A holder that was merely down is no finding: then the bank has no result either, and not every
holder unlocked. Only who has a result without an unlock, or unlocks without a result, has to say
why.

Of a query between chains half of the entries are in another chain's logs: permits for guests, and
entries of banks about permits that the hub did not log, go on to `Interchain`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from federation.audit.findings import Finding, FindingKind
from federation.audit.interchain.cases import Seen
from federation.audit.interchain.reconciliation import Interchain
from federation.audit.recent import Recent
from federation.audit.records import AuditedQuery, Event
from federation.audit.sources import Books
from federation.audit.thresholds import AuditThresholds
from federation.canonical import b64
from federation.entries import Kind
from federation.identity import Role, SpiffeId

NO_PERMIT = bytes(32)
"""What a bank's `record-failure` names when something failed before any query."""
_READ = frozenset({Kind.UNLOCK, Kind.QUERY, Kind.FAILURE, Kind.CTX_KEY})


@dataclass(slots=True)
class _Case:
    """What the logs say of one permit."""

    query: AuditedQuery | None = None
    group: bytes = b""
    """Of the query, where it has several permits."""
    unlocks: dict[str, Seen] = field(default_factory=dict)
    results: list[Seen] = field(default_factory=list)
    failures: list[Seen] = field(default_factory=list)


class Reconciliation:
    """Fed every query of the hub and every entry of the others; judges on `advance`."""

    def __init__(
        self, hub: str, thresholds: AuditThresholds, books: Books, interchain: Interchain
    ) -> None:
        self._hub = hub
        self._limits = thresholds
        self._books = books
        self._interchain = interchain
        self._cases: dict[bytes, _Case] = {}
        self._groups: dict[bytes, list[bytes]] = {}
        self._known: Recent[bytes, int] = Recent()
        """When the case of a permit is closed."""
        self._keys: Recent[tuple[str, bytes], bytes] = Recent()
        self._due: list[tuple[int, int, bytes]] = []
        self._unheard: Recent[tuple[str, bytes], bool] = Recent()

    def query(self, query: AuditedQuery) -> list[Finding]:
        """Takes a `permit` entry of the hub; the same permit again is a finding."""
        if self._known.get(query.id) is not None:
            evidence: dict[str, str | int] = {"index": query.index, "time": query.time}
            return [
                Finding(
                    kind=FindingKind.PERMIT_REPEATED,
                    subject=self._hub,
                    query=query.id,
                    evidence=evidence,
                )
            ]
        self._known.put(query.id, self._end(query), query.time)
        case = self._case(query.id, query.time)
        case.query = query
        if query.audience != query.holders:
            case.group = query.group
            self._groups.setdefault(case.group, []).append(query.id)
        self._judge_at(query.time + self._limits.bank_grace, _FINAL, query.id)
        return []

    def event(self, event: Event) -> list[Finding]:
        """Takes an entry of any log; kinds that have no part in this are passed over."""
        if event.kind not in _READ:
            return []
        role = role_of(event.log)
        seen = Seen(event.log, event.index, event.time)
        if event.kind is Kind.CTX_KEY:
            if role is Role.HOLDER:
                self._keys.put((event.log, event.ctx), event.subject, event.time)
            return []
        closed = self._known.get(event.subject)
        if event.subject == NO_PERMIT or role not in (Role.HOLDER, Role.BANK):
            return []
        if event.subject not in self._cases and closed is not None:
            late = event.time > closed and event.kind is not Kind.FAILURE
            found = self._found(FindingKind.TIME_DISAGREES, event.log, event.subject, seen)
            return [found] if late else []
        if event.kind is Kind.UNLOCK and role is Role.HOLDER:
            self._case(event.subject, event.time).unlocks.setdefault(event.log, seen)
        elif event.kind is Kind.QUERY and role is Role.BANK:
            self._case(event.subject, event.time).results.append(seen)
        elif event.kind is Kind.FAILURE and role is Role.BANK:
            self._case(event.subject, event.time).failures.append(seen)
        return []

    def advance(self, now: int) -> list[Finding]:
        """Judges what is due at `now` (unix seconds): entries of that time have all been fed."""
        found: list[Finding] = []
        while self._due and self._due[0][0] <= now:
            _, stage, permit = heapq.heappop(self._due)
            case = self._cases.get(permit)
            if case is None:
                continue
            if stage == _FINAL and case.query is not None:
                found += self._judge(permit, case, case.query)
                self._judge_at(self._end(case.query), _FORGET, permit)
            elif stage == _FORGET:
                self._forget(permit, case)
            elif stage == _ORPHAN and case.query is None:
                found += self._orphan(permit, case)
                del self._cases[permit]
        return found

    def _case(self, permit: bytes, time: int) -> _Case:
        case = self._cases.get(permit)
        if case is None:
            case = self._cases[permit] = _Case()
            wait = self._limits.permit_grace + self._limits.time_skew
            self._judge_at(time + wait, _ORPHAN, permit)
        return case

    def _judge_at(self, time: int, stage: int, permit: bytes) -> None:
        heapq.heappush(self._due, (time, stage, permit))

    def _end(self, query: AuditedQuery) -> int:
        last = max(query.expires, query.time) + self._limits.time_skew
        return max(last, query.time + self._limits.bank_grace) + 1

    def _forget(self, permit: bytes, case: _Case) -> None:
        del self._cases[permit]
        self._groups.pop(case.group, None)

    # --- a permit that the hub logged -------------------------------------------------------------

    def _judge(self, permit: bytes, case: _Case, query: AuditedQuery) -> Iterator[Finding]:
        yield from self._strangers(permit, case, query)
        yield from self._times(permit, case, query)
        yield from self._ctx_keys(case, query)
        if self._interchain.is_guest(query.bank):
            self._interchain.guest_permit(query, case.unlocks)
            return
        others = self._groups.get(case.group, (permit,))
        group = [self._cases[p] for p in others if p in self._cases]
        unlocked = {holder for member in group for holder in member.unlocks}
        results = [seen for seen in case.results if seen.log == query.bank]
        if results:
            if query.audience and not unlocked.intersection(query.holders or query.audience):
                yield self._found(FindingKind.QUERY_UNEXPLAINED, query.bank, permit, results[0])
            else:
                for holder in query.audience:
                    if holder not in case.unlocks:
                        yield self._found(FindingKind.UNLOCK_MISSING, holder, permit, results[0])
            return
        failed = any(seen.log == query.bank for member in group for seen in member.failures)
        if not failed and query.holders and unlocked.issuperset(query.holders):
            last = max(case.unlocks.values(), key=lambda seen: seen.time)
            yield self._found(FindingKind.BANK_ENTRY_MISSING, query.bank, permit, last)

    def _strangers(self, permit: bytes, case: _Case, query: AuditedQuery) -> Iterator[Finding]:
        for holder, seen in case.unlocks.items():
            if query.audience and holder not in query.audience:
                yield self._found(FindingKind.UNLOCK_UNEXPLAINED, holder, permit, seen)
        others = {seen.log: seen for seen in case.results if seen.log != query.bank}
        for bank, seen in others.items():
            yield self._found(FindingKind.QUERY_UNEXPLAINED, bank, permit, seen)

    def _times(self, permit: bytes, case: _Case, query: AuditedQuery) -> Iterator[Finding]:
        """Each entry lies between the permit's issue and its expiry, a bank's after the unlocks;
        clocks may be apart by the skew.
        """
        skew = self._limits.time_skew
        latest = max(query.expires, query.time) + skew
        unlocks = [seen for holder, seen in case.unlocks.items() if holder in query.audience]
        results = [seen for seen in case.results if seen.log == query.bank]
        earliest = max((seen.time for seen in unlocks), default=query.time) - skew
        wrong = {seen.log: seen for seen in unlocks if not query.time - skew <= seen.time <= latest}
        if not wrong:  # the bank is measured by unlocks that are in order themselves
            wrong = {s.log: s for s in results if not earliest <= s.time <= latest}
        for log, seen in wrong.items():
            yield self._found(FindingKind.TIME_DISAGREES, log, permit, seen, issued=query.time)

    def _ctx_keys(self, case: _Case, query: AuditedQuery) -> Iterator[Finding]:
        for holder, seen in case.unlocks.items():
            name = (holder, query.ctx)
            if not query.ctx or holder not in query.audience or self._keys.get(name) is not None:
                continue
            if self._unheard.get(name) is None:  # once for a context, not for every query of it
                self._unheard.put(name, True, seen.time)
                yield Finding(
                    kind=FindingKind.CTX_KEY_MISSING,
                    subject=holder,
                    evidence={"ctx": b64(query.ctx), "index": seen.index, "time": seen.time},
                    key=b64(query.ctx),
                )

    # --- a permit that it did not -----------------------------------------------------------------

    def _orphan(self, permit: bytes, case: _Case) -> Iterator[Finding]:
        entries = [*case.unlocks.values(), *case.results]
        if not entries:
            # A bank's report of a failure alone claims nothing; of a query abroad it explains.
            if case.failures and self._interchain.expects:
                self._interchain.own_entries(permit, [], case.failures)
            return
        if self._books.hub_signed(permit):
            first = min(entries, key=lambda seen: seen.time)
            yield self._found(FindingKind.PERMIT_UNLOGGED, self._hub, permit, first)
        elif case.unlocks:
            for holder, seen in case.unlocks.items():
                yield self._found(FindingKind.UNLOCK_UNEXPLAINED, holder, permit, seen)
        else:
            if self._interchain.expects:
                self._interchain.own_entries(permit, case.results, case.failures)
                return
            for seen in {seen.log: seen for seen in case.results}.values():
                yield self._found(FindingKind.QUERY_UNEXPLAINED, seen.log, permit, seen)

    def _found(
        self, kind: FindingKind, subject: str, permit: bytes, seen: Seen, **more: int
    ) -> Finding:
        evidence: dict[str, str | int] = {"log": seen.log, "index": seen.index, "time": seen.time}
        return Finding(kind=kind, subject=subject, query=permit, evidence=evidence | more)


_FINAL, _FORGET, _ORPHAN = range(3)


@lru_cache(maxsize=4096)
def role_of(log: str) -> Role:
    """The role of a log's owner, from its SPIFFE id as text."""
    return SpiffeId.parse(log).role
