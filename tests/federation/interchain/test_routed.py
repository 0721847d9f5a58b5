"""Routed queries: whose they are, to whom, and what the hub in between can do with one."""

from __future__ import annotations

from typing import Any

import pytest

from federation.entries import CLOCK_SKEW
from federation.envelope import EnvelopeKey
from federation.errors import EnvelopeError, FederationError, Reason, Refusal, SignatureInvalid
from federation.identity import Role, SpiffeId
from federation.interchain.routed import (
    QUERY_BYTES,
    ROUTED_SECONDS,
    RoutedQuery,
    check_route,
    open_routed,
    route_query,
)
from federation.signed import Signed, SigningKey

NOW = 1_800_000_000
BANK = SpiffeId("zsj.yinxin.example", Role.BANK, "pearl")
RIVAL = SpiffeId("zsj.yinxin.example", Role.BANK, "rival")
HUB = SpiffeId("csj.yinxin.example", Role.HUB, "hub")
THIRD = SpiffeId("jjj.yinxin.example", Role.HUB, "hub")
KEY = EnvelopeKey.generate()
SIGNING = SigningKey.generate()
RIVALS = SigningKey.generate()
QUERY = b"consent of 91510000MA00000000"


def made(query: bytes = QUERY, **changes: Any) -> RoutedQuery:
    fields: dict[str, Any] = {
        "request_id": b"i" * 16,
        "home": "zsj",
        "chain": "csj",
        "bank": BANK,
        "hub": HUB,
        "sealing": KEY.public,
        "now": NOW,
    }
    return route_query(query, **(fields | changes))


def opened(signed: Signed, signing: bytes = SIGNING.public, **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "home": "zsj",
        "chain": "csj",
        "bank": BANK,
        "hub": HUB,
        "key": KEY,
        "now": NOW,
    }
    return open_routed(signed, signing, **(fields | changes))


def test_the_hub_there_reads_what_the_bank_asked() -> None:
    assert opened(made().sign(SIGNING)) == QUERY


def test_the_hub_in_between_reads_nothing_not_even_a_length() -> None:
    short, long = made(b"").payload(), made(b"q" * QUERY_BYTES).payload()
    assert len(short) == len(long)
    assert QUERY not in made().payload()


def test_a_query_that_does_not_fit_is_not_sent() -> None:
    with pytest.raises(EnvelopeError):
        made(b"q" * (QUERY_BYTES + 1))


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"home": "jjj"}, Reason.WRONG_CHAIN),
        ({"chain": "jjj"}, Reason.WRONG_CHAIN),  # for a third chain: nothing is passed on
        ({"bank": RIVAL}, Reason.WRONG_BANK),
        ({"hub": THIRD}, Reason.WRONG_AUDIENCE),
        ({"now": NOW + ROUTED_SECONDS + CLOCK_SKEW}, Reason.EXPIRED),
        ({"now": NOW - CLOCK_SKEW - 1}, Reason.EXPIRED),
    ],
)
def test_the_hub_there_takes_only_what_is_meant_for_it_now(
    asked: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(Refusal) as caught:
        opened(made().sign(SIGNING), **asked)
    assert caught.value.reason is reason


def test_nobody_but_the_bank_asks_in_its_name() -> None:
    with pytest.raises(SignatureInvalid):
        opened(made().sign(RIVALS))


@pytest.mark.parametrize(
    "changes",
    [
        {"bank": RIVAL},
        {"id": b"j" * 16},
        {"issued": NOW + 1},
        {"home": "jjj"},
        {"hub": THIRD},
    ],
)
def test_a_sealed_query_fits_into_no_other_request(changes: dict[str, Any]) -> None:
    """Another bank signs what it saw on the way as its own, or the hub dates it anew."""
    copied = made().model_copy(update=changes)
    asked = {name: changes[name] for name in ("bank", "home", "hub") if name in changes}
    with pytest.raises(EnvelopeError):
        opened(copied.sign(RIVALS), RIVALS.public, **asked)


def test_it_opens_with_the_key_of_the_hub_alone() -> None:
    with pytest.raises(EnvelopeError):
        opened(made().sign(SIGNING), key=EnvelopeKey.generate())


@pytest.mark.parametrize(
    ("changes", "caller", "home", "reason"),
    [
        ({}, RIVAL, "zsj", Reason.WRONG_BANK),
        ({}, BANK, "jjj", Reason.WRONG_CHAIN),
        ({"chain": "zsj"}, BANK, "zsj", Reason.WRONG_CHAIN),  # a loop
        ({"now": NOW - ROUTED_SECONDS - CLOCK_SKEW}, BANK, "zsj", Reason.EXPIRED),
        ({"now": NOW + CLOCK_SKEW + 1}, BANK, "zsj", Reason.EXPIRED),
    ],
)
def test_the_hub_at_home_passes_on_what_its_own_bank_asks_elsewhere(
    changes: dict[str, Any], caller: SpiffeId, home: str, reason: Reason
) -> None:
    check_route(made(), "zsj", BANK, NOW)
    with pytest.raises(Refusal) as caught:
        check_route(made(**changes), home, caller, NOW)
    assert caught.value.reason is reason


def test_a_request_of_another_size_is_no_request() -> None:
    short = made().payload()
    start = short.index(b'"query":"') + len(b'"query":"')
    with pytest.raises(FederationError):
        RoutedQuery.parse(short[:start] + short[start + 4 :])
