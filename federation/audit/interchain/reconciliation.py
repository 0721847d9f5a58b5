"""Gathering what both chains' logs say of queries between them, and judging it in time.

The chain that was asked has permit and unlocks; the chain that the bank is at home in has its hub's
routing and the bank's own entry. One half comes from this chain's logs (what
`federation.audit.reconcile` cannot judge alone it hands over), the other from the peer regulator's
shares. A case is judged once both are complete up to the end of its graces, so that a peer that is
away delays, and blames no bank.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from federation.audit.findings import Finding, FindingKind
from federation.audit.interchain.cases import Case, Peer, PermitFacts, Reconciled, Seen
from federation.audit.interchain.judgement import found, judge_permit, permit_signed
from federation.audit.recent import Recent
from federation.audit.records import AuditedQuery, Event
from federation.audit.sources import Books
from federation.audit.thresholds import DAY, AuditThresholds
from federation.entries import Kind
from federation.identity import SpiffeId

_UNKNOWN: Final = ""
"""The chain of a case of which only the bank's entry is known."""
_UNPERMITTED: Final = b"-"
_FOR_EVER: Final = 1 << 40


class Interchain:
    """Fed from both sides; judges on `advance`. Memory: open cases, and a few bytes for each that
    was closed within half a year.
    """

    def __init__(self, hub: str, thresholds: AuditThresholds, books: Books) -> None:
        self._hub = hub
        self._domain = SpiffeId.parse(hub).trust_domain
        self._limits = thresholds
        self._books = books
        self._wait = thresholds.bank_grace + thresholds.permit_grace + thresholds.time_skew
        self._peers: dict[str, Peer] = {}
        self._covered: dict[str, int] = {}
        self._keys: defaultdict[str, set[bytes]] = defaultdict(set)
        self._cases: dict[bytes, Case] = {}
        self._groups: defaultdict[tuple[str, bytes, int], set[bytes]] = defaultdict(set)
        self._due: defaultdict[str, list[tuple[int, bytes]]] = defaultdict(list)
        self._closed: Recent[bytes, bytes] = Recent()
        self._told: Counter[tuple[str, bool]] = Counter()
        self._judged: Counter[str] = Counter()

    # --- what is known of the peers ---------------------------------------------------------------

    def pinned(self, peers: Iterable[Peer]) -> None:
        """The chains that are or were pinned, all of them."""
        self._peers = {peer.chain: peer for peer in peers}

    @property
    def expects(self) -> bool:
        """Whether any peer may tell of queries."""
        return bool(self._peers)

    def is_guest(self, bank: str) -> bool:
        """Whether a bank is at home in another chain."""
        return SpiffeId.parse(bank).trust_domain != self._domain

    def covered(self, chain: str, until: int, hub_signing: bytes) -> None:
        """The shares of `chain` that were fed are complete up to `until`; `hub_signing` is the key
        that its hub signs permits with.
        """
        self._covered[chain] = max(until, self._covered.get(chain, 0))
        self._keys[chain].add(hub_signing)

    def reconciled(self) -> Mapping[str, Reconciled]:
        """How far the reconciliation with each peer is, of what was fed."""
        waiting = Counter(case.chain for case in self._cases.values())
        return {
            chain: Reconciled(
                outward=self._told[chain, True],
                inward=self._told[chain, False],
                reconciled=self._judged[chain],
                open=waiting[chain],
                covered=self._covered.get(chain, 0),
            )
            for chain in sorted(self._peers)
        }

    # --- what this chain's logs tell --------------------------------------------------------------

    def guest_permit(self, query: AuditedQuery, unlocks: Mapping[str, Seen]) -> None:
        """A permit of the own hub for a guest, with the holders that unlocked it."""
        facts = PermitFacts(
            id=query.id,
            time=query.time,
            expires=query.expires,
            bank=query.bank,
            ctx=query.ctx,
            audience=query.audience,
            participants=query.holders,
        )
        case = self._case(query.id, query.time, self._chain_of(query.bank), outward=False)
        if case is not None:
            self._state(case, facts)
            case.unlocks.update(unlocks)

    def routed(self, event: Event) -> None:
        """A `query-routed` entry of the own hub."""
        chain = str(event.body.get("chain", ""))
        case = self._case(event.subject, event.time, chain, outward=True)
        if case is not None:
            case.routed = case.routed or Seen(event.log, event.index, event.time)
            case.router = case.router or str(event.body.get("bank", ""))

    def own_entries(self, permit: bytes, results: list[Seen], failures: list[Seen]) -> None:
        """Entries of own banks about a permit that the own hub did not log."""
        first = min(seen.time for seen in (*results, *failures))
        case = self._case(permit, first, _UNKNOWN, outward=True)
        if case is not None:
            case.results += results
            case.failures += failures

    # --- what shares tell -------------------------------------------------------------------------

    def shared_permit(self, chain: str, facts: PermitFacts) -> list[Finding]:
        """A permit of the peer's hub for an own bank. Told otherwise than before, it is a finding
        about the peer's regulator.
        """
        before = self._closed.get(facts.id)
        case = self._case(facts.id, facts.time, chain, outward=True)
        if case is not None:
            same = case.facts in (None, facts) and case.chain == chain
        else:
            same = before in (None, _UNPERMITTED, facts.digest)
        if not same and chain in self._peers:
            return [
                Finding(
                    kind=FindingKind.SHARE_CONTRADICTS,
                    subject=self._peers[chain].regulator,
                    query=facts.id,
                    evidence={"chain": chain, "problem": "a permit is told in two ways"},
                )
            ]
        if case is not None:
            self._state(case, facts)
        return []

    def shared_entry(self, chain: str, kind: Kind, permit: bytes, seen: Seen) -> None:
        """Another entry of the peer's logs: an unlock for an own bank, or what a bank at home there
        and its hub logged. No peer has a say in a permit between this chain and another one.
        """
        case = self._case(permit, seen.time, chain, outward=kind is Kind.UNLOCK)
        if case is None or case.chain != chain:
            return
        if kind is Kind.UNLOCK:
            case.unlocks.setdefault(seen.log, seen)
        elif kind is Kind.ROUTED:
            case.routed = case.routed or seen
        else:
            (case.results if kind is Kind.QUERY else case.failures).append(seen)

    # --- judging ----------------------------------------------------------------------------------

    def advance(self, now: int) -> list[Finding]:
        """Judges what is due at `now` (unix seconds) and covered by the peer's shares."""
        return self._advance({chain: self._limit(chain, now, now - DAY) for chain in self._due})

    def finish(self) -> list[Finding]:
        """Judges what the shares cover, though graces are not over. What they do not cover stays
        open: that a peer has not told of it says nothing of a bank.
        """
        early = self._wait - self._limits.permit_grace
        return self._advance({c: self._limit(c, _FOR_EVER, 0) + early for c in self._due})

    def _limit(self, chain: str, now: int, patience: int) -> int:
        """Up to when everything is known that the judgement of a case of that chain needs."""
        if chain != _UNKNOWN:
            return min(now, self._covered.get(chain, 0))
        # Any peer may yet tell of its permit; one that is away for a day holds it up no longer.
        trusted = [peer.chain for peer in self._peers.values() if peer.trusted]
        told = min((self._covered.get(one, 0) for one in trusted), default=now)
        return min(now, max(told, patience))

    def _advance(self, limits: Mapping[str, int]) -> list[Finding]:
        findings: list[Finding] = []
        judged: dict[bytes, Case] = {}
        for chain, limit in limits.items():
            due = self._due[chain]
            while due and due[0][0] <= limit:
                _, permit = heapq.heappop(due)
                case = self._cases.get(permit)
                # One whose chain became known since waits there.
                if case is not None and case.chain == chain and permit not in judged:
                    findings += self._judge(permit, case)
                    judged[permit] = case
        for permit, case in judged.items():
            self._close(permit, case)
        return findings

    def _case(self, permit: bytes, time: int, chain: str, *, outward: bool) -> Case | None:
        """The case of a permit; None once it is closed, or where its chain was never pinned."""
        if self._closed.get(permit) is not None or (chain and chain not in self._peers):
            return None
        case = self._cases.get(permit)
        if case is None:
            case = self._cases[permit] = Case(chain, time, outward)
            self._put(permit, case)
        elif chain and not case.chain:
            case.chain = chain
            self._put(permit, case)
        return case

    def _put(self, permit: bytes, case: Case) -> None:
        heapq.heappush(self._due[case.chain], (case.time + self._wait, permit))
        if case.chain:
            self._told[case.chain, case.outward] += 1

    def _state(self, case: Case, facts: PermitFacts) -> None:
        case.facts = facts
        self._groups[facts.group].add(facts.id)

    def _close(self, permit: bytes, case: Case) -> None:
        del self._cases[permit]
        self._judged[case.chain] += 1
        facts = case.facts
        self._closed.put(permit, facts.digest if facts else _UNPERMITTED, case.time)
        if facts is not None:
            self._groups[facts.group].discard(permit)
            if not self._groups[facts.group]:
                del self._groups[facts.group]

    def _chain_of(self, bank: str) -> str:
        """The chain that a guest is at home in; a name that no chain has where it is not known."""
        domain = SpiffeId.parse(bank).trust_domain
        return next((p.chain for p in self._peers.values() if p.domain == domain), domain)

    def _judge(self, permit: bytes, case: Case) -> Iterator[Finding]:
        home = self._hub if case.outward else self._peers[case.chain].hub
        if case.facts is None:
            yield from self._unpermitted(permit, case, home)
            return
        together = [self._cases[one] for one in sorted(self._groups[case.facts.group])]
        yield from judge_permit(case, case.facts, together, home, self._limits.time_skew)

    def _unpermitted(self, permit: bytes, case: Case, home: str) -> Iterator[Finding]:
        """Entries about a permit that the chain that was asked does not have in its log."""
        if case.routed is None:
            # An entry of a peer's bank that names no chain need not be about this one.
            for log, seen in {s.log: s for s in case.results if case.outward}.items():
                yield found(FindingKind.QUERY_UNEXPLAINED, log, permit, seen, case)
        elif not self._signed(permit, case):
            yield found(FindingKind.ROUTE_UNEXPLAINED, home, permit, case.routed, case)
        elif case.outward:
            regulator = self._peers[case.chain].regulator
            yield found(FindingKind.PERMIT_UNSHOWN, regulator, permit, case.routed, case)
        else:
            yield found(FindingKind.PERMIT_UNLOGGED, self._hub, permit, case.routed, case)

    def _signed(self, permit: bytes, case: Case) -> bool:
        """Whether the hub that was asked signed the permit, as a copy of it shows."""
        if case.outward:
            copies, keys = self._books.permits(permit), self._keys[case.chain]
        else:
            shown = case.routed.document if case.routed else b""
            copies, keys = ((shown,) if shown else ()), set(self._books.hub_keys())
        return any(permit_signed(raw, key, permit) for raw in copies for key in keys)
