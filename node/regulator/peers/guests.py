"""Admitting guests: banks of peer chains, on the word of their regulator at home."""

from __future__ import annotations

from sqlalchemy import Connection

from federation.entries import Kind
from federation.identity import SpiffeId
from federation.interchain.guest import Guest, guest_entry, make_guest, open_guest
from federation.interchain.voucher import Vouched
from federation.signed import Signed
from node.chain.store import GUEST
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator


def guest_of(regulator: Regulator, connection: Connection, vouched: Vouched) -> Guest:
    """The guest credential for a bank that is vouched for, not signed yet.

    Raises Refusal(unknown_chain) when its chain is not trusted now, and as `make_guest`.
    """
    voucher, root = vouched.voucher, regulator.identity.root
    pin = regulator.chain.pins(connection)[voucher.home]
    credential = Signed.from_json(voucher.credential).payload_hash
    return make_guest(root.chain, vouched.member, credential, pin, regulator.clock.now())


def admit(regulator: Regulator, connection: Connection, vouched: Vouched) -> None:
    """Signs, keeps and logs the guest credential, unless one that says the same is in force.

    It is durable with the caller's unit of work, before anything leaves that needs it. Raises as
    `guest_of`.
    """
    guest = guest_of(regulator, connection, vouched)
    for signed in reversed(regulator.chain.documents(connection, GUEST)):
        kept = open_guest(signed, regulator.identity.root)
        if kept.id == guest.id:
            # It began earlier; everything else is as it would be now.
            if kept.model_copy(update={"not_before": guest.not_before}) == guest:
                return
            break
    regulator.chain.put_guest(connection, guest.sign(regulator.identity.signing))
    regulator.append(connection, Kind.GUEST, guest_entry(guest, regulator.clock.now()))


async def check_affiliates(regulator: Regulator) -> None:
    """Raises RegulatorError for a bank in a group of affiliates that is of no chain ever trusted:
    the group would bind nobody, unnoticed.
    """
    pins = await regulator.store.read(regulator.chain.pins)
    known = {pin.trust().yinxin_trust_domain for pin in pins.values()}
    known.add(regulator.identity.root.trust_domain)
    for name in (name for group in regulator.config.affiliates.groups for name in group):
        if SpiffeId.parse(name).trust_domain not in known:
            raise RegulatorError(
                f"affiliates.groups: {name} is of no chain that was ever pinned; correct it, or "
                "pin its chain first"
            )
