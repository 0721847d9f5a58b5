"""Pins: the regulator's word that its chain trusts another one, and by which bundle.

A chain without a pin is not spoken with. Pins of a peer are numbered from 1; the newest counts,
whatever it says: a later one rotates the bundle or withdraws the trust. They are published to all
members of the chain and stand in the logs of regulator and hub; the peer's regulator fetches and
logs those about its own chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from federation.documents import Bytes, Document, Name, Time
from federation.entries import CLOCK_SKEW, Kind, entry
from federation.errors import Reason, Refusal
from federation.interchain.bundle import (
    TrustBundle,
    check_same,
    read_bundle,
    same_fingerprint,
)
from federation.membership import TrustRoot
from federation.signed import Signed


class Pin(Document):
    """What the regulator of `chain` signs about `peer`.

    `bundle` is the peer's signed bundle (DSSE JSON) that holds from `issued` to `not_after`, its
    own end or earlier. A withdrawal repeats the last bundle: what was signed under it stays
    verifiable.
    """

    TYPE: ClassVar[str] = "chain-pin"

    chain: Name
    peer: Name
    number: Annotated[int, Field(ge=1)]
    state: Literal["pinned", "withdrawn"]
    bundle: Bytes
    issued: Time
    not_after: Time
    reason: Annotated[str, Field(max_length=400)] = ""
    """Why the trust was withdrawn, for people; a pin that gives it says nothing."""

    @model_validator(mode="after")
    def _of_the_peer(self) -> Pin:
        found = self.trust()
        if found.yinxin_chain != self.peer or self.peer == self.chain:
            raise ValueError("the bundle is not the peer chain's")
        if self.not_after > found.yinxin_not_after:
            raise ValueError("a pin ends with its bundle, or before")
        return self

    @property
    def signed_bundle(self) -> Signed:
        """The peer's bundle as its regulator signed it."""
        return Signed.from_json(self.bundle)

    def trust(self) -> TrustBundle:
        """The bundle. That the pin's signer verified it is what the pin says."""
        return TrustBundle.parse(self.signed_bundle.payload)

    @property
    def entry_kind(self) -> Kind:
        """The kind of the entries about it."""
        return Kind.PINNED if self.state == "pinned" else Kind.UNPINNED

    def state_at(self, now: int) -> Literal["pinned", "expired", "withdrawn"]:
        """For people: what became of it by `now` (unix seconds), if no pin follows."""
        return "expired" if self.state == "pinned" and now >= self.not_after else self.state

    def holds(self, now: int) -> bool:
        """Whether the peer is trusted at `now` (unix seconds). Clocks of members may be behind the
        regulator's by `CLOCK_SKEW`.
        """
        return self.state == "pinned" and self.issued - CLOCK_SKEW <= now < self.not_after

    def require_holds(self, now: int) -> None:
        """Raises Refusal(unknown_chain) unless the peer is trusted at `now`."""
        if not self.holds(now):
            raise Refusal(Reason.UNKNOWN_CHAIN, f"chain {self.peer} is not trusted any more")


def first_pin(
    signed: Signed, fingerprint: str, root: TrustRoot, pins: Mapping[str, Pin], now: int
) -> Pin:
    """The pin of a chain by its bundle, once `fingerprint` is what the chain's regulator read out.

    `root` is that of the chain that pins, `pins` are its newest ones. A chain that was pinned once,
    even if that was withdrawn, keeps its signing key, and its bundle follows the last one. Raises
    as `read_bundle`; Refusal(unknown_chain) for another fingerprint, Refusal(conflict) for the
    bundle that is pinned, and for a name or trust domain that another chain has.
    """
    bundle = read_bundle(signed, now)
    if not same_fingerprint(fingerprint, bundle.fingerprint()):
        raise Refusal(
            Reason.UNKNOWN_CHAIN,
            "the bundle is signed by a key with another fingerprint; have the regulator of that "
            "chain read out its own, by another way than the file came",
        )
    known = pins.get(bundle.yinxin_chain)
    if known is not None:
        bundle = read_bundle(signed, now, known.trust())
    if known is not None and known.holds(now) and bundle.hash == known.trust().hash:
        raise Refusal(Reason.CONFLICT, f"chain {known.peer} is pinned by this bundle already")
    check_distinct(bundle, root, pins)
    return _pin(signed, bundle, root.chain, 1 if known is None else known.number + 1, now)


