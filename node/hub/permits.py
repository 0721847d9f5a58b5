"""From a bank's query to permits, and from permits to the holders' answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final, TypeAlias

from sqlalchemy import Connection

from federation.auditkeys import SealingKeys
from federation.certificate import ModelCertificate
from federation.entries import Kind, Logged
from federation.epoch import OpenEpoch
from federation.exchange.hub import Draft, PermitDesk, PermitRequest, Settled
from federation.exchange.messages import QueryReply, QueryRequest, UnlockRequest
from federation.identity import SpiffeId
from federation.membership import Members
from federation.permit import PermitPolicy
from federation.roster import Roster
from federation.signed import Signed
from node.errors import LogError
from node.hub.auditkeys import sealing_keys
from node.hub.fanout import gather_or_cancel
from node.hub.publication import Hub
from node.hub.registry import HubRegistry
from node.hub.routes import Routes
from node.log.finding import find_entry
from node.rpc.convert import signed_from_wire, unlock_to_wire
from yinxin.v1 import common_pb2

PROOF_SHARE: Final = 0.4
"""Of the time for a query, for the witnesses; holders need the rest."""


_Facts: TypeAlias = tuple[Members, ModelCertificate | None, OpenEpoch | None, Roster, SealingKeys]


class Permits:
    """Answers queries. It keeps permits, and no answer."""

    def __init__(self, hub: Hub, routes: Routes) -> None:
        self._hub = hub
        self._routes = routes

    async def query(self, request: QueryRequest, bank: SpiffeId, deadline: float) -> QueryReply:
        """Permits, durable with their log entries, then every participant's signed answer.

        Witnesses and holders have `deadline` seconds to answer.
        Raises Refusal, or RemoteError naming the holder that failed: the same query again gets
        the same permits and costs no use.
        """
        now = self._hub.clock.now()
        members, certificate, epoch, roster, sealing = await self._facts(request, now)
        desk = PermitDesk(self._hub.identity.id, members, self._hub.identity.signing, sealing)
        examined = desk.examine(request, bank, certificate, epoch, roster, now)
        settled = await self._hub.store.run(
            lambda connection: self._settle(connection, desk, examined)
        )
        loop, within = asyncio.get_running_loop(), PROOF_SHARE * deadline
        begin = loop.time()
        logged = await gather_or_cancel([self._logged(draft, within) for draft in settled.drafts])
        permits, left = tuple(logged), deadline - (loop.time() - begin)
        self._hub.metrics.query("granted")
        return QueryReply(permits, await self._answers(settled.drafts, permits, left))

    async def _facts(self, request: QueryRequest, now: int) -> _Facts:
        chain = self._hub.chain

        def look_up(connection: Connection) -> _Facts:
            return (
                chain.members(connection, now),
                chain.certificate(connection, request.certificate_hash, now),
                chain.epoch(connection, request.epoch, now),
                chain.roster(connection, now),
                sealing_keys(self._hub, connection, now),
            )

        return await self._hub.store.read(look_up)

    def _settle(self, connection: Connection, desk: PermitDesk, request: PermitRequest) -> Settled:
        # Here, too: no permit stands in the log behind the withdrawal of its model.
        self._hub.chain.refuse_withdrawn(connection, request.drafts[0].permit.certificate)
        registry = HubRegistry(connection, self._hub.identity.storage)
        settled = desk.settle(request, registry)
        if settled.fresh:
            registry.keep(request, settled.drafts)
            for draft in settled.drafts:
                self._hub.append(connection, Kind.PERMIT, draft.entry)
        return settled

    async def _logged(self, draft: Draft, seconds: float) -> Logged:
        """The permit with the hub's promise and, where the chain's policy asks for it, the proof
        that the witnessed log has it. Raises Unwitnessed when no quorum cosigns within `seconds`.
        """
        logged = self._hub.logged(draft.signed, draft.entry)
        if self._hub.config.tlog.permit_policy is PermitPolicy.PROMISE:
            return logged
        issued = draft.permit.issued
        index = await self._hub.store.read(lambda c: find_entry(c, draft.entry, issued))
        if index is None:
            raise LogError("a permit's entry is not in the log; stop the hub and check its log")
        proof = await self._hub.transparency.publisher.prove(index, seconds)
        return replace(logged, proof=proof)

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
