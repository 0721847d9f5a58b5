"""Two regulators audit their chains and reconcile: whatever is planted in either is found by the
right one, and nothing in honest logs.

csj enrols the firm (permit, unlocks), in zsj the bank is at home (routing, result).
"""

from __future__ import annotations

import dataclasses
import secrets

import pytest

from federation.audit.findings import FindingKind
from federation.audit.interchain.cases import Seen
from federation.audit.interchain.reconciliation import Interchain
from federation.audit.interchain.shares import feed_share
from federation.audit.thresholds import DAY, AuditThresholds
from federation.entries import Kind
from federation.identity import SpiffeId
from federation.permit import Permit
from federation.signed import SigningKey
from support.chain import NOW
from support.two_chains import (
    LATER,
    PER_SHARE,
    QUERIES,
    SPACING,
    Audited,
    Side,
    ask,
    audited,
    received,
    shares,
)

AT = NOW + 600


@pytest.fixture(scope="module")
def few() -> tuple[Side, Side, list[bytes]]:
    """A few honest queries of zsj's bank in csj."""
    csj, zsj = Side("csj"), Side("zsj")
    return csj, zsj, [ask(zsj, csj, AT + 10 * number) for number in range(5)]


@pytest.fixture
def sides(few: tuple[Side, Side, list[bytes]]) -> tuple[Side, Side]:
    return few[0].copy(), few[1].copy()


@pytest.fixture
def victim(few: tuple[Side, Side, list[bytes]]) -> bytes:
    return few[2][2]


def both(csj: Side, zsj: Side) -> tuple[Audited, Audited]:
    """What csj's regulator finds, and what zsj's does."""
    at_csj = audited(csj, zsj, received(zsj, csj, shares(zsj, csj)))
    at_zsj = audited(zsj, csj, received(csj, zsj, shares(csj, zsj)))
    return at_csj, at_zsj