def next_pin(signed: Signed, last: Pin, now: int) -> Pin | None:
    """The pin that rotates the bundle of a trusted chain; None for the bundle that is pinned.

    Raises as `read_bundle`, and Refusal(unknown_chain) when `last` does not hold.
    """
    last.require_holds(now)
    bundle = read_bundle(signed, now, last.trust())
    if bundle.hash == last.trust().hash:
        return None
    return _pin(signed, bundle, last.chain, last.number + 1, now)


def withdrawn_pin(last: Pin, reason: str, now: int) -> Pin:
    """The pin that ends the trust. Raises Refusal(unknown_chain) when it has ended already."""
    if last.state != "pinned":
        raise Refusal(Reason.UNKNOWN_CHAIN, f"chain {last.peer} is withdrawn already")
    return Pin(
        chain=last.chain,
        peer=last.peer,
        number=last.number + 1,
        state="withdrawn",
        bundle=last.bundle,
        issued=now,
        not_after=last.not_after,
        reason=reason,
    )


def check_distinct(bundle: TrustBundle, root: TrustRoot, pins: Mapping[str, Pin]) -> None:
    """Raises Refusal(conflict) for a name, trust domain or signing key of the chain's own, and for
    a trust domain or key of another chain in `pins`: a certificate has to say which chain it is of.
    """
    if bundle.yinxin_chain == root.chain:
        raise Refusal(Reason.CONFLICT, f"{root.chain} is this chain's own name")
    domains = {root.trust_domain: root.chain, root.licence_domain: "the licence authority"}
    keys = {root.regulator_signing: root.chain}
    for name, pin in pins.items():
        if name != bundle.yinxin_chain:
            domains[pin.trust().yinxin_trust_domain] = name
            keys[pin.trust().yinxin_signing] = name
    taken = domains.get(bundle.yinxin_trust_domain) or keys.get(bundle.yinxin_signing)
    if taken is not None:
        raise Refusal(
            Reason.CONFLICT,
            f"trust domain {bundle.yinxin_trust_domain} or signing key of {bundle.yinxin_chain} is "
            f"that of {taken}",
        )


def check_pin(pin: Pin, root: TrustRoot, pins: Mapping[str, Pin]) -> None:
    """Whoever keeps a pin of its own regulator looks at this, for all that it trusts is read
    together: one that cannot be used, or stands in another's place, would spoil them all.

    `pins` are the newest ones that are kept. Raises IdentityError for authorities that cannot be
    read or are of another trust domain, and as `check_distinct`; Refusal(conflict) for a bundle
    that changes what never changes.
    """
    bundle = pin.trust()
    bundle.authorities()
    check_distinct(bundle, root, pins)
    if pin.peer in pins:
        check_same(bundle, pins[pin.peer].trust())


def _pin(signed: Signed, bundle: TrustBundle, chain: str, number: int, now: int) -> Pin:
    return Pin(
        chain=chain,
        peer=bundle.yinxin_chain,
        number=number,
        state="pinned",
        bundle=signed.to_json(),
        issued=now,
        not_after=bundle.yinxin_not_after,
    )


def open_pin(signed: Signed, root: TrustRoot) -> Pin:
    """A pin by this chain's regulator. Raises SignatureInvalid, DocumentError,
    Refusal(wrong_chain).
    """
    pin = Pin.open_(signed, root.regulator_signing)
    if pin.chain != root.chain:
        raise Refusal(Reason.WRONG_CHAIN, f"pin is of chain {pin.chain}")
    return pin


def pin_entry(pin: Pin, now: int) -> bytes:
    """The entry of whoever learnt of a pin: regulator, hub, and the peer's regulator."""
    trust = pin.trust()
    return entry(
        pin.entry_kind,
        now,
        document=pin.hash,
        chain=pin.chain,
        peer=pin.peer,
        number=pin.number,
        bundle=trust.hash,
        sequence=trust.spiffe_sequence,
    )
