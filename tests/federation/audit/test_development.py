"""Developments without data in the logs: an honest one is no finding, each violation just one."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from federation.audit.findings import FindingKind, Severity
from federation.development import privacy
from federation.entries import Kind
from federation.identity import SpiffeId
from support.audited import Logs, World
from support.chain import DELTA, HARBOUR, HUB, INSURANCE, NOW, POWER, REGULATOR, TAX

AT = NOW + 3_000
HOLDERS = (INSURANCE, POWER, TAX)
OTHER = bytes(range(32))
BANKS = [SpiffeId(HARBOUR.trust_domain, HARBOUR.role, f"bank-{n}") for n in range(4)]
YEAR = privacy.YEAR_SECONDS
COST = 12_000_000
"""ρ of one holder in a development, in 10⁻⁹: three of them are some ε of 1.3."""


@dataclass
class Played:
    """What an honest development left in the logs."""

    certificate: bytes
    statements: dict[SpiffeId, bytes]


def develop(
    logs: Logs,
    at: int = AT,
    bank: SpiffeId = HARBOUR,
    holders: tuple[SpiffeId, ...] = HOLDERS,
    rho: int = COST,
    without: tuple[Kind, ...] = (),
) -> Played:
    """Labels certified, installed, counted and received, as the nodes log it."""
    certificate = secrets.token_bytes(32)
    statements = {holder: secrets.token_bytes(32) for holder in holders}

    def log(party: SpiffeId, kind: Kind, time: int, **body: object) -> None:
        if kind not in without:
            logs.log(party, kind, time, **body)

    logs.books.costs[certificate] = {str(holder): rho for holder in holders}
    total = rho * len(holders)
    logs_of = {"bank": bank, "rho": total, "epsilon": privacy.epsilon_micro(total)}
    log(REGULATOR, Kind.LABELS, at, document=certificate, **logs_of)
    for holder, statement in statements.items():
        log(holder, Kind.LABELS_INSTALLED, at + 1, document=certificate, bank=bank)
        logs.log(bank, Kind.LABELS_INSTALLED, at + 2, document=certificate, holder=holder)
        release(logs, holder, certificate, statement, at + 3, bank=bank, rho=rho)
        receipt = {"document": statement, "certificate": certificate, "holder": holder}
        log(bank, Kind.COUNTS_RECEIVED, at + 4, epoch=1, **receipt)
    log(HUB, Kind.LABELS_INSTALLED, at + 1, document=certificate, bank=bank)
    return Played(certificate, statements)


def release(
    logs: Logs,
    holder: SpiffeId,
    certificate: bytes,
    statement: bytes,
    at: int,
    *,
    bank: SpiffeId = HARBOUR,
    rho: int = COST,
    epoch: int = 1,
) -> None:
    body = {"bank": bank, "epoch": epoch, "rho": rho, "epsilon": privacy.epsilon_micro(rho)}
    logs.log(holder, Kind.COUNTS, at, document=statement, certificate=certificate, **body)


def kinds(logs: Logs, now: int = NOW + 3 * YEAR) -> list[tuple[FindingKind, str]]:
    return sorted((f.kind, f.subject) for f in logs.audit(now=now))


@pytest.fixture
def logs() -> Logs:
    """Of a chain in which nothing else happens; a first test has it among its queries."""
    return Logs()


def test_an_honest_development_is_no_finding_among_honest_queries(world: World) -> None:
    develop(world.logs)
    assert kinds(world.logs) == []


def test_a_violation_among_honest_queries_is_the_only_finding(world: World) -> None:
    in_another_epoch(world.logs)
    assert kinds(world.logs) == [(FindingKind.COUNTS_REPEATED, str(TAX))]


def test_receipts_that_come_before_the_holders_entry_are_none(logs: Logs) -> None:
    """Clocks differ, and logs are read one after the other."""
    made = develop(logs, without=(Kind.COUNTS_RECEIVED,))
    for holder, statement in made.statements.items():
        body = {"document": statement, "certificate": made.certificate, "holder": holder}
        logs.log(HARBOUR, Kind.COUNTS_RECEIVED, AT + 3 - 120, epoch=1, **body)
    assert kinds(logs) == []


def counts_of_nobody(logs: Logs) -> None:
    made = develop(logs)
    release(logs, TAX, OTHER, OTHER, AT + 5)
    receipt = {"document": OTHER, "certificate": made.certificate, "holder": TAX}
    logs.log(HARBOUR, Kind.COUNTS_RECEIVED, AT + 6, epoch=1, **receipt | {"certificate": OTHER})


def counts_for_another_bank(logs: Logs) -> None:
    made = develop(logs, holders=(INSURANCE, POWER))
    logs.books.costs[made.certificate][str(TAX)] = COST
    release(logs, TAX, made.certificate, OTHER, AT + 5, bank=DELTA)
    receipt = {"document": OTHER, "certificate": made.certificate, "holder": TAX}
    logs.log(DELTA, Kind.COUNTS_RECEIVED, AT + 6, epoch=1, **receipt)


def labels_of_nobody(logs: Logs) -> None:
    logs.log(POWER, Kind.LABELS_INSTALLED, AT, document=OTHER, bank=HARBOUR)


def in_another_epoch(logs: Logs) -> None:
    made = develop(logs)
    release(logs, TAX, made.certificate, OTHER, AT + 90, epoch=2)
    receipt = {"document": OTHER, "certificate": made.certificate, "holder": TAX}
    logs.log(HARBOUR, Kind.COUNTS_RECEIVED, AT + 91, epoch=2, **receipt)


def a_year_later(logs: Logs) -> None:
    """A certificate is answered once, however late; not so late that replay forgets it."""
    made = develop(logs)
    release(logs, TAX, made.certificate, OTHER, AT + YEAR + 9)
    receipt = {"document": OTHER, "certificate": made.certificate, "holder": TAX}
    logs.log(HARBOUR, Kind.COUNTS_RECEIVED, AT + YEAR + 9, epoch=1, **receipt)


def kept_quiet_by_the_bank(logs: Logs) -> None:
    made = develop(logs, without=(Kind.COUNTS_RECEIVED,))
    for holder in (INSURANCE, POWER):
        body = {"document": made.statements[holder], "certificate": made.certificate}
        logs.log(HARBOUR, Kind.COUNTS_RECEIVED, AT + 4, epoch=1, holder=holder, **body)


def kept_quiet_by_the_holder(logs: Logs) -> None:
    made = develop(logs, holders=(INSURANCE, POWER))
    body = {"document": OTHER, "certificate": made.certificate, "holder": TAX}
    logs.log(HARBOUR, Kind.COUNTS_RECEIVED, AT + 4, epoch=1, **body)


PLANTED: dict[str, tuple[Callable[[Logs], None], list[tuple[FindingKind, SpiffeId]]]] = {
    "counts under a certificate of nobody": (
        counts_of_nobody,
        [(FindingKind.LABELS_UNCERTIFIED, HARBOUR), (FindingKind.LABELS_UNCERTIFIED, TAX)],
    ),
    "counts for another bank": (
        counts_for_another_bank,
        [(FindingKind.LABELS_UNCERTIFIED, DELTA), (FindingKind.LABELS_UNCERTIFIED, TAX)],
    ),
    "labels of nobody": (labels_of_nobody, [(FindingKind.LABELS_UNCERTIFIED, POWER)]),
    "another epoch": (in_another_epoch, [(FindingKind.COUNTS_REPEATED, TAX)]),
    "again, a year later": (a_year_later, [(FindingKind.COUNTS_REPEATED, TAX)]),
    "a bank that logs no receipt": (
        kept_quiet_by_the_bank,
        [(FindingKind.COUNTS_RECEIPT_MISSING, HARBOUR)],
    ),
    "a holder that logs no release": (
        kept_quiet_by_the_holder,
        [(FindingKind.COUNTS_UNLOGGED, TAX)],
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_each_violation_is_found_and_named(logs: Logs, case: str) -> None:
    plant, expected = PLANTED[case]
    plant(logs)
    assert kinds(logs) == sorted((kind, str(subject)) for kind, subject in expected)


def limit(epsilon: float) -> int:
    return int(privacy.rho(epsilon, 1e-6) * privacy.NANO)


def test_what_fits_into_the_budget_exactly_is_none(logs: Logs) -> None:
    whole = limit(3.0)
    develop(logs, rho=whole // 6)
    develop(logs, AT + 100, rho=whole // 6)
    assert kinds(logs) == []


def test_a_bank_over_its_budget_of_a_year_is_found_once(logs: Logs) -> None:
    """Three holders share the cost, so that none of them is over its own."""
    develop(logs, rho=limit(3.0) // 6 + 10)
    develop(logs, AT + 100, rho=limit(3.0) // 6 + 10)
    assert kinds(logs) == [(FindingKind.DEVELOPMENT_OVER_BUDGET, str(HARBOUR))]


def test_affiliates_have_one_budget(logs: Logs) -> None:
    logs.books.groups = ((str(DELTA), str(HARBOUR)),)
    develop(logs, rho=limit(3.0) // 6 + 10)
    develop(logs, AT + 100, DELTA, rho=limit(3.0) // 6 + 10)
    assert kinds(logs) == [(FindingKind.DEVELOPMENT_OVER_BUDGET, str(DELTA))]


@pytest.mark.parametrize("stated", [1, -(10**15), 0, "little"])
def test_a_holder_that_understates_its_costs_hides_none(logs: Logs, stated: object) -> None:
    """Each certificate is within the bank's budget, and both are not within the holder's."""
    rho = limit(3.0) - 10
    for number, bank in enumerate(BANKS):
        at = AT + 10 * number
        develop(logs, at, bank, (TAX,), rho=rho)
        last = max(n for n, event in enumerate(logs.events) if event.kind is Kind.COUNTS)
        logs.events[last].body["rho"] = stated  # type: ignore[assignment]
    found = kinds(logs)
    assert found.count((FindingKind.COUNTS_MISSTATED, str(TAX))) == len(BANKS)
    assert set(found) == {
        (FindingKind.COUNTS_MISSTATED, str(TAX)),
        (FindingKind.DEVELOPMENT_OVER_BUDGET, str(TAX)),
    }


def test_a_holder_that_takes_no_part_and_releases_is_found(logs: Logs) -> None:
    made = develop(logs, holders=(INSURANCE, POWER))
    release(logs, TAX, made.certificate, OTHER, AT + 3)
    receipt = {"document": OTHER, "certificate": made.certificate, "holder": TAX}
    logs.log(HARBOUR, Kind.COUNTS_RECEIVED, AT + 4, epoch=1, **receipt)
    assert kinds(logs) == [(FindingKind.COUNTS_MISSTATED, str(TAX))]


def test_a_year_later_the_budget_is_whole_again(logs: Logs) -> None:
    develop(logs, rho=limit(3.0) // 3)
    develop(logs, AT + YEAR + 10, rho=limit(3.0) // 3)
    assert kinds(logs) == []


def test_a_holder_that_releases_too_much_for_one_bank_is_found(logs: Logs) -> None:
    """It says so itself, though the certificate was for less."""
    made = develop(logs, holders=(INSURANCE, POWER), rho=1_000)
    logs.books.costs[made.certificate][str(TAX)] = 1_000
    release(logs, TAX, made.certificate, OTHER, AT + 3, rho=limit(3.0) + 10)
    receipt = {"document": OTHER, "certificate": made.certificate, "holder": TAX}
    logs.log(HARBOUR, Kind.COUNTS_RECEIVED, AT + 4, epoch=1, **receipt)
    kinds_found = [FindingKind.COUNTS_MISSTATED, FindingKind.DEVELOPMENT_OVER_BUDGET]
    assert kinds(logs) == [(kind, str(TAX)) for kind in kinds_found]


def test_a_holder_over_its_budget_for_all_banks_is_found(logs: Logs) -> None:
    """Each of many banks is within its own."""
    for number, bank in enumerate(BANKS):
        develop(logs, AT + 10 * number, bank, (TAX,), rho=limit(3.0) - 10)
    found = kinds(logs)
    assert {kind for kind, _ in found} == {FindingKind.DEVELOPMENT_OVER_BUDGET}
    assert {subject for _, subject in found} == {str(TAX)}


def test_a_missing_receipt_alone_is_no_more_than_a_warning() -> None:
    assert FindingKind.COUNTS_RECEIPT_MISSING.severity is Severity.WARNING
    assert FindingKind.COUNTS_REPEATED.severity is Severity.CRITICAL
