"""What the hub relays between a bank and the holders of its own chain: models, keys, tables.

It checks whose certificate it is, so that nobody fetches what another bank's model came to. Who may
call for which bank is the caller's to say: a bank for itself, a peer chain's hub for its guests.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, TypeAlias

from sqlalchemy import Connection

from federation.certificate import ModelCertificate, read_certificate
from federation.entries import Kind, entry
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import SpiffeId
from federation.signed import Signed
from node.hub.fanout import gather_or_cancel, share_of
from node.hub.publication import Hub
from node.hub.routes import Routes
from node.rpc.convert import identifier, signed_from_wire
from yinxin.v1 import common_pb2, hub_pb2

Allow: TypeAlias = Callable[[SpiffeId], None]
"""Raises Refusal when the caller may not act for that bank."""


def only(bank: SpiffeId) -> Allow:
    """Lets a bank act for itself."""

    def allow(named: SpiffeId) -> None:
        if named != bank:
            raise Refusal(Reason.FOREIGN_CERTIFICATE, f"certificate is {named}'s")

    return allow


class Upload:
    """A bank's upload of one model for one holder, after its header was read."""

    def __init__(
        self,
        first: hub_pb2.InstallModelRequest,
        rest: AsyncIterator[hub_pb2.InstallModelRequest],
    ) -> None:
        self.holder = identifier(first.header.holder, "holder")
        self.signed: Signed = signed_from_wire(first.header.certificate)
        self._first = first
        self._rest = rest

    @classmethod
    async def begin(cls, requests: AsyncIterator[hub_pb2.InstallModelRequest]) -> Upload:
        """Reads the header. Raises DocumentError where there is none."""
        first = await anext(requests, None)
        if first is None or not first.HasField("header"):
            raise DocumentError("InstallModel", "does not begin with a header")
        return cls(first, requests)

    async def parts(self) -> AsyncIterator[hub_pb2.InstallModelRequest]:
        """The whole of it, header included."""
        yield self._first
        async for part in self._rest:
            yield part


class Relays:
    """Calls of one hub's holders on behalf of banks."""

    def __init__(self, hub: Hub, routes: Routes) -> None:
        self._hub = hub
        self._routes = routes

    async def install(
        self, upload: Upload, allow: Allow, context: Any
    ) -> hub_pb2.InstallModelReply:
        """Brings a certified model to one participant, and remembers its certificate."""
        certificate = read_certificate(upload.signed, await self._hub.members())
        allow(certificate.bank)
        certificate.participant(upload.holder)
        await self._hub.store.read(
            lambda connection: self._hub.chain.refuse_withdrawn(connection, certificate.hash)
        )
        channel = await self._routes.channel(upload.holder)
        reply = await channel.upload(
            "/yinxin.v1.Holder/InstallModel",
            upload.parts(),
            hub_pb2.InstallModelReply,
            share_of(context, self._hub.config.deadlines.prepare),
        )

        def unit(connection: Connection) -> None:
            if self._hub.chain.put_certificate(connection, upload.signed):
                now, bank = self._hub.clock.now(), certificate.bank
                raw = entry(Kind.INSTALLED, now, document=certificate.hash, bank=bank)
                self._hub.append(connection, Kind.INSTALLED, raw)

        await self._hub.store.run(unit)
        return reply

    async def keys(
        self, request: common_pb2.KeyRequest, allow: Allow, context: Any
    ) -> hub_pb2.HubKeyReply:
        """The logged key statement of every participant, in order."""
        certificate = await self._certificate(request.certificate_hash, allow)
        deadline = share_of(context, self._hub.config.deadlines.prepare)

        async def get(holder: SpiffeId) -> common_pb2.Logged:
            channel = await self._routes.channel(holder)
            method = "/yinxin.v1.Holder/GetKey"
            return await channel.unary(method, request, common_pb2.Logged, deadline)

        statements = await gather_or_cancel([get(holder) for holder in certificate.holders])
        return hub_pb2.HubKeyReply(statements=statements)

    async def tables(
        self, request: hub_pb2.HubPrepareRequest, allow: Allow, context: Any
    ) -> AsyncGenerator[common_pb2.Table, None]:
        """One holder's tables as they come."""
        certificate = await self._certificate(request.request.certificate_hash, allow)
        holder = identifier(request.holder, "holder")
        certificate.participant(holder)
        channel = await self._routes.channel(holder)
        deadline = share_of(context, self._hub.config.deadlines.prepare)
        method = "/yinxin.v1.Holder/Prepare"
        stream = channel.download(method, request.request, common_pb2.Table, deadline)
        async with aclosing(stream):
            async for table in stream:
                yield table

    async def _certificate(self, digest: bytes, allow: Allow) -> ModelCertificate:
        chain, now = self._hub.chain, self._hub.clock.now()
        certificate = await self._hub.store.read(
            lambda connection: chain.certificate(connection, digest, now)
        )
        if certificate is None:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "no such certificate is installed")
        allow(certificate.bank)
        return certificate
