"""The inspector's checks: each violation planted among honest queries, and found alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

import pytest

from federation.audit.findings import Finding, FindingKind
from federation.audit.records import AuditedQuery
from federation.audit.thresholds import AuditThresholds
from federation.auditkeys import CHINA
from federation.entries import Kind
from federation.identity import Role, SpiffeId
from support.audited import END, World
from support.chain import DAY, DELTA, DOMAIN, HARBOUR, NOW

AT = NOW + 2_400
BANKS = tuple(SpiffeId(DOMAIN, Role.BANK, f"bank-{number}") for number in range(6))


def china(text: str) -> int:
    """Unix seconds of a local time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp())


def only(
    world: World,
    kind: FindingKind,
    queries: Iterable[AuditedQuery],
    bank: SpiffeId = HARBOUR,
    thresholds: AuditThresholds | None = None,
    now: int = END,
) -> None:
    """Exactly one finding of that kind about each of the queries, and no other."""
    found = world.logs.audit(thresholds=thresholds, now=now)
    assert [(f.kind, f.subject) for f in found] == [(kind, str(bank))] * len(found)
    assert sorted(f.query or b"" for f in found) == sorted(query.id for query in queries)


def only_of_user(world: World, kind: FindingKind, now: int = END) -> Finding:
    """Exactly one finding, of no query in particular."""
    (found,) = world.logs.audit(now=now)
    assert (found.kind, found.subject, found.query) == (kind, str(HARBOUR), None)
    return found


# --- hours ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "quiet"),
    [
        ("2027-01-14T21:59:59", False),
        ("2027-01-14T22:00:00", True),
        ("2027-01-14T23:59:59", True),
        ("2027-01-15T00:00:00", True),
        ("2027-01-15T05:59:59", True),
        ("2027-01-15T06:00:00", False),
        ("2027-10-01T10:00:00", True),  # National Day
        ("2027-02-06T10:00:00", True),  # Spring Festival
        ("2027-01-16T10:00:00", False),  # a Saturday is no holiday
    ],
)
def test_night_and_statutory_holidays(world: World, when: str, quiet: bool) -> None:
    query = world.logs.ask(world.like, china(when))
    only(world, FindingKind.QUIET_HOURS, [query] if quiet else [])


def test_days_off_and_working_days_of_the_configuration(world: World) -> None:
    off = world.logs.ask(world.like, china("2027-01-13T10:00:00"))
    world.logs.ask(world.like, china("2027-10-01T10:00:00"))
    thresholds = AuditThresholds(
        holidays=frozenset({date(2027, 1, 13)}), working_days=frozenset({date(2027, 10, 1)})
    )
    only(world, FindingKind.QUIET_HOURS, [off], thresholds=thresholds)


def batch(world: World, since: int, until: int, size: int, at: int, purpose: str = "01") -> None:
    body = {"batch": "b", "officer": "night", "purpose": purpose, "size": size}
    world.logs.log(HARBOUR, Kind.BATCH, at, **body, **{"from": since, "until": until})


def test_a_registered_batch_may_run_at_night(world: World) -> None:
    night = china("2027-01-14T23:00:00")
    world.logs.log(HARBOUR, Kind.LOAN_OPENED, night - DAY, reference="loan", officer="x")
    batch(world, night, night + 3_600, 60, night - 3_600)
    common = {"purpose": "01", "reference": "loan", "officer": "night"}
    asked = [world.logs.ask(world.like, night + n, **common) for n in range(62)]
    after = world.logs.ask(world.like, night + 3_601, **common)
    other = world.logs.ask(world.like, night + 9, **(common | {"officer": "day"}))
    approval = world.logs.ask(world.like, night + 9, officer="night")
    # Not more of them than were registered, nobody else's, of no other purpose, and not later.
    only(world, FindingKind.QUIET_HOURS, [*asked[60:], after, other, approval])