def test_two_thousand_honest_queries_give_nothing() -> None:
    """Half of them in each direction."""
    csj, zsj = Side("csj"), Side("zsj")
    for number in range(QUERIES):
        home, abroad = (csj, zsj) if number % 2 else (zsj, csj)
        ask(home, abroad, NOW + number * SPACING)
    wires = shares(zsj, csj)
    assert len(wires) > QUERIES // PER_SHARE
    at_csj, at_zsj = both(csj, zsj)
    for one in (at_csj, at_zsj):
        assert one.findings == []
        assert (one.reconciled.outward, one.reconciled.inward) == (QUERIES // 2, QUERIES // 2)
        assert (one.reconciled.reconciled, one.reconciled.open) == (QUERIES, 0)


def test_a_hub_that_keeps_a_permit_out_of_its_log_is_found_by_its_own_regulator(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    """Holders keep quiet with it: only the other chain has a trace, and the permit itself."""
    csj, zsj = sides
    csj.without(Kind.PERMIT, victim)
    csj.without(Kind.UNLOCK, victim)
    at_csj, at_zsj = both(csj, zsj)
    assert at_csj.of() == {("permit-unlogged", str(csj.hub), victim)}
    assert at_zsj.of() == {("permit-unshown", str(csj.regulator), victim)}


def test_without_the_permit_beside_the_routing_it_would_be_the_other_hub_that_is_asked(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    csj, zsj = sides
    csj.without(Kind.PERMIT, victim)
    csj.without(Kind.UNLOCK, victim)
    del zsj.permits[victim]
    at_csj, at_zsj = both(csj, zsj)
    assert at_csj.of() == {("route-unexplained", str(zsj.hub), victim)}
    assert at_zsj.of() == {("route-unexplained", str(zsj.hub), victim)}


def test_a_permit_that_the_hub_did_not_sign_blames_nobody_but_who_shows_it(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    """The home hub makes up a permit, to have the other hub blamed."""
    csj, zsj = sides
    csj.without(Kind.PERMIT, victim)
    csj.without(Kind.UNLOCK, victim)
    permit = Permit.parse(zsj.permits[victim].payload)
    zsj.permits[victim] = permit.sign(SigningKey.generate())
    at_csj, _ = both(csj, zsj)
    assert at_csj.of() == {("route-unexplained", str(zsj.hub), victim)}


def test_a_bank_that_hides_its_query_is_found_by_both(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    csj, zsj = sides
    zsj.without(Kind.QUERY, victim)
    for one in both(csj, zsj):
        assert one.of() == {("bank-entry-missing", str(zsj.bank), victim)}


def test_a_hub_that_hides_its_routing_is_found_by_both(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    csj, zsj = sides
    zsj.without(Kind.ROUTED, victim)
    for one in both(csj, zsj):
        assert one.of() == {("route-unlogged", str(zsj.hub), victim)}


def test_hub_and_bank_that_hide_a_query_together_are_found_by_both(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    csj, zsj = sides
    zsj.without(Kind.ROUTED, victim)
    zsj.without(Kind.QUERY, victim)
    for one in both(csj, zsj):
        assert one.of() == {("answer-untraced", str(zsj.hub), victim)}


def test_a_holder_that_unlocks_for_a_guest_without_a_permit_is_found_at_home(
    sides: tuple[Side, Side],
) -> None:
    csj, zsj = sides
    made_up = secrets.token_bytes(32)
    holder = csj.holders[0]
    csj.log(holder, Kind.UNLOCK, AT + 7, document=made_up, bank=zsj.bank, ctx=bytes(32))
    at_csj, at_zsj = both(csj, zsj)
    assert at_csj.of() == {("unlock-unexplained", str(holder), made_up)}
    assert at_zsj.of() == set()


def test_a_holder_that_hides_its_unlock_is_found_by_both(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    """Within its chain alone it would look as if it had been down."""
    csj, zsj = sides
    holder = csj.holders[1]
    csj.without(Kind.UNLOCK, victim, holder)
    for one in both(csj, zsj):
        assert one.of() == {("unlock-missing", str(holder), victim)}


def test_a_holder_that_was_down_is_no_finding(sides: tuple[Side, Side], victim: bytes) -> None:
    csj, zsj = sides
    csj.without(Kind.UNLOCK, victim, csj.holders[1])
    zsj.without(Kind.QUERY, victim)
    zsj.without(Kind.ROUTED, victim)
    assert [one.of() for one in both(csj, zsj)] == [set(), set()]


def test_a_reported_failure_explains_the_missing_result(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    csj, zsj = sides
    zsj.without(Kind.QUERY, victim)
    zsj.log(zsj.bank, Kind.FAILURE, AT + 40, document=secrets.token_bytes(32), permit=victim)
    assert [one.of() for one in both(csj, zsj)] == [set(), set()]


def test_a_result_of_a_query_that_nobody_permitted_is_found_at_home(
    sides: tuple[Side, Side],
) -> None:
    """The other chain hears of it, as it might be about a permit of its own, and finds nothing."""
    csj, zsj = sides
    made_up = secrets.token_bytes(32)
    zsj.log(zsj.bank, Kind.QUERY, AT + 9, document=made_up, ctx=bytes(32))
    at_csj, at_zsj = both(csj, zsj)
    assert at_zsj.of() == {("query-unexplained", str(zsj.bank), made_up)}
    assert at_csj.of() == set()


def test_a_result_before_the_unlocks_is_found_by_both(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    csj, zsj = sides
    zsj.without(Kind.QUERY, victim)
    zsj.log(zsj.bank, Kind.QUERY, AT - 500, document=victim, ctx=bytes(32))
    for one in both(csj, zsj):
        assert one.of() == {("time-disagrees", str(zsj.bank), victim)}


def test_a_routing_after_the_permit_expired_is_found_by_both(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    csj, zsj = sides
    zsj.without(Kind.ROUTED, victim)
    late = AT + 2 * 3_600
    zsj.log(zsj.hub, Kind.ROUTED, late, document=victim, bank=zsj.bank, chain="csj")
    for one in both(csj, zsj):
        assert ("time-disagrees", str(zsj.hub), victim) in one.of()


def test_a_routing_in_the_name_of_another_bank_is_found_at_home(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    csj, zsj = sides
    zsj.without(Kind.ROUTED, victim)
    other = SpiffeId(zsj.domain, zsj.bank.role, "rival")
    zsj.log(zsj.hub, Kind.ROUTED, AT + 20, document=victim, bank=other, chain="csj")
    _, at_zsj = both(csj, zsj)
    assert at_zsj.of() == {("route-unexplained", str(zsj.hub), victim)}


def test_another_bank_that_logs_the_result_is_found(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    csj, zsj = sides
    other = SpiffeId(zsj.domain, zsj.bank.role, "rival")
    zsj.log(other, Kind.QUERY, AT + 21, document=victim, ctx=bytes(32))
    for one in both(csj, zsj):
        assert one.of() == {("query-unexplained", str(other), victim)}


def test_a_share_that_leaves_out_an_entry_is_found_by_who_gets_it(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    """The regulator of csj says nothing of a permit that stands in its hub's log."""
    csj, zsj = sides
    told = csj.copy()
    told.without(Kind.PERMIT, victim)
    at_zsj = audited(zsj, csj, received(csj, zsj, shares(told, zsj)))
    assert at_zsj.of() == {("permit-unshown", str(csj.regulator), victim)}


def test_a_permit_that_is_told_in_two_ways_convicts_the_regulator(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    csj, zsj = sides
    ((share, content),) = received(csj, zsj, shares(csj, zsj))
    twice = [
        one.model_copy(update={"expires": one.expires + 1, "index": one.index + 100})
        for one in content.permits
        if one.permit == victim
    ]
    later = share.model_copy(update={"number": 2, "until": LATER + 8 * 3_600})
    more = content.model_copy(update={"permits": tuple(twice), "entries": ()})
    now = LATER + 8 * 3_600
    at_zsj = audited(zsj, csj, [(share, content), (later, more)], now)
    assert at_zsj.of() == {("share-contradicts", str(csj.regulator), victim)}


def test_while_the_share_is_away_nobody_is_blamed(sides: tuple[Side, Side], victim: bytes) -> None:
    """The bank hid its query: its own regulator waits for the share, the other one too."""
    csj, zsj = sides
    zsj.without(Kind.QUERY, victim)
    for side, other in ((csj, zsj), (zsj, csj)):
        one = audited(side, other, [], LATER + 30 * DAY, finish=True)
        assert one.findings == []
        assert (one.reconciled.open, one.reconciled.covered) == (5, 0)


def test_without_that_wait_honest_banks_would_be_blamed(sides: tuple[Side, Side]) -> None:
    csj, zsj = sides
    audit = Interchain(str(csj.hub), AuditThresholds(), csj.books)
    audit.pinned([zsj.peer])
    for query in csj.queries.values():
        unlocks = {holder: Seen(holder, 1, query.time) for holder in query.audience}
        audit.guest_permit(query, unlocks)
    audit.covered("zsj", LATER, zsj.hub_key.public)  # as if a share that never came said so
    found = audit.advance(LATER)
    assert [one.kind for one in found] == [FindingKind.ANSWER_UNTRACED] * 5


def test_a_share_that_comes_late_is_judged_all_the_same(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    csj, zsj = sides
    zsj.without(Kind.QUERY, victim)
    ((share, content),) = received(zsj, csj, shares(zsj, csj))
    audit = Interchain(str(csj.hub), AuditThresholds(), csj.books)
    audit.pinned([zsj.peer])
    for query in csj.queries.values():
        audit.guest_permit(query, {})
    assert audit.advance(LATER + 5 * DAY) == []
    assert feed_share(audit, share, content) == []
    # Nobody unlocked, as far as it was told here: a result is what cannot be.
    found = audit.advance(LATER + 5 * DAY)
    assert {one.kind for one in found} == {FindingKind.QUERY_UNEXPLAINED}
    assert len(found) == 4


def test_an_unexplained_result_waits_a_day_for_a_peer_and_no_longer(
    sides: tuple[Side, Side],
) -> None:
    csj, zsj = sides
    made_up = secrets.token_bytes(32)
    zsj.log(zsj.bank, Kind.QUERY, AT + 9, document=made_up, ctx=bytes(32))
    assert audited(zsj, csj, [], AT + DAY).findings == []
    found = audited(zsj, csj, [], AT + DAY + 3 * 3_600)
    assert found.of() == {("query-unexplained", str(zsj.bank), made_up)}
    withdrawn = audited(zsj, csj, [], AT + 3 * 3_600, trusted=False)
    assert withdrawn.of() == {("query-unexplained", str(zsj.bank), made_up)}


def test_an_ended_audit_judges_what_the_shares_cover(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    csj, zsj = sides
    zsj.without(Kind.ROUTED, victim)
    soon = received(zsj, csj, shares(zsj, csj))
    found = audited(csj, zsj, soon, AT + 400, finish=True)
    assert found.of() == {("route-unlogged", str(zsj.hub), victim)}


def test_a_named_holders_permits_are_judged_together(sides: tuple[Side, Side]) -> None:
    """One query with a permit for the named holder and one for the others."""
    csj, zsj = sides
    first, second = ask(zsj, csj, AT + 200), ask(zsj, csj, AT + 200)
    named, others = csj.holders[0], csj.holders[1:]
    for permit, audience in ((first, others), (second, (named,))):
        texts = tuple(map(str, audience))
        csj.queries[permit] = dataclasses.replace(
            csj.queries[permit],
            audience=texts,
            named=len(texts) == 1,
            consent=csj.queries[first].consent,
        )
        for holder in set(csj.holders) - set(audience):
            csj.without(Kind.UNLOCK, permit, holder)
    assert [one.of() for one in both(csj, zsj)] == [set(), set()]
    zsj.without(Kind.QUERY, first)
    zsj.without(Kind.QUERY, second)
    expected = {("bank-entry-missing", str(zsj.bank), one) for one in (first, second)}
    for one in both(csj, zsj):
        assert one.of() == expected


def test_a_third_chain_has_no_say_in_a_permit_between_two(
    sides: tuple[Side, Side], victim: bytes
) -> None:
    """A bank of zsj has a result whose routing zsj's hub hides: jjj's regulator shares one."""
    csj, zsj = sides
    zsj.without(Kind.ROUTED, victim)
    audit = Interchain(str(csj.hub), AuditThresholds(), csj.books)
    third = dataclasses.replace(zsj.peer, chain="jjj", domain="jjj.yinxin.example")
    audit.pinned([zsj.peer, third])
    for query in csj.queries.values():
        audit.guest_permit(
            query, {holder: Seen(holder, 1, query.time) for holder in query.audience}
        )
    routing = Seen("spiffe://jjj.yinxin.example/hub/platform", 0, AT)
    audit.shared_entry("jjj", Kind.ROUTED, victim, routing)
    ((share, content),) = received(zsj, csj, shares(zsj, csj))
    assert feed_share(audit, share, content) == []
    (found,) = audit.finish()
    assert (found.kind, found.subject) == (FindingKind.ROUTE_UNLOGGED, str(zsj.hub))


def test_no_case_is_left_of_closed_ones(sides: tuple[Side, Side]) -> None:
    csj, zsj = sides
    audit = Interchain(str(csj.hub), AuditThresholds(), csj.books)
    audit.pinned([zsj.peer])
    for query in csj.queries.values():
        audit.guest_permit(query, {})
    audit.covered("zsj", LATER, zsj.hub_key.public)
    audit.advance(LATER)
    assert not audit._cases and not audit._groups
    assert not any(audit._due.values())


def test_a_guests_business_at_home_is_not_judged_abroad(sides: tuple[Side, Side]) -> None:
    """Its applications and loans are in a log that this regulator does not have."""
    csj, zsj = sides
    for number in range(20):
        ask(zsj, csj, AT + 300 + number)
    opened = received(zsj, csj, shares(zsj, csj))
    found = audited(csj, zsj, opened, LATER, finish=True)
    assert FindingKind.NO_APPLICATION.value not in {kind for kind, _, _ in found.of()}
