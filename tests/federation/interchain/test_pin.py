"""Pins: whom a chain trusts, by whose word, from when and until when."""

from __future__ import annotations

import pytest

from federation.canonical import b64
from federation.entries import CLOCK_SKEW, Kind, read_entry
from federation.errors import Reason, Refusal, SignatureInvalid
from federation.identity import Role, SpiffeId
from federation.interchain.bundle import TrustBundle
from federation.interchain.pin import (
    Pin,
    first_pin,
    next_pin,
    open_pin,
    pin_entry,
    withdrawn_pin,
)
from federation.signed import SigningKey
from support.checks import refused
from tests.federation.interchain.trusting import DAY, NOW, Peer

CSJ, ZSJ, JJJ = Peer("csj"), Peer("zsj"), Peer("jjj")
ROOT = CSJ.root


def pin(peer: Peer = ZSJ, pins: dict[str, Pin] | None = None, now: int = NOW) -> Pin:
    """What csj's regulator signs about a peer whose fingerprint it was told."""
    bundle = peer.bundle()
    return first_pin(bundle.sign(peer.signing), bundle.fingerprint(), ROOT, pins or {}, now)


def test_a_chain_is_pinned_by_its_bundle_and_fingerprint() -> None:
    made = pin()
    assert (made.chain, made.peer, made.number, made.state) == ("csj", "zsj", 1, "pinned")
    assert made.trust() == ZSJ.bundle() and made.not_after == ZSJ.bundle().yinxin_not_after
    assert open_pin(made.sign(CSJ.signing), ROOT) == made
    assert made.holds(NOW - CLOCK_SKEW) and not made.holds(NOW - CLOCK_SKEW - 1)
    assert made.holds(made.not_after - 1) and not made.holds(made.not_after)
    refused(Reason.UNKNOWN_CHAIN, lambda: made.require_holds(made.not_after))


@pytest.mark.parametrize(
    "shown", ["", "0" * 64, CSJ.bundle().fingerprint()], ids=["none", "zeros", "own"]
)
def test_another_fingerprint(shown: str) -> None:
    with pytest.raises(Refusal) as raised:
        first_pin(ZSJ.bundle().sign(ZSJ.signing), shown, ROOT, {}, NOW)
    assert "another fingerprint" in raised.value.detail
    # Nor is the operator told the one that would do.
    assert ZSJ.bundle().fingerprint() not in raised.value.detail


def test_a_bundle_that_somebody_else_signed() -> None:
    """He may name his own key, and then the fingerprint is another one, or the true one."""
    other = SigningKey.generate()
    own = ZSJ.bundle(yinxin_signing=other.public)
    shown = ZSJ.bundle().fingerprint()
    refused(Reason.UNKNOWN_CHAIN, lambda: first_pin(own.sign(other), shown, ROOT, {}, NOW))
    with pytest.raises(SignatureInvalid):
        first_pin(ZSJ.bundle().sign(other), shown, ROOT, {}, NOW)


def like(peer: Peer, chain: str, domain: str) -> TrustBundle:
    """A bundle of `peer` that claims a chain's name and a trust domain."""
    other = Peer(domain.partition(".")[0])
    return other.bundle(
        yinxin_chain=chain,
        yinxin_signing=peer.signing.public,
        yinxin_licence_domain="licence.example",
    )


@pytest.mark.parametrize(
    ("chain", "domain"),
    [
        ("csj", "zsj.yinxin.example"),  # our name
        ("new", "csj.yinxin.example"),  # our trust domain
        ("new", "jjj.yinxin.example"),  # that of another pin
    ],
)
def test_a_name_or_trust_domain_is_one_chains(chain: str, domain: str) -> None:
    pins = {"jjj": pin(JJJ)}
    bundle = like(ZSJ, chain, domain)
    signed = bundle.sign(ZSJ.signing)
    refused(Reason.CONFLICT, lambda: first_pin(signed, bundle.fingerprint(), ROOT, pins, NOW))


