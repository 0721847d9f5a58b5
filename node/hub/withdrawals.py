"""Withdrawn models at the hub: kept as the regulator signed them, and told to whom they concern."""

from __future__ import annotations

from sqlalchemy import Connection

from federation.entries import Kind
from federation.identity import Role, SpiffeId
from federation.signed import Signed
from federation.withdrawal import ModelWithdrawal, open_withdrawal, withdrawal_entry
from node.hub.publication import Hub
from node.rpc.convert import signed_to_wire
from yinxin.v1 import common_pb2


def receive_withdrawal(hub: Hub, connection: Connection, signed: Signed) -> bytes:
    """Keeps and logs a withdrawal; the entry. One that comes again is logged again, for the receipt
    promises an entry of its own.

    Raises SignatureInvalid, DocumentError or Refusal for one that is not the regulator's.
    """
    now = hub.clock.now()
    hub.chain.put_withdrawal(connection, signed)
    raw = withdrawal_entry(open_withdrawal(signed, hub.identity.root), now)
    hub.append(connection, Kind.WITHDRAWN, raw)
    return raw


def published_withdrawals(
    hub: Hub, connection: Connection, caller: SpiffeId
) -> list[common_pb2.Signed]:
    """The withdrawals of models that would be valid otherwise; a bank hears of its own alone: how
    many models another one gives up is nobody's business.
    """
    now, found = hub.clock.now(), []
    for signed in hub.chain.withdrawals(connection).values():
        withdrawal = ModelWithdrawal.parse(signed.payload)
        if withdrawal.expires > now and (caller.role is not Role.BANK or caller == withdrawal.bank):
            found.append(signed_to_wire(signed))
    return found
