"""Honest queries are verified, and nothing is found in honest logs."""

from __future__ import annotations

from federation.audit.findings import TITLES, FindingKind
from federation.audit.summary import summarise
from federation.entries import Kind
from support.audited import QUERIES, World


def test_nothing_is_found_in_honest_logs(world: World) -> None:
    assert len(world.logs.queries) == QUERIES + QUERIES // 20
    assert all(query.verified for query in world.logs.queries)
    assert world.logs.audit() == []
    summary = summarise((q.id for q in world.logs.queries), ())
    assert (summary.queries, summary.verified) == (QUERIES + QUERIES // 20,) * 2


def test_an_audit_that_feeds_its_records_again_finds_the_same(world: World) -> None:
    permit = world.like.id
    world.logs.events = [
        e for e in world.logs.events if (e.subject, e.kind) != (permit, Kind.QUERY)
    ]
    first, second = world.logs.audit(), world.logs.audit()
    assert [f.id for f in first] == [f.id for f in second]
    assert [f.query for f in first] == [permit]


def test_every_kind_has_a_title_in_both_languages() -> None:
    assert set(TITLES) == set(FindingKind)
    assert all(set(titles) == {"zh", "en"} and all(titles.values()) for titles in TITLES.values())
