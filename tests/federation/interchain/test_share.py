"""Shares between regulators: whose they are, for whom, and that each follows the one before it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from federation.entries import Kind
from federation.envelope import EnvelopeKey
from federation.errors import EnvelopeError, Reason, Refusal, SignatureInvalid
from federation.identity import Role, SpiffeId
from federation.interchain.share import (
    DAY,
    NONE,
    REQUEST_SECONDS,
    SHARE_BYTES,
    Share,
    ShareContent,
    SharedEntry,
    SharedLog,
    ShareRequest,
    check_follows,
    check_request,
    open_share,
    overdue,
    seal_share,
)
from federation.signed import Signed, SigningKey
from support.chain import NOW
from support.two_chains import LATER, Side, ask, contents, make_share

AT = NOW + 600


@pytest.fixture(scope="module")
def pair() -> tuple[Side, Side]:
    csj, zsj = Side("csj"), Side("zsj")
    ask(zsj, csj, AT)
    return csj, zsj


def content_of(csj: Side, zsj: Side) -> ShareContent:
    ((_, content),) = contents(csj, zsj)
    return content


def opening(csj: Side, zsj: Side, wire: tuple[Signed, bytes]) -> tuple[Share, ShareContent]:
    signed, sealed = wire
    return open_share(signed, sealed, csj.bundle, zsj.name, zsj.domain, zsj.envelope, LATER)


def refused(call: Callable[[], object], reason: Reason) -> None:
    with pytest.raises(Refusal) as caught:
        call()
    assert caught.value.reason is reason


def test_a_share_opens_for_the_regulator_that_it_is_for(pair: tuple[Side, Side]) -> None:
    csj, zsj = pair
    content = content_of(csj, zsj)
    share, wire = make_share(csj, zsj, content, None, LATER)
    assert opening(csj, zsj, wire) == (share, content)
    assert len(content.permits) == 1
    assert [entry.kind for entry in content.entries] == ["unlock"] * 3


def test_every_share_has_one_size(pair: tuple[Side, Side]) -> None:
    csj, zsj = pair
    empty = ShareContent(salt=secrets.token_bytes(16), permits=(), entries=(), findings=())
    sizes = {
        len(make_share(csj, zsj, content, None, LATER)[1][1])
        for content in (empty, content_of(csj, zsj))
    }
    assert len(sizes) == 1 and sizes.pop() > SHARE_BYTES


def test_nobody_else_opens_it(pair: tuple[Side, Side]) -> None:
    csj, zsj = pair
    _, (signed, sealed) = make_share(csj, zsj, content_of(csj, zsj), None, LATER)
    with pytest.raises(EnvelopeError):
        open_share(signed, sealed, csj.bundle, zsj.name, zsj.domain, EnvelopeKey.generate(), LATER)


def test_a_share_that_was_altered_is_not_the_regulators(pair: tuple[Side, Side]) -> None:
    csj, zsj = pair
    share, (_, sealed) = make_share(csj, zsj, content_of(csj, zsj), None, LATER)
    altered = share.model_copy(update={"until": LATER - 1}).sign(SigningKey.generate())
    with pytest.raises(SignatureInvalid):
        opening(csj, zsj, (altered, sealed))


def test_the_content_of_another_share_does_not_open(pair: tuple[Side, Side]) -> None:
    csj, zsj = pair
    content = content_of(csj, zsj)
    share, (signed, _) = make_share(csj, zsj, content, None, LATER)
    other, (_, sealed) = make_share(csj, zsj, content, share, LATER)
    assert other.number == 2
    with pytest.raises(EnvelopeError):
        opening(csj, zsj, (signed, sealed))


def test_a_content_that_the_share_does_not_name_is_refused(pair: tuple[Side, Side]) -> None:
    csj, zsj = pair
    content = content_of(csj, zsj)
    share, (signed, _) = make_share(csj, zsj, content, None, LATER)
    fewer = content.model_copy(update={"permits": ()})
    sealed = seal_share(share, fewer, zsj.envelope.public)
    refused(lambda: opening(csj, zsj, (signed, sealed)), Reason.CONFLICT)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"chain": "jjj"}, Reason.WRONG_CHAIN),
        (
            {"regulator": SpiffeId("csj.yinxin.example", Role.REGULATOR, "other")},
            Reason.WRONG_CHAIN,
        ),
        ({"audience": "jjj"}, Reason.WRONG_AUDIENCE),
        ({"issued": LATER + REQUEST_SECONDS + 1}, Reason.NOT_YET_VALID),
    ],
    ids=["of-another-chain", "of-another-regulator", "for-another-chain", "of-the-future"],
)
def test_a_share_of_or_for_others_is_refused(
    pair: tuple[Side, Side], changes: dict[str, Any], reason: Reason
) -> None:
    csj, zsj = pair
    _, wire = make_share(csj, zsj, content_of(csj, zsj), None, LATER, **changes)
    refused(lambda: opening(csj, zsj, wire), reason)


def outside(csj: Side, zsj: Side, content: ShareContent) -> dict[str, Any]:
    entry = content.entries[0].model_copy(update={"index": 99_999})
    return {"entries": (entry, *content.entries[1:])}


def twice(csj: Side, zsj: Side, content: ShareContent) -> dict[str, Any]:
    return {"entries": (*content.entries, content.entries[0])}


def wrong_writer(csj: Side, zsj: Side, content: ShareContent) -> dict[str, Any]:
    entry = content.entries[0].model_copy(update={"kind": Kind.QUERY.value})
    return {"entries": (entry, *content.entries[1:])}


def foreign_bank(csj: Side, zsj: Side, content: ShareContent) -> dict[str, Any]:
    third = SpiffeId("jjj.yinxin.example", Role.BANK, "north")
    return {"permits": (content.permits[0].model_copy(update={"bank": third}),)}


@pytest.mark.parametrize("change", [outside, twice, wrong_writer, foreign_bank])
def test_what_is_not_the_answering_chains_to_tell_is_refused(
    pair: tuple[Side, Side], change: Callable[..., dict[str, Any]]
) -> None:
    csj, zsj = pair
    content = content_of(csj, zsj)
    share, _ = make_share(csj, zsj, content, None, LATER)
    told = content.model_copy(update=change(csj, zsj, content))
    share = share.model_copy(update={"content": told.hash})
    wire = share.sign(csj.key), seal_share(share, told, zsj.envelope.public)
    refused(lambda: opening(csj, zsj, wire), Reason.CONFLICT)


def test_a_log_of_another_chain_is_refused(pair: tuple[Side, Side]) -> None:
    """A regulator tells of the logs of its own chain alone."""
    csj, zsj = pair
    content = ShareContent(
        salt=bytes(16),
        permits=(),
        entries=(
            SharedEntry(
                log=zsj.bank, index=0, kind="query", time=AT, permit=bytes(32), document=b""
            ),
        ),
        findings=(),
    )
    span = SharedLog(log=zsj.bank, start=0, stop=1, size=1, root=bytes(32))
    _, wire = make_share(csj, zsj, content, None, LATER, logs=(span,))
    refused(lambda: opening(csj, zsj, wire), Reason.CONFLICT)


# --- one after the other ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def first(pair: tuple[Side, Side]) -> Share:
    csj, zsj = pair
    return make_share(csj, zsj, content_of(csj, zsj), None, LATER - 100)[0]


def following(first: Share, **changes: Any) -> Share:
    spans = tuple(
        SharedLog(log=s.log, start=s.stop, stop=s.stop, size=s.size, root=s.root)
        for s in first.logs
    )
    fields: dict[str, Any] = {
        "number": 2,
        "previous": first.hash,
        "begin": first.until,
        "until": LATER,
        "logs": spans,
    }
    return first.model_copy(update=fields | changes)


def test_shares_join_without_gap_or_overlap(first: Share) -> None:
    check_follows(first, None)
    check_follows(following(first), first)


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 1},
        {"number": 3},
        {"previous": secrets.token_bytes(32)},
        {"begin": LATER - 99},
        {"begin": LATER - 101},
        {"logs": ()},
    ],
    ids=["again", "one-left-out", "another-past", "gap", "overlap", "log-left-out"],
)
def test_a_share_that_does_not_join_is_refused(first: Share, changes: dict[str, Any]) -> None:
    refused(lambda: check_follows(following(first, **changes), first), Reason.CONFLICT)


@pytest.mark.parametrize(
    "change",
    [
        {"start": 0},
        {"root": bytes([1]) * 32},
        {"size": 99_999},
    ],
    ids=["entries-again", "another-tree", "shorter"],
)
def test_a_log_that_is_not_what_it_was_is_refused(first: Share, change: dict[str, Any]) -> None:
    share = following(first)
    logs = (share.logs[0].model_copy(update=change), *share.logs[1:])
    refused(lambda: check_follows(share.model_copy(update={"logs": logs}), first), Reason.CONFLICT)


def test_the_first_share_follows_nothing(first: Share) -> None:
    refused(lambda: check_follows(following(first), None), Reason.CONFLICT)


# --- requests, and who is late ------------------------------------------------------------------


def request(csj: Side, zsj: Side, **changes: Any) -> ShareRequest:
    fields: dict[str, Any] = {
        "id": secrets.token_bytes(16),
        "chain": zsj.name,
        "audience": csj.name,
        "regulator": zsj.regulator,
        "number": 0,
        "last": NONE,
        "issued": LATER,
    }
    return ShareRequest.model_validate(fields | changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"chain": "jjj"}, Reason.WRONG_CHAIN),
        ({"regulator": SpiffeId("zsj.yinxin.example", Role.REGULATOR, "x")}, Reason.WRONG_CHAIN),
        ({"audience": "jjj"}, Reason.WRONG_AUDIENCE),
        ({"issued": LATER - REQUEST_SECONDS - 1}, Reason.EXPIRED),
        ({"issued": LATER + REQUEST_SECONDS + 1}, Reason.EXPIRED),
    ],
)
def test_a_request_of_or_to_others_is_refused(
    pair: tuple[Side, Side], changes: dict[str, Any], reason: Reason
) -> None:
    csj, zsj = pair
    check_request(request(csj, zsj), csj.name, zsj.name, zsj.regulator, LATER)
    asked = request(csj, zsj, **changes)
    refused(lambda: check_request(asked, csj.name, zsj.name, zsj.regulator, LATER), reason)


def test_a_peer_is_late_after_a_day_and_not_for_the_time_that_nobody_looked() -> None:
    assert not overdue(NOW, NOW - DAY, NOW + DAY)
    assert overdue(NOW, NOW - DAY, NOW + DAY + 1)
    assert not overdue(0, NOW, NOW + DAY)
    assert overdue(0, NOW, NOW + DAY + 1)
