"""Guests: banks of a pinned chain, as long as it is pinned."""

from __future__ import annotations

from typing import Any

import pytest

from federation.entries import Kind, read_entry
from federation.errors import DocumentError, Reason, SignatureInvalid
from federation.identity import Role
from federation.interchain.guest import Guest, guest_entry, make_guest, open_guest, welcome
from federation.interchain.pin import Pin, first_pin, withdrawn_pin
from federation.membership import Member, Members
from federation.signed import Signed, SigningKey
from support.checks import refused
from tests.federation.interchain.trusting import DAY, NOW, Peer

CSJ, ZSJ, JJJ = Peer("csj"), Peer("zsj"), Peer("jjj")
ROOT = CSJ.root
BANK = ZSJ.party(Role.BANK, "harbour")
KEYS = SigningKey.generate()


def member(peer: Peer = ZSJ, **changes: Any) -> Member:
    """A bank at home."""
    fields: dict[str, Any] = {
        "chain": peer.chain,
        "id": peer.party(Role.BANK, "harbour"),
        "kind": "",
        "title": {"zh": "甲", "en": "a"},
        "signing": KEYS.public,
        "agreement": b"",
        "sealing": b"s" * 32,
        "named": False,
        "not_before": NOW,
        "not_after": NOW + 300 * DAY,
    }
    return Member.model_validate(fields | changes)


def pinned(peer: Peer = ZSJ) -> Pin:
    bundle = peer.bundle()
    return first_pin(bundle.sign(peer.signing), bundle.fingerprint(), ROOT, {}, NOW)


def guest(now: int = NOW, **changes: Any) -> Guest:
    return make_guest("csj", member(**changes), b"c" * 32, pinned(), now)


def signed(*documents: Guest | Pin) -> list[Signed]:
    return [one.sign(CSJ.signing) for one in documents]


def test_a_guest_is_a_bank_like_any_until_its_own_or_the_pins_end() -> None:
    made = guest()
    assert (made.home, made.id, made.not_after) == ("zsj", BANK, NOW + 300 * DAY)
    assert guest(not_after=NOW + DAY).not_after == NOW + DAY
    (found,) = welcome(signed(made), signed(pinned()), ROOT)
    members = Members(ROOT, [], NOW, [found])
    assert members.require(BANK, Role.BANK).signing == KEYS.public
    assert list(members.of(Role.BANK)) == []  # it is listed nowhere among the own ones
    refused(Reason.FOREIGN_CERTIFICATE, lambda: members.require(BANK, Role.HOLDER))
    assert found.not_after == pinned().not_after
    later = members.at(pinned().not_after)
    refused(Reason.FOREIGN_CERTIFICATE, lambda: later.require(BANK, Role.BANK))


def test_a_withdrawn_pin_shuts_all_guests_out() -> None:
    made, pin = guest(), pinned()
    assert welcome(signed(made), signed(pin, withdrawn_pin(pin, "", NOW)), ROOT) == ()
    assert welcome(signed(made), [], ROOT) == ()


def test_a_newer_credential_takes_the_place_of_an_older_one() -> None:
    other = SigningKey.generate()
    documents = signed(guest(NOW + 1, signing=other.public), guest())
    (found,) = welcome(documents, signed(pinned()), ROOT)
    assert found.signing == other.public


@pytest.mark.parametrize(
    "changes",
    [
        {"peer": JJJ},
        {"chain": "jjj"},
        {"id": JJJ.party(Role.BANK)},
        {"id": ZSJ.party(Role.HUB)},
        {"not_after": NOW},
        {"not_before": NOW + 1},
    ],
)
def test_who_is_no_bank_of_the_pinned_chain(changes: dict[str, Any]) -> None:
    refused(
        Reason.FOREIGN_CERTIFICATE,
        lambda: make_guest("csj", member(**changes), b"c" * 32, pinned(), NOW),
    )


def test_no_guest_by_a_pin_that_does_not_hold() -> None:
    pin = pinned()
    for last, now in ((withdrawn_pin(pin, "", NOW), NOW), (pin, pin.not_after)):
        refused(
            Reason.UNKNOWN_CHAIN,
            lambda p=last, n=now: make_guest("csj", member(), b"c" * 32, p, n),
        )


def test_a_guest_is_the_own_regulators_word() -> None:
    made = guest()
    with pytest.raises(SignatureInvalid):
        open_guest(made.sign(ZSJ.signing), ROOT)
    other = made.model_copy(update={"chain": "jjj"})
    refused(Reason.WRONG_CHAIN, lambda: open_guest(other.sign(CSJ.signing), ROOT))
    own = made.model_copy(update={"id": CSJ.party(Role.BANK)})
    with pytest.raises(DocumentError, match="the chain itself"):
        open_guest(own.sign(CSJ.signing), ROOT)


def test_a_guest_of_the_one_chain_is_none_of_the_other() -> None:
    made = guest().model_copy(update={"id": JJJ.party(Role.BANK)})
    with pytest.raises(DocumentError, match="not of chain zsj"):
        welcome(signed(made), signed(pinned()), ROOT)


def test_a_guest_is_a_bank_of_another_chain() -> None:
    fields = {name: value for name, value in dict(guest()).items() if name != "hash"}
    for changes in ({"home": "csj"}, {"id": ZSJ.party(Role.HOLDER)}):
        with pytest.raises(ValueError, match="another chain"):
            Guest.model_validate({**fields, **changes})


def test_a_guests_entry() -> None:
    entry = read_entry(guest_entry(guest(), NOW))
    assert (entry.kind, entry.body["bank"], entry.body["home"]) == (Kind.GUEST, str(BANK), "zsj")
