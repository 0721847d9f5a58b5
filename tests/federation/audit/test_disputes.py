"""Disputes in the logs: answered in time is no finding, late and never are one."""

from __future__ import annotations

import dataclasses

import pytest

from federation.audit.findings import FindingKind, Severity
from federation.canonical import b64
from federation.disputes.reply import due_of
from federation.entries import Kind
from federation.identity import SpiffeId
from support.audited import Logs, World
from support.chain import HARBOUR, NOW, POWER, TAX

DISPUTE, OTHER = bytes(range(32)), b"\1" * 32
DUE = due_of(NOW)


def received(
    logs: Logs, at: int = NOW, dispute: bytes = DISPUTE, holder: SpiffeId = TAX, due: int = DUE
) -> None:
    logs.log(holder, Kind.DISPUTED, at, document=bytes(32), dispute=dispute, due=due)


def answered(logs: Logs, at: int, dispute: bytes = DISPUTE, holder: SpiffeId = TAX) -> None:
    body = {"document": bytes(32), "dispute": dispute, "outcome": "confirmed", "by": "e"}
    logs.log(holder, Kind.DISPUTE_ANSWERED, at, **body)


def overdue(logs: Logs, now: int = DUE) -> list[tuple[str, int]]:
    found = [f for f in logs.audit(now=now) if f.kind is FindingKind.DISPUTE_OVERDUE]
    assert all(f.severity is Severity.WARNING and f.query is None for f in found)
    return [(f.subject, int(f.evidence["answered"])) for f in found]


@pytest.fixture
def logs(world: World) -> Logs:
    # Without the world's queries: they are judged elsewhere.
    return dataclasses.replace(world.copy().logs, queries=[], events=[], cancelled=[], findings=[])


def test_an_answer_in_the_last_second_is_in_time(logs: Logs) -> None:
    received(logs)
    answered(logs, DUE - 1)
    assert overdue(logs, DUE + 1_000_000) == []


def test_what_is_not_due_yet_is_not_judged(logs: Logs) -> None:
    received(logs)
    assert overdue(logs, DUE - 1) == []


def test_no_answer_by_the_due_date(logs: Logs) -> None:
    received(logs)
    received(logs, dispute=OTHER)
    received(logs, holder=POWER)
    answered(logs, NOW + 60)
    answered(logs, NOW + 60, dispute=OTHER, holder=POWER)
    assert sorted(overdue(logs)) == sorted([(str(TAX), 0), (str(POWER), 0)])


def test_a_late_answer_is_the_same_finding(logs: Logs) -> None:
    received(logs)
    before = next(f for f in logs.audit(now=DUE) if f.kind is FindingKind.DISPUTE_OVERDUE)
    answered(logs, DUE)
    found = [f for f in logs.audit(now=DUE + 60) if f.kind is FindingKind.DISPUTE_OVERDUE]
    assert [f.id for f in found] == [before.id]
    assert found[0].evidence["dispute"] == b64(DISPUTE)


def test_a_holder_that_writes_a_later_due_date_gains_nothing(logs: Logs) -> None:
    received(logs, due=DUE + 100 * 86_400)
    assert overdue(logs) == [(str(TAX), 0)]


def test_a_holder_that_logs_it_twice_gains_nothing(logs: Logs) -> None:
    received(logs)
    received(logs, at=NOW + 10 * 86_400)
    assert overdue(logs) == [(str(TAX), 0)]


def test_others_do_not_answer_for_it(logs: Logs) -> None:
    received(logs)
    answered(logs, NOW + 60, holder=POWER)
    answered(logs, NOW + 60, holder=HARBOUR)
    assert overdue(logs) == [(str(TAX), 0)]
    received(logs, holder=HARBOUR)
    assert overdue(logs) == [(str(TAX), 0)]
