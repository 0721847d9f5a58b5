"""What a bank asks of another chain: passed on to the hub there, and back.

This hub checks that the bank asks for itself and that the chain is trusted, keeps each bank to its
share, and logs the permits that come back before the bank gets them. It can read no query: that is
sealed to the hub there, and signed by the bank.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import structlog
from sqlalchemy import Connection, insert, select

from federation.certificate import ModelCertificate, read_certificate
from federation.entries import Kind, check_logged, entry
from federation.errors import FederationError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.interchain.routed import RoutedQuery, check_route
from federation.membership import Members
from federation.permit import Permit
from federation.signed import Signed
from node.hub.fanout import share_of
from node.hub.peers.directories import PeerDirectories, PeerDirectory
from node.hub.peers.shares import PeerShares
from node.hub.publication import Hub
from node.hub.relays import Upload, only
from node.hub.tables import hub_routed
from node.hub.usage import count_routed
from node.log.attachments import attach_document
from node.rpc.client import Channel
from node.rpc.convert import MAX_PARTICIPANTS, logged_from_wire, signed_from_wire
from node.rpc.errors import (
    REFERENCE_BYTES,
    RemoteError,
    RemoteFailure,
    RemoteInvalid,
    RemoteRefusal,
)
from yinxin.v1 import common_pb2, hub_pb2

_log = structlog.get_logger(__name__)

_PEERS: Final = "/yinxin.v1.Peers/"


class PeerRoutes:
    """Calls of peer chains' hubs on behalf of this hub's own banks."""

    def __init__(self, hub: Hub, directories: PeerDirectories) -> None:
        self._hub = hub
        self._shares = PeerShares(hub.config.limits.concurrent_calls)
        self.directories = directories

    def names(self, chain: str) -> bool:
        """Whether a request with that `chain` is about another chain than this hub's own."""
        return chain not in ("", self._hub.identity.root.chain)

    async def install(
        self, chain: str, upload: Upload, bank: SpiffeId, context: Any
    ) -> hub_pb2.InstallModelReply:
        """Brings a model that `chain` certified to one of its participants there."""
        peer = await self.directories.current(chain)
        now = self._hub.clock.now()

        def look(connection: Connection) -> ModelCertificate:
            members = peer.chain.members(connection, now)
            certificate = read_certificate(upload.signed, members)
            peer.chain.refuse_withdrawn(connection, certificate.hash)
            return certificate

        certificate = await self._hub.store.read(look)
        only(bank)(certificate.bank)
        certificate.participant(upload.holder)
        async with self._calling(peer, bank) as channel:
            reply = await channel.upload(
                f"{_PEERS}InstallModel",
                upload.parts(),
                hub_pb2.InstallModelReply,
                share_of(context, self._hub.config.deadlines.prepare),
            )
        await self._hub.store.run(lambda c: peer.chain.put_certificate(c, upload.signed))
        return reply

    async def keys(
        self, request: hub_pb2.HubKeyRequest, bank: SpiffeId, context: Any
    ) -> hub_pb2.HubKeyReply:
        """The key statements of a model's participants in another chain, as its hub has them."""
        peer = await self._of_model(request.chain, request.request.certificate_hash, bank)
        deadline = share_of(context, self._hub.config.deadlines.prepare)
        async with self._calling(peer, bank) as channel:
            return await channel.unary(f"{_PEERS}GetKeys", request, hub_pb2.HubKeyReply, deadline)

    async def tables(
        self, request: hub_pb2.HubPrepareRequest, bank: SpiffeId, context: Any
    ) -> AsyncGenerator[common_pb2.Table, None]:
        """One holder's tables, of another chain, as they come."""
        peer = await self._of_model(request.chain, request.request.certificate_hash, bank)
        deadline = share_of(context, self._hub.config.deadlines.prepare)
        async with self._calling(peer, bank) as channel:
            stream = channel.download(f"{_PEERS}Prepare", request, common_pb2.Table, deadline)
            async with aclosing(stream):
                async for table in stream:
                    yield table

    async def query(
        self, request: hub_pb2.RouteQueryRequest, bank: SpiffeId, context: Any
    ) -> hub_pb2.QueryReply:
        """One query; its permits are in this hub's log before the reply is returned."""
        members = await self._hub.members()
        signing = members.require(bank, Role.BANK).signing
        routed = RoutedQuery.open_(signed_from_wire(request.query), signing)
        check_route(routed, self._hub.identity.root.chain, bank, self._hub.clock.now())
        peer = await self.directories.current(routed.chain)
        if routed.hub != peer.trusted.bundle.yinxin_hub:
            raise Refusal(Reason.WRONG_AUDIENCE, "routed query is for another hub")
        deadline = share_of(context, self._hub.config.deadlines.query)
        async with self._calling(peer, bank) as channel:
            reply = await channel.unary(f"{_PEERS}Query", request, hub_pb2.QueryReply, deadline)
        permits = await self._permits(reply, peer, bank)
        await self._hub.store.run(
            lambda c: self._record(c, permits, routed.chain, bank, str(routed.hub))
        )
        return reply

    async def _of_model(self, chain: str, digest: bytes, bank: SpiffeId) -> PeerDirectory:
        """The peer chain, once the bank has a model there that is valid and was installed here."""
        peer, now = await self.directories.current(chain), self._hub.clock.now()
        certificate = await self._hub.store.read(lambda c: peer.chain.certificate(c, digest, now))
        if certificate is None:
            raise Refusal(Reason.UNCERTIFIED_MODEL, f"no such certificate of {chain} is installed")
        only(bank)(certificate.bank)
        return peer

    @asynccontextmanager
    async def _calling(self, peer: PeerDirectory, bank: SpiffeId) -> AsyncGenerator[Channel, None]:
        """The channel to the peer's hub, for one call of the bank, which has to be a member here,
        whatever it is there. Raises TooManyCalls.

        That hub can put the blame on parties of its own chain, and on nobody else. What it cannot
        read the bank wrote, and sealed: to this hub that is a refusal as any other.
        """
        name, hub = peer.trusted.pin.peer, peer.trusted.bundle.yinxin_hub
        (await self._hub.members()).require(bank, Role.BANK)
        with self._shares.hold(name, bank):
            try:
                yield await self.directories.channels.hub(name)
            except RemoteError as error:
                if isinstance(error, RemoteInvalid):
                    raise RemoteRefusal(hub, error.reference) from error
                if error.party.trust_domain == hub.trust_domain:
                    raise
                raise RemoteFailure(hub, error.reference) from error

    async def _permits(
        self, reply: hub_pb2.QueryReply, peer: PeerDirectory, bank: SpiffeId
    ) -> list[Signed]:
        """The permits in a reply.

        Raises RemoteFailure naming the peer's hub when they are not its own, for this bank, and
        logged there: the refusal is logged here, and nothing is logged as routed.
        """
        now = self._hub.clock.now()
        members = await self._hub.store.read(lambda c: peer.chain.members(c, now))
        try:
            return _read_permits(reply, members, bank, now)
        except FederationError as error:
            hub, reference = members.hub.id, secrets.token_hex(REFERENCE_BYTES)
            reason = error.reason if isinstance(error, Refusal) else Reason.BAD_PERMIT
            detail = getattr(error, "detail", "") or str(error)
            _log.warning("reply not believed", party=str(hub), reference=reference, detail=detail)
            await self._hub.refused(hub, "RouteQuery", reason.value, reference, {})
            raise RemoteFailure(hub, reference) from error

    def _record(
        self,
        connection: Connection,
        permits: list[Signed],
        chain: str,
        bank: SpiffeId,
        hub: str,
    ) -> None:
        """One entry a permit, with what the hub there signed beside it: should that hub not have
        logged it, its regulator learns of it so. The same one again writes none.
        """
        now, table, fresh = self._hub.clock.now(), hub_routed.c, []
        for permit in permits:
            digest = permit.payload_hash
            query = select(table.permit).where(table.permit == digest)
            if connection.execute(query).first() is not None:
                continue
            connection.execute(insert(hub_routed).values(permit=digest))
            raw = entry(Kind.ROUTED, now, document=digest, bank=bank, chain=chain)
            attach_document(connection, permit)
            self._hub.append(connection, Kind.ROUTED, raw)
            fresh.append(Permit.parse(permit.payload))
        if fresh:
            count_routed(connection, fresh, hub)


def _read_permits(
    reply: hub_pb2.QueryReply, members: Members, bank: SpiffeId, now: int
) -> list[Signed]:
    hub = members.hub
    if not 1 <= len(reply.permits) <= MAX_PARTICIPANTS:
        raise Refusal(Reason.BAD_PERMIT, f"reply has {len(reply.permits)} permits")
    found = []
    for message in reply.permits:
        logged = logged_from_wire(message)
        permit = Permit.open_(logged.document, hub.signing)
        check_logged(logged, Kind.PERMIT, hub.id, hub.signing, now)
        if permit.chain != members.root.chain:
            raise Refusal(Reason.BAD_PERMIT, f"permit is of chain {permit.chain}")
        if permit.bank != bank:
            raise Refusal(Reason.BAD_PERMIT, f"permit is {permit.bank}'s")
        found.append(logged.document)
    if len({document.payload_hash for document in found}) < len(found):
        raise Refusal(Reason.BAD_PERMIT, "reply has a permit twice")
    return found
