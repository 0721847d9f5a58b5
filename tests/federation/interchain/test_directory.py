"""Directories: what a hub says to peer chains, and every way in which it could be an old word, a
word for somebody else, or none at all.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from federation.entries import CLOCK_SKEW
from federation.errors import DocumentError, FederationError, Reason, Refusal, SignatureInvalid
from federation.identity import Role, SpiffeId
from federation.interchain.directory import (
    Directory,
    read_directory,
    require_fresh,
    require_roster,
)
from federation.roster import Roster
from federation.signed import Signed, SigningKey
from federation.uscc import Uscc

NOW = 1_800_000_000
AGE = 3_600
HUB = SpiffeId("csj.yinxin.example", Role.HUB, "hub")
KEY = SigningKey.generate()
STATE = b"the state as sent"


def made(**changes: Any) -> Directory:
    fields: dict[str, Any] = {
        "chain": "csj",
        "hub": HUB,
        "audience": "zsj",
        "issued": NOW,
        "state": hashlib.sha256(STATE).digest(),
        "roster_rows": 20,
        "roster_root": b"r" * 32,
        "batches": 2,
    }
    return Directory.model_validate(fields | changes)


def read(signed: Signed, last: Directory | None = None, now: int = NOW, **more: Any) -> Directory:
    given: dict[str, Any] = {
        "state": STATE,
        "chain": "csj",
        "audience": "zsj",
        "most_age": AGE,
    }
    return read_directory(signed, KEY.public, now=now, last=last, **(given | more))


def test_what_the_hub_said_is_read() -> None:
    assert read(made().sign(KEY)) == made()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"chain": "jjj"}, Reason.WRONG_CHAIN),
        ({"audience": "jjj"}, Reason.WRONG_AUDIENCE),
        ({"state": bytes(32)}, Reason.CONFLICT),
        ({"issued": NOW + CLOCK_SKEW + 1}, Reason.NOT_YET_VALID),
        ({"issued": NOW - AGE - 1}, Reason.STALE_DIRECTORY),
    ],
)
def test_another_chains_audiences_states_or_times_are_refused(
    changes: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(Refusal) as caught:
        read(made(**changes).sign(KEY))
    assert caught.value.reason is reason


def test_a_state_that_was_altered_on_the_way_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        read(made().sign(KEY), state=STATE + b"\0")
    assert caught.value.reason is Reason.CONFLICT


def test_only_the_hubs_own_signature_counts() -> None:
    signed = made().sign(SigningKey.generate())
    with pytest.raises(SignatureInvalid):
        read(signed)
    forged = Signed(signed.payload_type, signed.payload, KEY.key_id, signed.signature)
    with pytest.raises(SignatureInvalid):
        read(forged)
    with pytest.raises(FederationError):
        read(Signed("application/vnd.yinxin.permit.v1+json", b"{}", KEY.key_id, b"s" * 64))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"issued": NOW - 1}, Reason.STALE_DIRECTORY),
        ({"roster_rows": 19}, Reason.CONFLICT),
        ({"roster_rows": 21, "batches": 1}, Reason.CONFLICT),
        ({"batches": 1}, Reason.CONFLICT),
        ({"roster_root": b"s" * 32}, Reason.CONFLICT),
    ],
)
def test_after_a_newer_directory_an_older_one_or_a_shorter_or_another_roster_is_refused(
    changes: dict[str, Any], reason: Reason
) -> None:
    signed = made(**changes).sign(KEY)
    read(signed)  # by itself nothing is wrong with it
    with pytest.raises(Refusal) as caught:
        read(signed, last=made())
    assert caught.value.reason is reason


def test_a_roster_grows_and_the_same_directory_may_come_again() -> None:
    grown = made(roster_rows=30, roster_root=b"s" * 32, batches=3, issued=NOW + 1)
    assert read(grown.sign(KEY), last=made()) == grown
    assert read(made().sign(KEY), last=made()) == made()


def test_a_kept_directory_ends_with_its_age() -> None:
    require_fresh(made(), NOW + AGE, AGE)
    with pytest.raises(Refusal) as caught:
        require_fresh(made(), NOW + AGE + 1, AGE)
    assert caught.value.reason is Reason.STALE_DIRECTORY


def test_the_batches_have_to_lead_to_the_roster_that_the_directory_names() -> None:
    roster = Roster("csj")
    roster.append(Uscc.generate(n) for n in range(5))
    named = made(roster_rows=5, roster_root=roster.root, batches=1)
    roster.append(Uscc.generate(n) for n in range(5, 7))
    require_roster(named, roster)  # it has grown since
    for other in (made(roster_rows=5), made(roster_rows=6, roster_root=named.roster_root)):
        with pytest.raises(Refusal) as caught:
            require_roster(other, roster)
        assert caught.value.reason is Reason.CONFLICT


def test_a_malformed_directory_is_no_directory() -> None:
    with pytest.raises(DocumentError):
        Directory.parse(made().payload().replace(b'"batches":2', b'"batches":-1'))
