"""Guests: banks of a peer chain that this chain's regulator lets ask here.

A guest's credential is signed by the regulator of the chain that it asks in, on the word of the
regulator at home (`federation.interchain.voucher`). It holds as long as the home chain is pinned:
a withdrawn pin shuts all guests of that chain out at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from pydantic import model_validator

from federation.documents import Bytes, Bytes32, Document, Id, Name, Time
from federation.entries import Kind, entry
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.interchain.pin import Pin, open_pin
from federation.membership import Member, TrustRoot
from federation.signed import Signed


class Guest(Document):
    """One bank of chain `home` as chain `chain` knows it; keys as in `Member`.

    `credential` is the payload hash of the member credential at home that it stands on.
    """

    TYPE: ClassVar[str] = "guest"

    chain: Name
    home: Name
    id: Id
    title: dict[str, str]
    signing: Bytes32
    sealing: Bytes
    credential: Bytes32
    not_before: Time
    not_after: Time

    @model_validator(mode="after")
    def _bank(self) -> Guest:
        if self.id.role is not Role.BANK or self.home == self.chain:
            raise ValueError("a guest is a bank of another chain")
        return self

    def as_member(self) -> Member:
        """The guest as the checks of members take it."""
        return Member(
            chain=self.chain,
            id=self.id,
            kind="",
            title=self.title,
            signing=self.signing,
            agreement=b"",
            sealing=self.sealing,
            named=False,
            not_before=self.not_before,
            not_after=self.not_after,
        )


def make_guest(chain: str, member: Member, credential: bytes, pin: Pin, now: int) -> Guest:
    """The guest credential for a bank of the pinned chain, until its credential at home ends.

    It is not bound to this pin's end, for the next pin may follow: `welcome` takes nobody for
    longer than the newest pin. `member` is what the credential of hash `credential` says, verified
    under the pin. Raises Refusal(foreign_certificate) for one that is no bank of that chain, and as
    `Pin.require_holds`.
    """
    pin.require_holds(now)
    if member.chain != pin.peer or member.id.trust_domain != pin.trust().yinxin_trust_domain:
        raise Refusal(Reason.FOREIGN_CERTIFICATE, f"{member.id} is not of chain {pin.peer}")
    if member.id.role is not Role.BANK or not member.not_before <= now < member.not_after:
        raise Refusal(Reason.FOREIGN_CERTIFICATE, f"{member.id} is no bank of {pin.peer} now")
    return Guest(
        chain=chain,
        home=pin.peer,
        id=member.id,
        title=member.title,
        signing=member.signing,
        sealing=member.sealing,
        credential=credential,
        not_before=now,
        not_after=member.not_after,
    )


def open_guest(signed: Signed, root: TrustRoot) -> Guest:
    """A guest credential by this chain's regulator. Raises SignatureInvalid, DocumentError,
    Refusal(wrong_chain).
    """
    guest = Guest.open_(signed, root.regulator_signing)
    if guest.chain != root.chain:
        raise Refusal(Reason.WRONG_CHAIN, f"guest credential is of chain {guest.chain}")
    if guest.id.trust_domain == root.trust_domain:
        raise DocumentError("guest.id", "is of the chain itself")
    return guest


def welcome(
    guests: Iterable[Signed], pins: Iterable[Signed], root: TrustRoot
) -> tuple[Member, ...]:
    """The guests of a chain as members, each by its newest credential, in order of their ids.

    Only those whose home's newest pin is no withdrawal, and none for longer than that pin. Raises
    as `open_guest` and `open_pin`.
    """
    newest: dict[str, Pin] = {}
    for pin in (open_pin(signed, root) for signed in pins):
        if pin.peer not in newest or newest[pin.peer].number < pin.number:
            newest[pin.peer] = pin
    found: dict[SpiffeId, Member] = {}
    for guest in sorted((open_guest(one, root) for one in guests), key=lambda g: g.not_before):
        home = newest.get(guest.home)
        if home is None or home.state != "pinned":
            found.pop(guest.id, None)
            continue
        if guest.id.trust_domain != home.trust().yinxin_trust_domain:
            raise DocumentError("guest.id", f"is not of chain {guest.home}")
        end = min(guest.not_after, home.not_after)
        found[guest.id] = guest.as_member().model_copy(update={"not_after": end})
    return tuple(found[one] for one in sorted(found, key=str))


def guest_entry(guest: Guest, now: int) -> bytes:
    """The entry of whoever learnt of a guest: its regulator here, and the hub."""
    return entry(Kind.GUEST, now, document=guest.hash, bank=guest.id, home=guest.home)
