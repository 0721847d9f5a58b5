"""Judging one permit between two chains, from whichever of the two.

A holder or hub that was down is no finding, as within a chain: then the bank has no result, and not
every holder unlocked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from federation.audit.findings import Finding, FindingKind
from federation.audit.interchain.cases import Case, PermitFacts, Seen
from federation.errors import DocumentError, SignatureInvalid
from federation.permit import Permit
from federation.signed import Signed


def judge_permit(
    case: Case, facts: PermitFacts, together: Sequence[Case], home: str, skew: int
) -> Iterator[Finding]:
    """A permit that the chain that was asked has in its log. `together` are the cases of its query,
    this one included; `home` is the hub of the bank's chain; clocks may be apart by `skew` seconds.
    """
    yield from _strangers(case, facts, home)
    yield from _times(case, facts, skew)
    results = [seen for seen in case.results if seen.log == facts.bank]
    failures = [seen for seen in case.failures if seen.log == facts.bank]
    if case.routed is None and (results or failures):
        first = (results or failures)[0]
        yield found(FindingKind.ROUTE_UNLOGGED, home, facts.id, first, case)
    if results:
        yield from _unlocked(case, facts, results[0])
    elif not failures and _answered(facts, together):
        last = max(case.unlocks.values(), key=lambda seen: seen.time)
        if case.routed is None:
            yield found(FindingKind.ANSWER_UNTRACED, home, facts.id, last, case)
        else:
            yield found(FindingKind.BANK_ENTRY_MISSING, facts.bank, facts.id, last, case)


def _strangers(case: Case, facts: PermitFacts, home: str) -> Iterator[Finding]:
    for log, seen in {seen.log: seen for seen in case.results}.items():
        if log != facts.bank:
            yield found(FindingKind.QUERY_UNEXPLAINED, log, facts.id, seen, case)
    if case.routed is not None and case.router not in ("", facts.bank):
        yield found(FindingKind.ROUTE_UNEXPLAINED, home, facts.id, case.routed, case)


def _times(case: Case, facts: PermitFacts, skew: int) -> Iterator[Finding]:
    """Routing and result lie between issue and expiry, the result after the unlocks. Whether the
    unlocks do, is for their own chain to judge.
    """
    latest = max(facts.expires, facts.time) + skew
    unlocks = [seen.time for log, seen in case.unlocks.items() if log in facts.audience]
    earliest = max((time for time in unlocks if time <= latest), default=facts.time) - skew
    results = [seen for seen in case.results if seen.log == facts.bank]
    wrong = {seen.log: seen for seen in results if not earliest <= seen.time <= latest}
    if case.routed is not None and not facts.time - skew <= case.routed.time <= latest:
        wrong[case.routed.log] = case.routed
    for log, seen in wrong.items():
        yield found(FindingKind.TIME_DISAGREES, log, facts.id, seen, case, issued=facts.time)


def _unlocked(case: Case, facts: PermitFacts, result: Seen) -> Iterator[Finding]:
    """Who has a result has an unlock of every holder that the permit is for."""
    silent = [holder for holder in facts.audience if holder not in case.unlocks]
    if silent and not case.unlocks:
        yield found(FindingKind.QUERY_UNEXPLAINED, facts.bank, facts.id, result, case)
        return
    for holder in silent:
        yield found(FindingKind.UNLOCK_MISSING, holder, facts.id, result, case)


def _answered(facts: PermitFacts, together: Sequence[Case]) -> bool:
    """Whether all holders of the query unlocked, those included that have permits of their own. Of
    two queries that cannot be told apart, both have to be.
    """
    asked: set[str] = set()
    for case in together:
        audience = case.facts.audience if case.facts else ()
        if not case.unlocks.keys() >= set(audience):
            return False
        asked.update(audience)
    return bool(facts.participants) and asked.issuperset(facts.participants)


def permit_signed(raw: bytes, hub: bytes, permit: bytes) -> bool:
    """Whether `raw` (DSSE JSON) is the permit of that payload hash, signed by the key `hub`."""
    try:
        return Permit.open_(Signed.from_json(raw), hub).hash == permit
    except (DocumentError, SignatureInvalid):
        return False


def found(
    kind: FindingKind, subject: str, permit: bytes, seen: Seen, case: Case, **more: int
) -> Finding:
    """A finding about a permit between chains, by the entry that shows it."""
    evidence: dict[str, str | int] = {"log": seen.log, "index": seen.index, "time": seen.time}
    if case.chain:
        evidence["chain"] = case.chain
    return Finding(kind=kind, subject=subject, query=permit, evidence=evidence | more)
