"""The hub's service for members: what it publishes, what it relays, and queries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from itertools import count
from typing import Any

from sqlalchemy import Connection

from federation.certificate import ModelCertificate, read_certificate
from federation.entries import Kind, entry
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import Role, SpiffeId
from node.chain.store import BATCH, DESCRIPTOR, MANIFEST, OPENING
from node.hub.auditkeys import put_audit_keys
from node.hub.development import Developments
from node.hub.fanout import gather_or_cancel, share_of
from node.hub.logs import announce_log, log_addresses
from node.hub.peers.trust import published_guests, published_pins, receive_peers
from node.hub.permits import Permits
from node.hub.publication import Hub, current_catalogues, receive_manifest
from node.hub.receipts import receipt
from node.hub.routes import Routes
from node.hub.withdrawals import published_withdrawals, receive_withdrawal
from node.rpc.convert import (
    identifier,
    query_from_wire,
    reply_to_wire,
    signed_from_wire,
    signed_to_wire,
)
from node.rpc.identity import peer
from yinxin.v1 import common_pb2, hub_pb2
from yinxin.v1.hub_pb2_grpc import HubServicer

_SERVICE = "/yinxin.v1.Hub/"
_MEMBERS = frozenset({Role.BANK, Role.HOLDER, Role.REGULATOR})
_BANKS = frozenset({Role.BANK})
ROLES = {
    f"{_SERVICE}GetChain": _MEMBERS,
    f"{_SERVICE}GetRoster": _MEMBERS,
    f"{_SERVICE}AnnounceLog": _MEMBERS,
    f"{_SERVICE}PutAuditKeys": frozenset({Role.REGULATOR}),
    f"{_SERVICE}WithdrawModel": frozenset({Role.REGULATOR}),
    f"{_SERVICE}SubmitManifest": frozenset({Role.HOLDER}),
    f"{_SERVICE}InstallModel": _BANKS,
    f"{_SERVICE}GetKeys": _BANKS,
    f"{_SERVICE}Prepare": _BANKS,
    f"{_SERVICE}Query": _BANKS,
    f"{_SERVICE}InstallLabels": _BANKS,
    f"{_SERVICE}Counts": _BANKS,
    f"{_SERVICE}PutPeers": frozenset({Role.REGULATOR}),
    f"{_SERVICE}GetPeerChain": _BANKS,
    f"{_SERVICE}GetPeerRoster": _BANKS,
    f"{_SERVICE}RouteQuery": _BANKS,
}


class HubService(HubServicer):
    """Implements yinxin.v1.Hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._routes = Routes(hub)
        self._permits = Permits(hub, self._routes)
        self._developments = Developments(hub, self._routes)

    async def GetChain(self, request: hub_pb2.GetChainRequest, context: Any) -> hub_pb2.ChainState:
        """Members, catalogues, the epochs that are announced or open, and where logs are."""
        now, caller = self._hub.clock.now(), peer()

        def state(connection: Connection) -> hub_pb2.ChainState:
            chain = self._hub.chain
            members = chain.members(connection, now)
            roster = chain.roster(connection, now)
            numbers = self._current_epochs(connection, now)
            return hub_pb2.ChainState(
                members=[signed_to_wire(credential) for credential in members.credentials()],
                catalogues=current_catalogues(self._hub, connection, numbers),
                epochs=[self._epoch(connection, number) for number in numbers],
                roster_rows=roster.size,
                roster_batches=roster.next_number,
                logs=[
                    hub_pb2.LogAddress(member=str(member), address=address)
                    for member, address in log_addresses(connection, caller).items()
                ],
                withdrawals=published_withdrawals(self._hub, connection, caller),
                pins=published_pins(self._hub, connection),
                guests=published_guests(self._hub, connection, caller),
            )

        return await self._hub.store.read(state)

    async def GetRoster(
        self, request: hub_pb2.GetRosterRequest, context: Any
    ) -> AsyncIterator[common_pb2.Signed]:
        """The signed batches from a number on."""
        chain = self._hub.chain
        for number in count(request.from_batch):
            batch = await self._hub.store.read(partial(chain.documents, kind=BATCH, number=number))
            if not batch:
                return
            yield signed_to_wire(batch[0])

    async def AnnounceLog(
        self, request: hub_pb2.AnnounceLogRequest, context: Any
    ) -> hub_pb2.AnnounceLogReply:
        """Remembers where the caller serves its log."""
        caller, members = peer(), await self._hub.members()
        members.require(caller, caller.role)
        await self._hub.store.run(lambda c: announce_log(c, caller, request.address))
        return hub_pb2.AnnounceLogReply()

    async def PutAuditKeys(
        self, request: hub_pb2.AuditKeys, context: Any
    ) -> hub_pb2.AuditKeysReply:
        """Keeps the keys to which evidence is sealed; each is the regulator's signed statement."""
        keys = [signed_from_wire(key) for key in request.keys]
        await self._hub.store.run(lambda connection: put_audit_keys(self._hub, connection, keys))
        return hub_pb2.AuditKeysReply()

    async def WithdrawModel(self, request: common_pb2.Signed, context: Any) -> common_pb2.Receipt:
        """Withdraws a model: from the receipt on nothing is relayed or permitted for it."""
        signed = signed_from_wire(request)
        raw = await self._hub.store.run(
            lambda connection: receive_withdrawal(self._hub, connection, signed)
        )
        return receipt(self._hub, raw)

    async def SubmitManifest(self, request: common_pb2.Signed, context: Any) -> common_pb2.Receipt:
        """Keeps and logs the calling holder's manifest."""
        holder, signed = peer(), signed_from_wire(request)
        members = await self._hub.members()
        raw = await self._hub.store.run(
            lambda connection: receive_manifest(self._hub, connection, signed, holder, members)
        )
        return receipt(self._hub, raw)

    async def InstallModel(
        self, request_iterator: AsyncIterator[hub_pb2.InstallModelRequest], context: Any
    ) -> hub_pb2.InstallModelReply:
        """Relays a certified model to one participant, and remembers its certificate."""
        bank = peer()
        first = await anext(request_iterator, None)
        if first is None or not first.HasField("header"):
            raise DocumentError("InstallModel", "does not begin with a header")
        holder = identifier(first.header.holder, "holder")
        signed = signed_from_wire(first.header.certificate)
        certificate = read_certificate(signed, await self._hub.members())
        if certificate.bank != bank:
            raise Refusal(Reason.FOREIGN_CERTIFICATE, f"certificate is {certificate.bank}'s")
        certificate.participant(holder)
        await self._hub.store.read(
            lambda connection: self._hub.chain.refuse_withdrawn(connection, certificate.hash)
        )

        async def relay() -> AsyncIterator[hub_pb2.InstallModelRequest]:
            yield first
            async for part in request_iterator:
                yield part

        channel = await self._routes.channel(holder)
        reply = await channel.upload(
            "/yinxin.v1.Holder/InstallModel",
            relay(),
            hub_pb2.InstallModelReply,
            share_of(context, self._hub.config.deadlines.prepare),
        )

        def unit(connection: Connection) -> None:
            if self._hub.chain.put_certificate(connection, signed):
                now = self._hub.clock.now()
                raw = entry(Kind.INSTALLED, now, document=certificate.hash, bank=bank)
                self._hub.append(connection, Kind.INSTALLED, raw)

        await self._hub.store.run(unit)
        return reply

    async def GetKeys(self, request: hub_pb2.HubKeyRequest, context: Any) -> hub_pb2.HubKeyReply:
        """The logged key statement of every participant, in order."""
        certificate = await self._certificate(request.request.certificate_hash)
        deadline = share_of(context, self._hub.config.deadlines.prepare)

        async def get(holder: SpiffeId) -> common_pb2.Logged:
            channel = await self._routes.channel(holder)
            method = "/yinxin.v1.Holder/GetKey"
            return await channel.unary(method, request.request, common_pb2.Logged, deadline)

        statements = await gather_or_cancel([get(holder) for holder in certificate.holders])
        return hub_pb2.HubKeyReply(statements=statements)

    async def Prepare(
        self, request: hub_pb2.HubPrepareRequest, context: Any
    ) -> AsyncIterator[common_pb2.Table]:
        """Relays one holder's tables as they come."""
        certificate = await self._certificate(request.request.certificate_hash)
        holder = identifier(request.holder, "holder")
        certificate.participant(holder)
        channel = await self._routes.channel(holder)
        deadline = share_of(context, self._hub.config.deadlines.prepare)
        method = "/yinxin.v1.Holder/Prepare"
        stream = channel.download(method, request.request, common_pb2.Table, deadline)
        async with aclosing(stream):
            async for table in stream:
                yield table

    async def Query(self, request: hub_pb2.QueryRequest, context: Any) -> hub_pb2.QueryReply:
        """One query of the calling bank."""
        deadline = share_of(context, self._hub.config.deadlines.query)
        reply = await self._permits.query(query_from_wire(request), peer(), deadline)
        return reply_to_wire(reply)

    async def InstallLabels(
        self, request_iterator: AsyncIterator[common_pb2.InstallLabelsRequest], context: Any
    ) -> common_pb2.InstallLabelsReply:
        """Relays certified labels to one holder."""
        return await self._developments.install(request_iterator, peer(), context)

    async def Counts(
        self, request: hub_pb2.HubCountsRequest, context: Any
    ) -> AsyncIterator[common_pb2.CountsPart]:
        """Relays one holder's counts."""
        async with aclosing(self._developments.counts(request, peer(), context)) as parts:
            async for part in parts:
                yield part

    async def PutPeers(self, request: hub_pb2.PeerDocuments, context: Any) -> hub_pb2.PeerReceipts:
        """Keeps and logs pins and guests of the regulator, all of them or none."""
        pins = [signed_from_wire(pin) for pin in request.pins]
        guests = [signed_from_wire(guest) for guest in request.guests]
        entries = await self._hub.store.run(
            lambda connection: receive_peers(self._hub, connection, pins, guests)
        )
        return hub_pb2.PeerReceipts(receipts=[receipt(self._hub, raw) for raw in entries])

    async def GetPeerChain(
        self, request: hub_pb2.PeerChainRequest, context: Any
    ) -> hub_pb2.PeerChain:
        """A peer chain's state, as its hub handed it over."""
        raise Refusal(Reason.UNKNOWN_CHAIN, "no peer chain is known")

    async def GetPeerRoster(
        self, request: hub_pb2.PeerRosterRequest, context: Any
    ) -> AsyncIterator[common_pb2.Signed]:
        """The batches of a peer chain's roster."""
        raise Refusal(Reason.UNKNOWN_CHAIN, "no peer chain is known")
        yield common_pb2.Signed()

    async def RouteQuery(
        self, request: hub_pb2.RouteQueryRequest, context: Any
    ) -> hub_pb2.QueryReply:
        """Passes a query on to another chain."""
        raise Refusal(Reason.UNKNOWN_CHAIN, "no peer chain is known")

    async def _certificate(self, digest: bytes) -> ModelCertificate:
        """A certificate of the calling bank."""
        chain, now, bank = self._hub.chain, self._hub.clock.now(), peer()
        certificate = await self._hub.store.read(
            lambda connection: chain.certificate(connection, digest, now)
        )
        if certificate is None:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "no such certificate is installed")
        if certificate.bank != bank:
            raise Refusal(Reason.FOREIGN_CERTIFICATE, f"certificate is {certificate.bank}'s")
        return certificate

    def _current_epochs(self, connection: Connection, now: int) -> list[int]:
        chain = self._hub.chain
        return [
            number
            for number in chain.epoch_numbers(connection)
            if (d := chain.descriptor(connection, number)) is not None and d.closes > now
        ]

    def _epoch(self, connection: Connection, number: int) -> common_pb2.Epoch:
        chain = self._hub.chain
        (descriptor,) = chain.documents(connection, DESCRIPTOR, number)
        openings = chain.documents(connection, OPENING, number)
        manifests = chain.documents(connection, MANIFEST, number) if openings else ()
        return common_pb2.Epoch(
            descriptor=signed_to_wire(descriptor),
            manifests=[signed_to_wire(manifest) for manifest in manifests],
            opening=signed_to_wire(openings[0]) if openings else None,
        )
