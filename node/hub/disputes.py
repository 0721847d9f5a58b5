"""Disputes on their way from firms to holders: the hub knows the firm and the holder, no more.

What it relays is sealed at both ends and always of one size: a dispute, a question what became of
it, a receipt and an answer look alike. Nothing of it is kept or logged here; a firm's messages are
counted by day, under a tag, against whoever would flood a holder.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from federation.disputes.key import SEALED_DISPUTE_BYTES
from federation.disputes.reply import SEALED_REPLY_BYTES
from federation.errors import Reason, Refusal
from federation.identity import Role, SpiffeId
from node.days import day_start
from node.hub.fanout import share_of
from node.hub.publication import Hub, current_catalogues
from node.hub.routes import Routes
from node.hub.tables import hub_dispute_calls
from node.rpc.convert import exactly, identifier, signed_to_wire
from yinxin.v1 import common_pb2, hub_pb2

DAY_MOST: Final = 200
"""Messages of one firm that are relayed on a day, looks for an answer among them."""
_TAG: Final = b"hub/dispute-day"


class Disputes:
    """Relays for one hub."""

    def __init__(self, hub: Hub, routes: Routes) -> None:
        self._hub = hub
        self._routes = routes

    async def members(self) -> hub_pb2.ChainMembers:
        """Banks and holders of the chain, and its newest catalogue."""
        now = self._hub.clock.now()

        def look(connection: Connection) -> hub_pb2.ChainMembers:
            members = self._hub.chain.members(connection, now)
            shown = [m.id for role in (Role.BANK, Role.HOLDER) for m in members.of(role)]
            catalogues = current_catalogues(self._hub, connection, ())
            return hub_pb2.ChainMembers(
                members=[signed_to_wire(members.credential(party)) for party in shown],
                catalogue=catalogues[-1] if catalogues else b"",
            )

        return await self._hub.store.read(look)

    async def key(
        self, request: common_pb2.DisputeKeyRequest, caller: SpiffeId, context: Any
    ) -> common_pb2.DisputeKeyReply:
        """A holder's key, as it hands it over: the firm verifies it, not the hub."""
        holder = await self._holder(request.holder)
        await self._count(caller)
        channel = await self._routes.channel(holder)
        deadline = share_of(context, self._hub.config.deadlines.query)
        method = "/yinxin.v1.Holder/GetDisputeKey"
        return await channel.unary(method, request, common_pb2.DisputeKeyReply, deadline)

    async def relay(
        self, request: common_pb2.DisputeRequest, caller: SpiffeId, context: Any
    ) -> common_pb2.DisputeReply:
        """Brings what the calling firm sealed to its holder, and the reply back."""
        holder = await self._holder(request.holder)
        exactly(request.key, 32, "key")
        exactly(request.sealed, SEALED_DISPUTE_BYTES, "sealed")
        await self._count(caller)
        channel = await self._routes.channel(holder)
        deadline = share_of(context, self._hub.config.deadlines.query)
        reply = await channel.unary(
            "/yinxin.v1.Holder/Dispute", request, common_pb2.DisputeReply, deadline
        )
        exactly(reply.sealed, SEALED_REPLY_BYTES, "reply")
        return reply

    async def _holder(self, text: str) -> SpiffeId:
        holder = identifier(text, "holder")
        members = await self._hub.members()
        return members.require(holder, Role.HOLDER).id

    async def _count(self, firm: SpiffeId) -> None:
        """Raises Refusal(budget_exhausted) for a firm that asked too often on this day."""
        table, today = hub_dispute_calls, day_start(self._hub.clock.now())
        tag = self._hub.identity.storage.tag(_TAG, today.to_bytes(8, "big") + str(firm).encode())

        def unit(connection: Connection) -> None:
            before = connection.execute(
                select(table.c.count).where(table.c.tag == tag)
            ).scalar_one_or_none()
            if before is None:
                connection.execute(delete(table).where(table.c.day < today))
                connection.execute(insert(table).values(tag=tag, day=today, count=1))
            elif before >= DAY_MOST:
                raise Refusal(Reason.BUDGET_EXHAUSTED, "the firm asks about disputes too often")
            else:
                connection.execute(update(table).where(table.c.tag == tag).values(count=before + 1))

        await self._hub.store.run(unit)
