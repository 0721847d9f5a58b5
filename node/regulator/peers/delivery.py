"""Telling the hub of pins and guests, until its receipt for each is here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy import Connection

from federation.entries import Kind, Logged, check_logged
from federation.errors import DocumentError, FederationError
from federation.interchain.pin import Pin
from federation.signed import Signed
from node.chain.store import GUEST, PIN
from node.errors import NodeError
from node.regulator.membership import Regulator
from node.rpc.client import Channel
from node.rpc.convert import signed_from_wire, signed_to_wire
from yinxin.v1 import hub_pb2

_log = structlog.get_logger(__name__)

METHOD: Final = "/yinxin.v1.Hub/PutPeers"
RECEIPT: Final = "peer-receipt"
LOOK_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 10.0


@dataclass
class PeerDelivery:
    """Tells the hub of pins and guests, of this process or of a command beside it."""

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
                _log.warning("pins or guests not delivered to the hub", error=str(error))
                wait = RETRY_SECONDS
            await asyncio.sleep(wait)

    async def deliver(self) -> None:
        """Delivers what the hub has not received. Raises NodeError, FederationError."""
        async with self._turn:
            pins, guests = await self.regulator.store.read(self._waiting)
            if pins or guests:
                await self._send(pins, guests)

    def _waiting(self, connection: Connection) -> tuple[list[Signed], list[Signed]]:
        chain, done = self.regulator.chain, delivered(self.regulator, connection)

        def waiting(kind: str) -> list[Signed]:
            kept = chain.documents(connection, kind)
            return [signed for signed in kept if signed.payload_hash not in done]

        return waiting(PIN), waiting(GUEST)

    async def _send(self, pins: list[Signed], guests: list[Signed]) -> None:
        regulator, documents = self.regulator, [*pins, *guests]
        request = hub_pb2.PeerDocuments(
            pins=[signed_to_wire(pin) for pin in pins],
            guests=[signed_to_wire(guest) for guest in guests],
        )
        reply = await self.hub.unary(METHOD, request, hub_pb2.PeerReceipts)
        if len(reply.receipts) != len(documents):
            raise DocumentError("receipts", f"are {len(reply.receipts)} of {len(documents)}")
        hub, now = (await regulator.members()).hub, regulator.clock.now()
        promises = []
        for document, receipt in zip(documents, reply.receipts, strict=True):
            promise = signed_from_wire(receipt.promise)
            logged = Logged(document, receipt.entry, promise)
            check_logged(logged, _kind(document), hub.id, hub.signing, now)
            promises.append((document.payload_hash.hex(), promise))

        def unit(connection: Connection) -> None:
            for name, promise in promises:
                regulator.chain.put(connection, RECEIPT, promise, 0, name)

        await regulator.store.run(unit)


def delivered(regulator: Regulator, connection: Connection) -> frozenset[bytes]:
    """The payload hashes of pins and guests that the hub has promised to log."""
    return regulator.chain.named(connection, RECEIPT)


def _kind(document: Signed) -> Kind:
    if document.payload_type != Pin.payload_type():
        return Kind.GUEST
    return Pin.parse(document.payload).entry_kind