def test_a_batch_is_registered_before_it_runs_and_for_monitoring(world: World) -> None:
    night = china("2027-01-14T23:00:00")
    world.logs.log(HARBOUR, Kind.LOAN_OPENED, night - DAY, reference="loan", officer="x")
    batch(world, night, night + 3_600, 60, night + 1_000)
    batch(world, night, night + 3_600, 60, night - 1_000, purpose="02")
    asked = [
        world.logs.ask(world.like, night + after, purpose="01", reference="loan", officer="night")
        for after in (10, 1_010)
    ]
    only(world, FindingKind.QUIET_HOURS, asked[:1])


# --- volume ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("queries", [50, 51])
def test_more_than_fifty_queries_of_a_user_within_an_hour(world: World, queries: int) -> None:
    for number in range(queries):
        world.logs.ask(world.like, AT + number * 71, officer="busy")
    if queries <= 50:
        assert world.logs.audit() == []
    else:
        found = only_of_user(world, FindingKind.VOLUME_HOUR)
        assert found.evidence["officer"] == "busy"


def test_fifty_one_queries_in_more_than_an_hour_are_none(world: World) -> None:
    for number in range(51):
        world.logs.ask(world.like, AT + number * 72, officer="busy")
    assert world.logs.audit() == []


@pytest.mark.parametrize(("today", "unusual"), [(14, False), (15, True), (40, True)])
def test_a_day_far_above_the_users_mean(world: World, today: int, unusual: bool) -> None:
    """2 and 8 queries by turns: mean 5, deviation 3, so that 14 is usual and 15 is not."""
    start = china("2026-12-10T10:00:00")
    for day in range(30):
        for number in range(2 if day % 2 else 8):
            world.logs.ask(world.like, start + day * DAY + number, officer="steady")
    for number in range(today):
        world.logs.ask(world.like, start + 30 * DAY + number, officer="steady")
    thresholds = AuditThresholds(working_days=frozenset({date(2027, 1, 1)}))
    found = world.logs.audit(thresholds=thresholds)
    assert [f.kind for f in found] == [FindingKind.VOLUME_DAY] * unusual


# --- the same firm --------------------------------------------------------------------------------


def test_the_same_firm_three_times_in_a_week_by_one_user(world: World) -> None:
    times = (AT - 6 * DAY, AT - 3 * DAY, AT, AT + 60)
    asked = [world.logs.ask(world.like, t, officer="u", uscc="firm") for t in times]
    world.logs.ask(world.like, AT + 90, officer="v", uscc="firm")
    only(world, FindingKind.SAME_FIRM_USER, asked[2:])


def test_the_same_firm_three_times_in_more_than_a_week_is_none(world: World) -> None:
    for time in (AT - 7 * DAY, AT - 3 * DAY, AT):
        world.logs.ask(world.like, time, officer="u", uscc="firm")
    assert world.logs.audit() == []


def test_the_same_firm_by_four_institutions(world: World) -> None:
    asked = [
        world.logs.ask(world.like, AT + number * 60, bank=str(bank), uscc="firm")
        for number, bank in enumerate((*BANKS[:4], BANKS[3], BANKS[0]))
    ]
    only(world, FindingKind.SAME_FIRM_BANKS, asked[3:4], bank=BANKS[3])


# --- applications and loans -----------------------------------------------------------------------

JANUARY, APRIL = china("2027-01-05T10:00:00"), china("2027-04-01T10:00:00")


def approvals(world: World, number: int, without: int) -> None:
    for index in range(number):
        bank = BANKS[0]
        time = JANUARY + index * 600
        reference = f"r-{index}"
        world.logs.ask(world.like, time, bank=str(bank), purpose="24", reference=reference)
        if index >= without:
            world.logs.log(
                bank, Kind.APPLICATION_OPENED, time + 29 * DAY, reference=reference, officer="o"
            )


def test_most_approval_queries_of_an_institution_without_an_application(world: World) -> None:
    approvals(world, 20, 13)
    (found,) = world.logs.audit(now=APRIL)
    assert (found.kind, found.subject) == (FindingKind.NO_APPLICATION, str(BANKS[0]))
    assert found.query is None
    assert dict(found.evidence) == {"month": 202701, "queries": 20, "without": 13}


def test_sixty_per_cent_are_allowed(world: World) -> None:
    approvals(world, 20, 12)
    assert world.logs.audit(now=APRIL) == []


