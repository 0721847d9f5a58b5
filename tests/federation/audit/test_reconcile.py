"""Logs of hub, holders and bank that do not tell the same story."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from federation.audit.findings import Finding, FindingKind
from federation.audit.records import AuditedQuery, Event
from federation.audit.thresholds import AuditThresholds
from federation.entries import Kind
from federation.identity import SpiffeId
from support.audited import END, World
from support.chain import COURT, DELTA, HARBOUR, HUB, INSURANCE, NOW, POWER, TAX

AT = NOW + 2_000


def without(world: World, drop: Callable[[Event], bool]) -> None:
    kept = [e for e in world.logs.events if not drop(e)]
    assert len(kept) < len(world.logs.events)
    world.logs.events = kept


def only(world: World, kind: FindingKind, subject: SpiffeId, query: bytes | None) -> Finding:
    (found,) = world.logs.audit()
    assert (found.kind, found.subject, found.query) == (kind, str(subject), query)
    return found


def unlogged(world: World) -> AuditedQuery:
    """Everybody logs a query but the hub."""
    query = world.logs.ask(world.like, AT)
    world.logs.queries.remove(query)
    return query


def court_queries(world: World) -> tuple[AuditedQuery, AuditedQuery]:
    """The two permits of one query under a model with a named holder."""
    named = next(q for q in world.logs.queries if q.named)
    unnamed = next(q for q in world.logs.queries if q.group == named.group and not q.named)
    return unnamed, named


def test_the_hub_signed_a_permit_and_did_not_log_it(world: World) -> None:
    query = unlogged(world)
    world.logs.books.signed.add(query.id)
    only(world, FindingKind.PERMIT_UNLOGGED, HUB, query.id)


def test_a_holder_unlocked_without_any_permit(world: World) -> None:
    permit = secrets.token_bytes(32)
    world.logs.log(TAX, Kind.UNLOCK, AT, document=permit, bank=HARBOUR, ctx=world.like.ctx)
    only(world, FindingKind.UNLOCK_UNEXPLAINED, TAX, permit)


def test_a_holder_unlocked_with_a_permit_for_others(world: World) -> None:
    world.logs.log(COURT, Kind.UNLOCK, NOW, document=world.like.id, bank=HARBOUR)
    only(world, FindingKind.UNLOCK_UNEXPLAINED, COURT, world.like.id)


def test_a_bank_logged_a_query_that_nobody_knows(world: World) -> None:
    permit = secrets.token_bytes(32)
    world.logs.log(HARBOUR, Kind.QUERY, AT, document=permit)
    only(world, FindingKind.QUERY_UNEXPLAINED, HARBOUR, permit)


def test_a_bank_logged_a_result_of_another_banks_permit(world: World) -> None:
    world.logs.log(DELTA, Kind.QUERY, NOW + 1, document=world.like.id)
    only(world, FindingKind.QUERY_UNEXPLAINED, DELTA, world.like.id)


def test_a_bank_logged_a_result_that_no_holder_gave(world: World) -> None:
    without(world, lambda e: e.kind is Kind.UNLOCK and e.subject == world.like.id)
    only(world, FindingKind.QUERY_UNEXPLAINED, HARBOUR, world.like.id)


@pytest.mark.parametrize("holder", [INSURANCE, POWER, TAX])
def test_a_holder_answered_and_did_not_log_it(world: World, holder: SpiffeId) -> None:
    victim = world.logs.queries[1_000].id
    without(world, lambda e: (e.log, e.subject) == (str(holder), victim))
    only(world, FindingKind.UNLOCK_MISSING, holder, victim)


def test_a_named_holder_answered_and_did_not_log_it(world: World) -> None:
    _, named = court_queries(world)
    without(world, lambda e: (e.log, e.subject) == (str(COURT), named.id))
    only(world, FindingKind.UNLOCK_MISSING, COURT, named.id)


def test_a_holder_that_was_down_is_no_finding(world: World) -> None:
    """It did not unlock, and so the bank has no result; nobody did anything wrong."""
    victim = world.like.id
    without(
        world,
        lambda e: e.subject == victim and (e.log == str(TAX) or e.kind is Kind.QUERY),
    )
    assert world.logs.audit() == []


def test_a_named_holder_that_was_down_is_no_finding(world: World) -> None:
    """All holders of the other permit did unlock."""
    unnamed, named = court_queries(world)
    without(
        world,
        lambda e: e.subject == named.id or (e.subject == unnamed.id and e.kind is Kind.QUERY),
    )
    assert world.logs.audit() == []


def test_nobody_answered_a_permit_is_no_finding(world: World) -> None:
    without(world, lambda e: e.subject == world.like.id)
    assert world.logs.audit() == []


def test_a_bank_has_its_answers_and_logged_nothing(world: World) -> None:
    without(world, lambda e: e.subject == world.like.id and e.kind is Kind.QUERY)
    only(world, FindingKind.BANK_ENTRY_MISSING, HARBOUR, world.like.id)


def test_a_bank_that_logged_a_failure_owes_no_result(world: World) -> None:
    unnamed, named = court_queries(world)
    group = (unnamed.id, named.id)
    without(world, lambda e: e.subject in group and e.kind is Kind.QUERY)
    world.logs.log(
        HARBOUR, Kind.FAILURE, unnamed.time, document=bytes(32), permit=named.id, failed="record"
    )
    assert world.logs.audit() == []


def test_a_failure_before_any_query_claims_nothing(world: World) -> None:
    world.logs.log(HARBOUR, Kind.FAILURE, AT, document=bytes(32), permit=bytes(32))
    assert world.logs.audit() == []


def test_a_bank_is_given_its_grace(world: World) -> None:
    """Its entry may come late, as when it was restarted: an hour and five minutes, no more."""
    victim = world.logs.queries[0]
    without(world, lambda e: e.subject == victim.id and e.kind is Kind.QUERY)
    patient = AuditThresholds(bank_grace=7_200)
    late = world.logs.log(HARBOUR, Kind.QUERY, victim.expires + 300, document=victim.id)
    assert world.logs.audit(thresholds=patient) == []
    world.logs.events.remove(late)
    world.logs.log(HARBOUR, Kind.QUERY, victim.expires + 301, document=victim.id)
    (found,) = world.logs.audit(thresholds=patient)
    assert (found.kind, found.subject) == (FindingKind.TIME_DISAGREES, str(HARBOUR))


@pytest.mark.parametrize("when", [NOW - 301, NOW + 3_600 + 301, NOW + 50_000])
def test_a_holders_clock_is_not_the_hubs(world: World, when: int) -> None:
    without(world, lambda e: (e.log, e.subject) == (str(POWER), world.like.id))
    world.logs.log(POWER, Kind.UNLOCK, when, document=world.like.id, ctx=world.like.ctx)
    found = {(f.kind, f.subject) for f in world.logs.audit(now=END + 60_000)}
    expected = {(FindingKind.TIME_DISAGREES, str(POWER))}
    if when > NOW + 7_200:  # by then its entry was missing
        expected.add((FindingKind.UNLOCK_MISSING, str(POWER)))
    assert found == expected


def test_a_bank_has_its_result_before_the_holders_answer(world: World) -> None:
    victim = world.logs.ask(world.like, AT)
    without(world, lambda e: e.subject == victim.id)
    world.logs.served(victim, AT + 1_000)
    without(world, lambda e: e.subject == victim.id and e.kind is Kind.QUERY)
    world.logs.log(HARBOUR, Kind.QUERY, AT + 699, document=victim.id)
    only(world, FindingKind.TIME_DISAGREES, HARBOUR, victim.id)


def test_a_retried_query_has_one_unlock_and_is_in_order(world: World) -> None:
    """One holder was down for half an hour; the same permit was sent again."""
    victim = world.logs.ask(world.like, AT)
    without(world, lambda e: e.subject == victim.id and e.log in (str(TAX), str(HARBOUR)))
    world.logs.log(TAX, Kind.UNLOCK, AT + 1_800, document=victim.id, ctx=victim.ctx)
    world.logs.log(HARBOUR, Kind.QUERY, AT + 1_801, document=victim.id)
    assert world.logs.audit() == []


def test_a_holder_unlocked_under_a_key_that_it_never_logged(world: World) -> None:
    """Found once for the context, not for each of the two thousand queries under it."""
    ctx = world.like.ctx
    without(world, lambda e: (e.kind, e.log, e.ctx) == (Kind.CTX_KEY, str(TAX), ctx))
    only(world, FindingKind.CTX_KEY_MISSING, TAX, None)


def test_no_record_outlives_its_case(world: World) -> None:
    """Nothing is kept of a permit once it has expired and everybody has logged it."""
    from federation.audit.interchain.reconciliation import Interchain
    from federation.audit.reconcile import Reconciliation

    limits, books = AuditThresholds(), world.logs.books
    checks = Reconciliation(str(HUB), limits, books, Interchain(str(HUB), limits, books))
    for query in world.logs.queries:
        checks.query(query)
    for entry in world.logs.events:
        checks.event(entry)
    checks.advance(END + 10_000)
    assert not checks._cases and not checks._groups and not checks._due
