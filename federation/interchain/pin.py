"""Pins: the regulator's word that its chain trusts another one, and by which bundle.

A chain without a pin is not spoken with. Pins of a peer are numbered from 1; the newest counts,
whatever it says: a later one rotates the bundle or withdraws the trust. They are published to all
members of the chain and stand in the logs of regulator and hub; the peer's regulator fetches and
logs those about its own chain.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from federation.documents import Bytes, Document, Name, Time
from federation.entries import Kind, entry
from federation.errors import Reason, Refusal
from federation.interchain.bundle import TrustBundle
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

    def holds(self, now: int) -> bool:
        """Whether the peer is trusted at `now` (unix seconds)."""
        return self.state == "pinned" and self.issued <= now < self.not_after

    def require_holds(self, now: int) -> None:
        """Raises Refusal(unknown_chain) unless the peer is trusted at `now`."""
        if not self.holds(now):
            raise Refusal(Reason.UNKNOWN_CHAIN, f"chain {self.peer} is not trusted any more")


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
        Kind.PINNED if pin.state == "pinned" else Kind.UNPINNED,
        now,
        document=pin.hash,
        chain=pin.chain,
        peer=pin.peer,
        number=pin.number,
        bundle=trust.hash,
        sequence=trust.spiffe_sequence,
    )
