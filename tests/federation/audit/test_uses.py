"""A hub lets consents be used more often, in more epochs or for longer than they say."""

from __future__ import annotations

import dataclasses
import secrets

import pytest

from federation.audit.cancellations import Cancelled
from federation.audit.findings import FindingKind
from federation.audit.records import AuditedQuery
from federation.purpose import Purpose
from support.audited import World
from support.chain import HUB, NOW

AT = NOW + 1_000


def only(world: World, kind: FindingKind, *queries: AuditedQuery) -> None:
    found = world.logs.audit()
    assert {f.query for f in found} == {query.id for query in queries}
    assert [(f.kind, f.subject) for f in found] == [(kind, str(HUB))] * len(queries)


def test_the_use_beyond_those_granted_is_found(world: World) -> None:
    asked = [world.logs.ask(world.like, AT)]
    for _ in range(4):
        asked.append(world.logs.ask(world.like, AT + len(asked), consent=asked[0].consent))
    only(world, FindingKind.USES_EXCEEDED, *asked[3:])


def test_permits_of_one_query_share_one_use(world: World) -> None:
    """Three queries under a model with a named holder are six permits; the fourth is too much."""
    unnamed, named = (q for q in world.logs.queries if len(q.holders) == 3 and q.index in (1, 2))
    assert (unnamed.named, named.named) == (False, True)
    first = world.logs.ask(unnamed, AT)
    over = first
    for number in range(4):
        common = {"consent": first.consent, "officer": f"n-{number}", "uscc": f"n-{number}"}
        if number:
            over = world.logs.ask(unnamed, AT + number, **common)
        world.logs.ask(named, AT + number, **common)
    only(world, FindingKind.USES_EXCEEDED, over)


def test_an_epoch_beyond_those_certified_is_found(world: World) -> None:
    first = world.logs.ask(world.like, AT, consent=None)
    consent = dataclasses.replace(world.logs.ask(world.like, AT).consent, uses=10)  # type: ignore[type-var]
    for _ in range(2):
        world.logs.ask(world.like, AT + 10, consent=consent)
    second = world.logs.ask(world.like, AT + 20, consent=consent, epoch=2)
    later_month = world.like.month + 1
    world.logs.ask(world.like, AT + 30, consent=consent, epoch=3, month=later_month)
    assert first.epochs_a_month == 1
    only(world, FindingKind.EPOCHS_EXCEEDED, second)


def test_a_use_after_the_cancellation_is_found_and_one_before_it_is_not(world: World) -> None:
    before = world.logs.ask(world.like, AT)
    after = world.logs.ask(world.like, AT, consent=before.consent)
    assert before.consent is not None
    # All within one second: what counts is the order of the hub's log.
    world.logs.cancelled.append(Cancelled(before.index, AT, before.consent.hash))
    only(world, FindingKind.CONSENT_CANCELLED, after)


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("blinded", FindingKind.ELEMENT_REUSED),
        ("permit_id", FindingKind.PERMIT_ID_REUSED),
    ],
)
def test_an_element_or_id_of_another_permit_is_found(
    world: World, field: str, kind: FindingKind
) -> None:
    victim = world.logs.queries[1_500]
    again = world.logs.ask(world.like, victim.time + 700, **{field: getattr(victim, field)})
    only(world, kind, again)


def test_a_permit_that_the_hub_logs_again_is_found_once(world: World) -> None:
    victim = world.logs.queries[700]
    world.logs.queries.append(dataclasses.replace(victim, index=5_000_000))
    only(world, FindingKind.PERMIT_REPEATED, victim)


def test_a_monitoring_consent_may_be_used_for_years(world: World) -> None:
    """One epoch a month, each month: nothing is wrong, and nothing is forgotten too soon."""
    first = world.logs.ask(world.like, AT)
    assert first.consent is not None
    years = dataclasses.replace(
        first.consent, hash=secrets.token_bytes(32), uses=6, expires=NOW + 400 * 86_400
    )
    asked = [
        world.logs.ask(
            world.like,
            NOW + month * 41 * 86_400,
            consent=years,
            purpose=Purpose.CREDIT_CHECK.value,
            month=202700 + month,
            epoch=10 + month,
        )
        for month in range(1, 8)
    ]
    only(world, FindingKind.USES_EXCEEDED, asked[6])
