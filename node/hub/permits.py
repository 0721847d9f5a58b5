"""From a bank's query to permits, and from permits to the holders' answers."""

from __future__ import annotations

from sqlalchemy import Connection

from federation.certificate import ModelCertificate
from federation.entries import Kind, Logged
from federation.epoch import OpenEpoch
from federation.exchange.hub import Draft, PermitDesk, PermitRequest, Settled
from federation.exchange.messages import QueryReply, QueryRequest, UnlockRequest
from federation.identity import SpiffeId
from federation.membership import Members
from federation.roster import Roster
from federation.signed import Signed
from node.hub.fanout import gather_or_cancel
from node.hub.publication import Hub
from node.hub.registry import HubRegistry
from node.hub.routes import Routes
from node.rpc.convert import signed_from_wire, unlock_to_wire
from yinxin.v1 import common_pb2


class Permits:
    """Answers queries. It keeps permits, and no answer."""

    def __init__(self, hub: Hub, routes: Routes) -> None:
        self._hub = hub
        self._routes = routes

    async def query(self, request: QueryRequest, bank: SpiffeId, deadline: float) -> QueryReply:
        """Permits, durable with their log entries, then every participant's signed answer.

        A holder has `deadline` seconds to answer.
        Raises Refusal, or RemoteError naming the holder that failed: the same query again gets
        the same permits and costs no use.
        """
        members, certificate, epoch, roster = await self._facts(request)
        now = self._hub.clock.now()
        desk = PermitDesk(self._hub.identity.id, members, self._hub.identity.signing)
        examined = desk.examine(request, bank, certificate, epoch, roster, now)
        settled = await self._hub.store.run(
            lambda connection: self._settle(connection, desk, examined)
        )
        permits = tuple(self._hub.logged(d.signed, d.entry) for d in settled.drafts)
        self._hub.metrics.query("granted")
        return QueryReply(permits, await self._answers(settled.drafts, permits, deadline))

    async def _facts(
        self, request: QueryRequest
    ) -> tuple[Members, ModelCertificate | None, OpenEpoch | None, Roster]:
        chain, now = self._hub.chain, self._hub.clock.now()

        def look_up(
            connection: Connection,
        ) -> tuple[Members, ModelCertificate | None, OpenEpoch | None, Roster]:
            return (
                chain.members(connection, now),
                chain.certificate(connection, request.certificate_hash, now),
                chain.epoch(connection, request.epoch, now),
                chain.roster(connection, now),
            )

        return await self._hub.store.read(look_up)

    def _settle(self, connection: Connection, desk: PermitDesk, request: PermitRequest) -> Settled:
        registry = HubRegistry(connection, self._hub.identity.storage)
        settled = desk.settle(request, registry)
        if settled.fresh:
            registry.keep(request, settled.drafts)
            for draft in settled.drafts:
                self._hub.append(connection, Kind.PERMIT, draft.entry)
        return settled

    async def _answers(
        self, drafts: tuple[Draft, ...], permits: tuple[Logged, ...], deadline: float
    ) -> tuple[Signed, ...]:
        """One answer a participant, in order of the holders' ids."""
        asked = sorted(
            (str(holder), holder, UnlockRequest(permit, draft.named))
            for draft, permit in zip(drafts, permits, strict=True)
            for holder in draft.permit.audience
        )
        calls = [self._unlock(holder, request, deadline) for _, holder, request in asked]
        return tuple(await gather_or_cancel(calls))

    async def _unlock(self, holder: SpiffeId, request: UnlockRequest, deadline: float) -> Signed:
        channel = await self._routes.channel(holder)
        message, method = unlock_to_wire(request), "/yinxin.v1.Holder/Unlock"
        answer = await channel.unary(method, message, common_pb2.UnlockAnswer, deadline)
        return signed_from_wire(answer.answer)
