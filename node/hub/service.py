"""The hub's service for members: what it publishes, what it relays, and queries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from sqlalchemy import Connection

from federation.identity import Role
from node.hub.auditkeys import put_audit_keys
from node.hub.development import Developments
from node.hub.fanout import share_of
from node.hub.logs import announce_log, log_addresses
from node.hub.peers.routing import PeerRoutes
from node.hub.peers.trust import published_guests, published_pins, receive_peers
from node.hub.permits import Permits
from node.hub.proposals import proposal_to_wire
from node.hub.publication import Hub, current_catalogues, receive_manifest
from node.hub.published import current_epochs, epoch_to_wire, roster_batches
from node.hub.receipts import receipt
from node.hub.relays import Relays, Upload, only
from node.hub.routes import Routes
from node.hub.seen import Seen
from node.hub.withdrawals import published_withdrawals, receive_withdrawal
from node.rpc.convert import query_from_wire, reply_to_wire, signed_from_wire, signed_to_wire
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

    def __init__(self, hub: Hub, routes: Routes, permits: Permits, peers: PeerRoutes) -> None:
        self._hub = hub
        self._relays = Relays(hub, routes)
        self._permits = permits
        self._developments = Developments(hub, routes)
        self._peers = peers
        self._seen = Seen(hub)

    async def GetChain(self, request: hub_pb2.GetChainRequest, context: Any) -> hub_pb2.ChainState:
        """Members, catalogues, the epochs that are announced or open, and where logs are."""
        now, caller = self._hub.clock.now(), peer()
        await self._seen.note(caller)

        def state(connection: Connection) -> hub_pb2.ChainState:
            chain = self._hub.chain
            members = chain.members(connection, now)
            roster = chain.roster(connection, now)
            numbers = current_epochs(self._hub, connection, now)
            return hub_pb2.ChainState(
                members=[signed_to_wire(credential) for credential in members.credentials()],
                catalogues=current_catalogues(self._hub, connection, numbers),
                epochs=[epoch_to_wire(self._hub, connection, number) for number in numbers],
                roster_rows=roster.size,
                roster_batches=roster.next_number,
                logs=[
                    hub_pb2.LogAddress(member=str(member), address=address)
                    for member, address in log_addresses(connection, caller).items()
                ],
                withdrawals=published_withdrawals(self._hub, connection, caller),
                pins=published_pins(self._hub, connection),
                guests=published_guests(self._hub, connection, caller),
                proposal=proposal_to_wire(self._hub, connection),
            )

        return await self._hub.store.read(state)

    async def GetRoster(
        self, request: hub_pb2.GetRosterRequest, context: Any
    ) -> AsyncIterator[common_pb2.Signed]:
        """The signed batches from a number on."""
        async with aclosing(
            roster_batches(self._hub, self._hub.chain, request.from_batch)
        ) as batches:
            async for batch in batches:
                yield batch

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
        """Relays a certified model to one participant, here or in another chain."""
        bank, upload = peer(), await Upload.begin(request_iterator)
        # Whose certificate it claims to be says its key: nothing of it is parsed before.
        chain = await self._peers.directories.chain_of_key(upload.signed.key_id)
        if chain is not None:
            return await self._peers.install(chain, upload, bank, context)
        return await self._relays.install(upload, only(bank), context)

    async def GetKeys(self, request: hub_pb2.HubKeyRequest, context: Any) -> hub_pb2.HubKeyReply:
        """The logged key statement of every participant, in order."""
        if self._peers.names(request.chain):
            return await self._peers.keys(request, peer(), context)
        return await self._relays.keys(request.request, only(peer()), context)

    async def Prepare(
        self, request: hub_pb2.HubPrepareRequest, context: Any
    ) -> AsyncIterator[common_pb2.Table]:
        """Relays one holder's tables as they come."""
        abroad = self._peers.names(request.chain)
        tables = (
            self._peers.tables(request, peer(), context)
            if abroad
            else self._relays.tables(request, only(peer()), context)
        )
        async with aclosing(tables):
            async for table in tables:
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
        """A peer chain's state and directory, as its hub handed them over."""
        found = (await self._peers.directories.current(request.chain, fetch=True)).published
        return hub_pb2.PeerChain(state=found.state, directory=signed_to_wire(found.signed))

    async def GetPeerRoster(
        self, request: hub_pb2.PeerRosterRequest, context: Any
    ) -> AsyncIterator[common_pb2.Signed]:
        """The batches of a peer chain's roster."""
        kept = (await self._peers.directories.current(request.chain)).chain
        async with aclosing(roster_batches(self._hub, kept, request.from_batch)) as batches:
            async for batch in batches:
                yield batch

    async def RouteQuery(
        self, request: hub_pb2.RouteQueryRequest, context: Any
    ) -> hub_pb2.QueryReply:
        """Passes a query of the calling bank on to another chain."""
        return await self._peers.query(request, peer(), context)