def test_a_key_is_one_chains() -> None:
    bundle = like(JJJ, "new", "new.yinxin.example")
    signed = bundle.sign(JJJ.signing)
    refused(
        Reason.CONFLICT,
        lambda: first_pin(signed, bundle.fingerprint(), ROOT, {"jjj": pin(JJJ)}, NOW),
    )


def test_a_name_of_another_pin_takes_its_key() -> None:
    """Jjj cannot become zsj, whatever fingerprint the operator was given for it."""
    bundle = like(JJJ, "zsj", "new.yinxin.example")
    signed = bundle.sign(JJJ.signing)
    with pytest.raises(SignatureInvalid):
        first_pin(signed, bundle.fingerprint(), ROOT, {"zsj": pin()}, NOW)


def test_bundles_rotate_by_themselves() -> None:
    last = pin()
    assert next_pin(ZSJ.bundle().sign(ZSJ.signing), last, NOW) is None
    later = next_pin(ZSJ.bundle(3).sign(ZSJ.signing), last, NOW + 1)
    assert later is not None and (later.number, later.trust().spiffe_sequence) == (2, 3)
    for bad in (ZSJ.bundle(2), ZSJ.bundle(3, spiffe_refresh_hint=9)):
        signed = bad.sign(ZSJ.signing)
        refused(Reason.CONFLICT, lambda s=signed, p=later: next_pin(s, p, NOW + 1))


def test_a_bundle_can_be_brought_by_hand_once_more() -> None:
    last, bundle = pin(), ZSJ.bundle(2)
    pins = {"zsj": last}
    again = first_pin(bundle.sign(ZSJ.signing), bundle.fingerprint(), ROOT, pins, NOW)
    assert again.number == 2
    refused(Reason.CONFLICT, lambda: pin(pins=pins))  # the one that is pinned


def test_withdrawing_ends_it_and_says_why() -> None:
    last = withdrawn_pin(pin(), "answers for foreign firms", NOW + 5)
    assert (last.number, last.state, last.reason) == (2, "withdrawn", "answers for foreign firms")
    assert not last.holds(NOW + 5) and last.trust() == ZSJ.bundle()
    refused(Reason.UNKNOWN_CHAIN, lambda: withdrawn_pin(last, "", NOW + 6))
    refused(Reason.UNKNOWN_CHAIN, lambda: next_pin(ZSJ.bundle(2).sign(ZSJ.signing), last, NOW + 6))
    again = pin(pins={"zsj": last}, now=NOW + 7)  # by hand, by the same bundle
    assert (again.number, again.state) == (3, "pinned")


def test_a_pin_is_the_own_regulators() -> None:
    made = pin()
    with pytest.raises(SignatureInvalid):
        open_pin(made.sign(ZSJ.signing), ROOT)
    foreign = made.model_copy(update={"chain": "jjj"})
    refused(Reason.WRONG_CHAIN, lambda: open_pin(foreign.sign(CSJ.signing), ROOT))


def test_a_pin_is_of_the_chain_whose_bundle_it_has() -> None:
    fields = dict(pin().model_copy(update={"number": 2}))
    for changes in (
        {"peer": "jjj"},
        {"chain": "zsj"},
        {"not_after": NOW + 91 * DAY},
    ):
        with pytest.raises(ValueError, match=r"the bundle is not|a pin ends"):
            Pin.model_validate({**fields, **changes})


def test_a_pins_entry() -> None:
    made = pin()
    entry = read_entry(pin_entry(made, NOW))
    assert entry.kind is Kind.PINNED and entry.body["document"] == b64(made.hash)
    assert entry.body["peer"] == "zsj" and entry.body["sequence"] == 1
    assert read_entry(pin_entry(withdrawn_pin(made, "", NOW), NOW)).kind is Kind.UNPINNED
    assert SpiffeId(ZSJ.domain, Role.HUB, "one") == made.trust().yinxin_hub