def test_a_month_is_judged_when_its_applications_can_have_come(world: World) -> None:
    approvals(world, 20, 20)
    assert world.logs.audit(now=china("2027-03-02T00:00:00")) == []


def test_an_application_after_thirty_days_is_too_late(world: World) -> None:
    approvals(world, 20, 20)
    for index in range(20):
        time = JANUARY + index * 600 + 31 * DAY
        world.logs.log(BANKS[0], Kind.APPLICATION_OPENED, time, reference=f"r-{index}", officer="o")
    assert [f.kind for f in world.logs.audit(now=APRIL)] == [FindingKind.NO_APPLICATION]


def test_monitoring_needs_a_live_loan(world: World) -> None:
    loans = {"live": (AT - DAY, None), "repaid": (AT - DAY, AT - 301), "later": (AT + 301, None)}
    for reference, (opened, closed) in loans.items():
        world.logs.log(HARBOUR, Kind.LOAN_OPENED, opened, reference=reference, officer="o")
        if closed:
            world.logs.log(HARBOUR, Kind.LOAN_CLOSED, closed, reference=reference, officer="o")
    world.logs.log(DELTA, Kind.LOAN_OPENED, AT - DAY, reference="elsewhere", officer="o")
    asked = {
        reference: world.logs.ask(world.like, AT, purpose="01", reference=reference)
        for reference in (*loans, "elsewhere", "never", "")
    }
    del asked["live"]
    only(world, FindingKind.NO_LIVE_LOAN, asked.values())


def test_a_loan_that_is_opened_in_the_same_second_is_live(world: World) -> None:
    """Neither clocks nor the order in which logs are read make a finding."""
    world.logs.log(HARBOUR, Kind.LOAN_OPENED, AT + 20, reference="new", officer="o")
    world.logs.log(HARBOUR, Kind.LOAN_CLOSED, AT + 40, reference="new", officer="o")
    for time in (AT, AT + 60):
        world.logs.ask(world.like, time, purpose="01", reference="new")
    assert world.logs.audit() == []


# --- administrators and probing -------------------------------------------------------------------


def test_an_administrators_account_queries(world: World) -> None:
    world.logs.log(HARBOUR, Kind.ADMIN, AT - 200 * DAY, action="token", by="root")
    world.logs.log(HARBOUR, Kind.ADMIN, AT - 400 * DAY, action="token", by="former")
    world.logs.log(DELTA, Kind.ADMIN, AT - DAY, action="token", by="elsewhere")
    asked = [
        world.logs.ask(world.like, AT, officer=officer)
        for officer in ("root", "former", "elsewhere")
    ]
    only(world, FindingKind.ADMINISTRATOR_QUERIES, asked[:1])


def test_two_models_that_differ_in_one_column_are_asked_about_a_firm(world: World) -> None:
    near, far, same = bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32
    points = {f"column {number}": 1 + number % 3 for number in range(40)}
    books = world.logs.books.scorecards
    books[world.like.model] = points
    books[near] = points | {"column 7": 9, "column 8": 9}
    books[far] = points | {f"column {number}": 9 for number in range(3)}
    books[same] = dict(points)
    world.logs.ask(world.like, AT - 29 * DAY, uscc="victim")
    probe = world.logs.ask(world.like, AT, uscc="victim", model=near)
    for model in (near, far, same):
        firm = f"asked with {model[0]}"
        world.logs.ask(world.like, AT - 31 * DAY if model is near else AT, uscc=firm)
        world.logs.ask(world.like, AT + 60, uscc=firm, model=model)
    only(world, FindingKind.PROBING, [probe])


def test_a_query_with_two_permits_is_one_to_the_inspector(world: World) -> None:
    """The permit of the named holder belongs to the same query: it counts once."""
    named = next(q for q in world.logs.queries if q.named)
    unnamed = next(q for q in world.logs.queries if q.group == named.group and not q.named)
    for time in (AT, AT + 60):
        first = world.logs.ask(unnamed, time, officer="u", uscc="firm")
        world.logs.ask(named, time, officer="u", uscc="firm", consent=first.consent)
    assert world.logs.audit() == []
