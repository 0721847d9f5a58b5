"""The hub's service for the hubs of peer chains. Every call is about this hub's own chain.

Nothing is passed on to a third chain: whatever names another one than this is refused, so that no
loop can be made of hubs that pass on what others passed to them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from google.protobuf.message import DecodeError

from federation.errors import DocumentError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.interchain.routed import open_routed
from node.hub.fanout import share_of
from node.hub.peers.state import peer_chain
from node.hub.permits import Permits
from node.hub.publication import Hub
from node.hub.published import roster_batches
from node.hub.relays import Relays, Upload
from node.peers import home_chain
from node.rpc.convert import query_from_wire, reply_to_wire, signed_from_wire
from node.rpc.identity import peer
from yinxin.v1 import common_pb2, hub_pb2
from yinxin.v1.peers_pb2_grpc import PeersServicer

_HUBS = frozenset({Role.HUB})
ROLES = {
    f"/yinxin.v1.Peers/{name}": _HUBS
    for name in ("GetChain", "GetRoster", "InstallModel", "GetKeys", "Prepare", "Query")
}


class PeersService(PeersServicer):
    """Implements yinxin.v1.Peers."""

    def __init__(self, hub: Hub, relays: Relays, permits: Permits) -> None:
        """Raises IdentityFileError for a hub to which no bank can seal a query."""
        self._hub = hub
        self._relays = relays
        self._permits = permits
        self._key = hub.identity.require_sealing()

    async def GetChain(self, request: hub_pb2.PeerChainRequest, context: Any) -> hub_pb2.PeerChain:
        """The chain's state for the caller's chain, with a fresh directory."""
        self._require_own(request.chain)
        home, domain = home_chain(), peer().trust_domain
        return await self._hub.store.read(lambda c: peer_chain(self._hub, c, home, domain))

    async def GetRoster(
        self, request: hub_pb2.PeerRosterRequest, context: Any
    ) -> AsyncIterator[common_pb2.Signed]:
        """The signed batches from a number on."""
        self._require_own(request.chain)
        async with aclosing(
            roster_batches(self._hub, self._hub.chain, request.from_batch)
        ) as batches:
            async for batch in batches:
                yield batch

    async def InstallModel(
        self, request_iterator: AsyncIterator[hub_pb2.InstallModelRequest], context: Any
    ) -> hub_pb2.InstallModelReply:
        """Relays a guest's model to one participant."""
        upload = await Upload.begin(request_iterator)
        return await self._relays.install(upload, _guests_of_caller, context)

    async def GetKeys(self, request: hub_pb2.HubKeyRequest, context: Any) -> hub_pb2.HubKeyReply:
        """The logged key statement of every participant of a guest's model, in order."""
        self._require_own(request.chain)
        return await self._relays.keys(request.request, _guests_of_caller, context)

    async def Prepare(
        self, request: hub_pb2.HubPrepareRequest, context: Any
    ) -> AsyncIterator[common_pb2.Table]:
        """Relays one holder's tables of a guest's model as they come."""
        self._require_own(request.chain)
        tables = self._relays.tables(request, _guests_of_caller, context)
        async with aclosing(tables):
            async for table in tables:
                yield table

    async def Query(self, request: hub_pb2.RouteQueryRequest, context: Any) -> hub_pb2.QueryReply:
        """One query of a guest, who signed and sealed it: the caller only brought it here."""
        deadline = share_of(context, self._hub.config.deadlines.query)
        signed, home = signed_from_wire(request.query), home_chain()
        members = await self._hub.members()
        # Whose it is says the key that it claims to be signed with: nothing of it is parsed before.
        guest = members.guest_of_key(signed.key_id, peer().trust_domain)
        raw = open_routed(
            signed,
            guest.signing,
            home=home,
            chain=self._hub.identity.root.chain,
            bank=guest.id,
            hub=self._hub.identity.id,
            key=self._key,
            now=self._hub.clock.now(),
        )
        try:
            query = query_from_wire(hub_pb2.QueryRequest.FromString(raw))
        except DecodeError as error:
            raise DocumentError("query", "is no query") from error
        return reply_to_wire(await self._permits.query(query, guest.id, deadline))

    def _require_own(self, chain: str) -> None:
        if chain != self._hub.identity.root.chain:
            raise Refusal(
                Reason.WRONG_CHAIN, f"asked about chain {chain}; this hub answers for one"
            )


def _guests_of_caller(bank: SpiffeId) -> None:
    """A peer's hub acts for the banks of its own chain: that they are guests is looked at too, and
    ends with their credential or with the pin of their chain.
    """
    if bank.trust_domain != peer().trust_domain:
        raise Refusal(Reason.FOREIGN_CERTIFICATE, f"{bank} is not of the calling hub's chain")
