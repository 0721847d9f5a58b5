"""What a hub publishes of its chain for one peer chain, and the directory that says so.

The other chain's banks need whom to believe and what to ask under: no other bank, no address of a
log, and of pins, guests and withdrawals those that concern the asking chain alone.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection

from federation.identity import Role
from federation.interchain.directory import Directory
from federation.interchain.guest import Guest
from federation.interchain.pin import Pin
from federation.membership import Member, Members
from federation.signed import Signed
from federation.withdrawal import ModelWithdrawal
from node.chain.store import GUEST, PIN
from node.hub.proposals import proposal_to_wire
from node.hub.publication import Hub, current_catalogues
from node.hub.published import current_epochs, epoch_to_wire
from node.rpc.convert import signed_to_wire
from yinxin.v1 import common_pb2, hub_pb2


def peer_chain(hub: Hub, connection: Connection, home: str, domain: str) -> hub_pb2.PeerChain:
    """The state for chain `home` of trust domain `domain`, with a directory of this moment."""
    now = hub.clock.now()
    members = hub.chain.members(connection, now)
    roster = hub.chain.roster(connection, now)
    numbers = current_epochs(hub, connection, now)
    state = hub_pb2.ChainState(
        members=_members(members),
        catalogues=current_catalogues(hub, connection, numbers),
        epochs=[epoch_to_wire(hub, connection, number) for number in numbers],
        roster_rows=roster.size,
        roster_batches=roster.next_number,
        withdrawals=_withdrawals(hub, connection, domain, now),
        pins=_pins(hub, connection, home),
        guests=_guests(hub, connection, home, now),
        proposal=proposal_to_wire(hub, connection),
    ).SerializeToString(deterministic=True)
    directory = Directory(
        chain=hub.identity.root.chain,
        hub=hub.identity.id,
        audience=home,
        issued=now,
        state=hashlib.sha256(state).digest(),
        roster_rows=roster.size,
        roster_root=roster.root,
        batches=roster.next_number,
    ).sign(hub.identity.signing)
    return hub_pb2.PeerChain(state=state, directory=signed_to_wire(directory))


def _members(members: Members) -> list[common_pb2.Signed]:
    """How many banks the chain has, and which, is no peer chain's business."""
    return [
        signed_to_wire(credential)
        for credential in members.credentials()
        if Member.parse(credential.payload).id.role is not Role.BANK
    ]


def _withdrawals(
    hub: Hub, connection: Connection, domain: str, now: int
) -> list[common_pb2.Signed]:
    found = []
    for signed in hub.chain.withdrawals(connection).values():
        withdrawal = ModelWithdrawal.parse(signed.payload)
        if withdrawal.expires > now and withdrawal.bank.trust_domain == domain:
            found.append(signed_to_wire(signed))
    return found


def _pins(hub: Hub, connection: Connection, home: str) -> list[common_pb2.Signed]:
    """All of them: whoever keeps them demands that none is missing."""
    pins = hub.chain.documents(connection, PIN)
    return [signed_to_wire(pin) for pin in pins if Pin.parse(pin.payload).peer == home]


def _guests(hub: Hub, connection: Connection, home: str, now: int) -> list[common_pb2.Signed]:
    """The newest credential of each bank of `home` that is not over."""
    newest: dict[str, Signed] = {}
    for signed in hub.chain.documents(connection, GUEST):  # in order of when they begin
        guest = Guest.parse(signed.payload)
        if guest.home == home and now < guest.not_after:
            newest[str(guest.id)] = signed
    return [signed_to_wire(newest[bank]) for bank in sorted(newest)]
