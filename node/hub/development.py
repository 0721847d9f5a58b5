"""What the hub relays of developments: encrypted labels to holders, their counts to the bank.

It checks whose certificate it is, so that nobody fetches what another bank's labels came to, and
keeps it; labels and counts are ciphertexts under a key that the hub never sees.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from sqlalchemy import Connection

from federation.development.certificate import DevelopmentCertificate, read_certificate
from federation.entries import Kind, entry
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import SpiffeId
from node.chain.development import development_certificate, put_development
from node.hub.fanout import share_of
from node.hub.publication import Hub
from node.hub.routes import Routes
from node.rpc.convert import exactly, identifier, signed_from_wire
from yinxin.v1 import common_pb2, hub_pb2


class Developments:
    """Relays between banks and holders."""

    def __init__(self, hub: Hub, routes: Routes) -> None:
        self._hub = hub
        self._routes = routes

    async def install(
        self, requests: AsyncIterator[common_pb2.InstallLabelsRequest], bank: SpiffeId, context: Any
    ) -> common_pb2.InstallLabelsReply:
        """Brings certified labels to one holder, and remembers their certificate."""
        first = await anext(requests, None)
        if first is None or not first.HasField("header"):
            raise DocumentError("InstallLabels", "does not begin with a header")
        holder = identifier(first.header.holder, "holder")
        signed = signed_from_wire(first.header.certificate)
        certificate = read_certificate(signed, await self._hub.members())
        _require(certificate, bank, holder)

        async def relay() -> AsyncIterator[common_pb2.InstallLabelsRequest]:
            yield first
            async for part in requests:
                yield part

        channel = await self._routes.channel(holder)
        reply = await channel.upload(
            "/yinxin.v1.Holder/InstallLabels",
            relay(),
            common_pb2.InstallLabelsReply,
            share_of(context, self._hub.config.deadlines.prepare),
        )

        def unit(connection: Connection) -> None:
            if put_development(self._hub.chain, connection, signed):
                raw = entry(
                    Kind.LABELS_INSTALLED,
                    self._hub.clock.now(),
                    document=certificate.hash,
                    bank=bank,
                )
                self._hub.append(connection, Kind.LABELS_INSTALLED, raw)

        await self._hub.store.run(unit)
        return reply

    async def counts(
        self, request: hub_pb2.HubCountsRequest, bank: SpiffeId, context: Any
    ) -> AsyncGenerator[common_pb2.CountsPart, None]:
        """One holder's statement and ciphertexts as they come."""
        digest = exactly(request.request.certificate_hash, 32, "certificate_hash")
        now = self._hub.clock.now()
        certificate, _ = await self._hub.store.read(
            lambda c: development_certificate(self._hub.chain, c, digest, now)
        )
        holder = identifier(request.holder, "holder")
        _require(certificate, bank, holder)
        channel = await self._routes.channel(holder)
        stream = channel.download(
            "/yinxin.v1.Holder/Counts",
            request.request,
            common_pb2.CountsPart,
            share_of(context, self._hub.config.deadlines.prepare),
        )
        async with aclosing(stream):
            async for part in stream:
                yield part


def _require(certificate: DevelopmentCertificate, bank: SpiffeId, holder: SpiffeId) -> None:
    if certificate.bank != bank:
        raise Refusal(Reason.FOREIGN_CERTIFICATE, f"certificate is {certificate.bank}'s")
    certificate.participant(holder)
