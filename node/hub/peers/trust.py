"""Pins and guests at the hub: kept and logged as the regulator signed them, published to all."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from federation.entries import Kind
from federation.identity import Role, SpiffeId
from federation.interchain.guest import guest_entry, open_guest
from federation.interchain.pin import open_pin, pin_entry
from federation.signed import Signed
from node.chain.store import GUEST, PIN
from node.hub.publication import Hub
from node.rpc.convert import signed_to_wire
from yinxin.v1 import common_pb2


def receive_peers(
    hub: Hub, connection: Connection, pins: Sequence[Signed], guests: Sequence[Signed]
) -> list[bytes]:
    """Keeps and logs pins, then guests; the entries in that order. One that comes again is logged
    again, for its receipt promises an entry of its own.

    Raises SignatureInvalid, DocumentError or Refusal for one that is not the regulator's or does
    not follow; then nothing is kept.
    """
    now, root, entries = hub.clock.now(), hub.identity.root, []
    for signed in pins:
        hub.chain.put_pin(connection, signed)
        pin = open_pin(signed, root)
        raw = pin_entry(pin, now)
        hub.append(connection, pin.entry_kind, raw)
        entries.append(raw)
    for signed in guests:
        hub.chain.put_guest(connection, signed)
        raw = guest_entry(open_guest(signed, root), now)
        hub.append(connection, Kind.GUEST, raw)
        entries.append(raw)
    return entries


def published_pins(hub: Hub, connection: Connection) -> list[common_pb2.Signed]:
    """Every pin, by number and peer: whom the chain trusts is for all its members to know."""
    return [signed_to_wire(pin) for pin in hub.chain.documents(connection, PIN)]


def published_guests(hub: Hub, connection: Connection, caller: SpiffeId) -> list[common_pb2.Signed]:
    """The guests that have not ended; a bank is told of none, as it is of no other bank."""
    if caller.role is Role.BANK:
        return []
    now = hub.clock.now()
    found = hub.chain.documents(connection, GUEST)
    return [
        signed_to_wire(guest)
        for guest in found
        if open_guest(guest, hub.identity.root).not_after > now
    ]
