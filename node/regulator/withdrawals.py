"""Withdrawing models: signed and logged here, told to the hub, and until it has it, still valid.

The hub's receipt is kept: its promise says from when on the hub must permit nothing under the
model. Before that a bank could be answered under a withdrawn model and its successor, so a
withdrawal that the hub has not received leaves the model among the valid ones.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy import Connection

from federation.entries import InclusionPromise, Kind, Logged, check_logged
from federation.errors import FederationError, Reason, Refusal
from federation.identity import SpiffeId
from federation.signed import Signed
from federation.withdrawal import make_withdrawal, withdrawal_entry
from node.chain.store import RECEIPT, ChainStore
from node.errors import NodeError
from node.regulator.administration import record_action
from node.regulator.membership import Regulator
from node.rpc.client import Channel
from node.rpc.convert import signed_from_wire, signed_to_wire
from yinxin.v1 import common_pb2

_log = structlog.get_logger(__name__)

METHOD: Final = "/yinxin.v1.Hub/WithdrawModel"
LOOK_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 10.0


async def withdraw(
    regulator: Regulator, certificate: bytes, by: SpiffeId, account: str | None = None
) -> Signed:
    """The withdrawal of a model, durable and logged; the same again returns the first one.

    `certificate` is the payload hash of the certificate, `by` the bank that asks or the regulator
    itself, then with the inspector's account. Raises Refusal for a model that is unknown, another
    bank's, or over.
    """
    chain, now = regulator.chain, regulator.clock.now()

    def unit(connection: Connection) -> Signed:
        model = chain.certified(connection, certificate)
        if model is None:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "no such model was certified")
        withdrawal = make_withdrawal(model, by, now)
        kept = chain.withdrawals(connection).get(certificate)
        if kept is not None:
            return kept
        signed = withdrawal.sign(regulator.identity.signing)
        chain.put_withdrawal(connection, signed)
        regulator.append(connection, Kind.WITHDRAWN, withdrawal_entry(withdrawal, now))
        if account is not None:
            record_action(regulator, connection, "withdraw", account, certificate)
        return signed

    return await regulator.store.run(unit)


def delivered(chain: ChainStore, connection: Connection) -> dict[bytes, int]:
    """From when on the hub has to refuse withdrawn models, by certificate and by its own clock."""
    return {
        certificate: InclusionPromise.parse(promise.payload).issued
        for certificate, promise in chain.receipts(connection).items()
    }


@dataclass
class Delivery:
    """Tells the hub of withdrawals, of this process or of a command beside it."""

    regulator: Regulator
    hub: Channel
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def keep(self) -> None:
        """Delivers what is not delivered until cancelled; a failure is logged and tried again."""
        while True:
            try:
                await self.deliver()
                wait = LOOK_SECONDS
            except (NodeError, FederationError) as error:
                _log.warning("withdrawal not delivered to the hub", error=str(error))
                wait = RETRY_SECONDS
            await asyncio.sleep(wait)

    async def deliver(self) -> None:
        """Delivers what the hub has not received. Raises NodeError, FederationError."""
        async with self._turn:
            for certificate, signed in (await self.regulator.store.read(self._waiting)).items():
                await self._send(certificate, signed)

    def _waiting(self, connection: Connection) -> dict[bytes, Signed]:
        chain = self.regulator.chain
        done = chain.receipts(connection)
        return {c: signed for c, signed in chain.withdrawals(connection).items() if c not in done}

    async def _send(self, certificate: bytes, signed: Signed) -> None:
        regulator = self.regulator
        receipt = await self.hub.unary(METHOD, signed_to_wire(signed), common_pb2.Receipt)
        promise = signed_from_wire(receipt.promise)
        hub, now = (await regulator.members()).hub, regulator.clock.now()
        logged = Logged(signed, receipt.entry, promise)
        check_logged(logged, Kind.WITHDRAWN, hub.id, hub.signing, now)
        name = certificate.hex()
        await regulator.store.run(lambda c: regulator.chain.put(c, RECEIPT, promise, 0, name))
