"""The hub's service for enterprises: consents, who used them, and disputes on their way.

It listens on an address of its own and accepts only certificates of the business-licence
authority. A caller registers, cancels and asks for itself: the subject of what it signed has to be
the enterprise that its certificate names, and whose uses are listed the certificate alone says.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection

from federation.canonical import MAX_INTEGER
from federation.consent import Cancellation, Consent, verify_cancellation, verify_consent
from federation.entries import Kind, entry
from federation.errors import Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.registration import seal_statement
from federation.uscc import Uscc
from node.hub.auditkeys import sealing_keys
from node.hub.disputes import Disputes
from node.hub.publication import Hub
from node.hub.receipts import receipt
from node.hub.registry import HubRegistry
from node.hub.uses import Use, Uses
from node.rpc.identity import peer
from yinxin.v1 import common_pb2, hub_pb2
from yinxin.v1.hub_pb2_grpc import ConsentsServicer

_SERVICE = "/yinxin.v1.Consents/"
ROLES = {
    f"{_SERVICE}RegisterConsent": frozenset({Role.ENTERPRISE}),
    f"{_SERVICE}CancelConsent": frozenset({Role.ENTERPRISE}),
    f"{_SERVICE}ListUses": frozenset({Role.ENTERPRISE}),
    f"{_SERVICE}GetMembers": frozenset({Role.ENTERPRISE}),
    f"{_SERVICE}GetDisputeKey": frozenset({Role.ENTERPRISE}),
    f"{_SERVICE}Dispute": frozenset({Role.ENTERPRISE}),
}
USES_AT_ONCE: Final = 200
"""Uses in one answer: well below the limit on messages, whatever is in them."""


class ConsentsService(ConsentsServicer):
    """Implements yinxin.v1.Consents."""

    def __init__(self, hub: Hub, disputes: Disputes) -> None:
        self._hub = hub
        self._disputes = disputes
        self._authority = hub.identity.root.licence_authority.encode()

    async def RegisterConsent(
        self, request: hub_pb2.ConsentRequest, context: Any
    ) -> common_pb2.Receipt:
        """Keeps a consent, so that it can be cancelled before anyone used it."""
        now = self._hub.clock.now()
        consent = verify_consent(request.consent, self._authority, now)
        _own(peer(), consent.uscc)
        if self._hub.identity.root.chain not in consent.chains:
            raise Refusal(Reason.WRONG_CHAIN, "consent does not name this chain")

        def unit(connection: Connection) -> bytes:
            registry = self._registry(connection)
            registry.register(consent, now)
            return self._record(registry, connection, Kind.CONSENT, consent)

        return receipt(self._hub, await self._hub.store.run(unit))

    async def CancelConsent(
        self, request: hub_pb2.CancellationRequest, context: Any
    ) -> common_pb2.Receipt:
        """Cancels a consent: from the moment the receipt is signed there is no new permit."""
        now = self._hub.clock.now()
        cancellation = verify_cancellation(request.cancellation, self._authority, now)
        _own(peer(), cancellation.uscc)

        def unit(connection: Connection) -> bytes:
            registry = self._registry(connection)
            registry.cancel(cancellation, now)
            return self._record(registry, connection, Kind.CANCELLED, cancellation)

        return receipt(self._hub, await self._hub.store.run(unit))

    async def ListUses(
        self, request: hub_pb2.ListUsesRequest, context: Any
    ) -> hub_pb2.ListUsesReply:
        """Who used the caller's own consents, from a number on."""
        caller, start = peer(), min(request.start, MAX_INTEGER)

        def look(connection: Connection) -> hub_pb2.ListUsesReply:
            uses = Uses(connection, self._hub.identity.storage)
            total = uses.total(caller)
            stop = min(start + USES_AT_ONCE, total)
            listed = uses.listed(caller, start, stop)
            shown = [self._use(connection, use) for use in listed]
            return hub_pb2.ListUsesReply(uses=shown, total=total, next=stop)

        return await self._hub.store.read(look)

    async def GetMembers(
        self, request: hub_pb2.GetMembersRequest, context: Any
    ) -> hub_pb2.ChainMembers:
        """Banks and holders to choose from, by credentials that the firm verifies."""
        return await self._disputes.members()

    async def GetDisputeKey(
        self, request: common_pb2.DisputeKeyRequest, context: Any
    ) -> common_pb2.DisputeKeyReply:
        """Relays a holder's key for disputes."""
        return await self._disputes.key(request, peer(), context)

    async def Dispute(
        self, request: common_pb2.DisputeRequest, context: Any
    ) -> common_pb2.DisputeReply:
        """Relays a dispute, sealed at both ends."""
        return await self._disputes.relay(request, peer(), context)

    def _use(self, connection: Connection, use: Use) -> hub_pb2.ConsentUse:
        certificate = self._hub.chain.certified(connection, use.certificate)
        return hub_pb2.ConsentUse(
            number=use.number,
            bank=use.bank,
            purpose=use.purpose,
            time=use.time,
            epoch=use.epoch,
            permits=use.permits,
            certificate=use.certificate,
            fields=[] if certificate is None else [field.name for field in certificate.fields],
            consent=use.consent,
            cancelled=use.cancelled,
        )

    def _registry(self, connection: Connection) -> HubRegistry:
        return HubRegistry(connection, self._hub.identity.storage)

    def _record(
        self,
        registry: HubRegistry,
        connection: Connection,
        kind: Kind,
        statement: Consent | Cancellation,
    ) -> bytes:
        kept = registry.entry(statement)
        if kept is not None:
            # A repetition has the same receipt, and the log nothing more to record.
            return kept
        tag, now = registry.tag(statement), self._hub.clock.now()
        key = sealing_keys(self._hub, connection, now).of(statement.uscc, now)
        envelope = registry.keep_envelope(seal_statement(statement.compact, tag, key))
        raw = entry(kind, now, consent=tag, envelope=envelope)
        self._hub.append(connection, kind, raw)
        registry.remember_entry(statement, raw)
        return raw


def _own(caller: SpiffeId, uscc: Uscc) -> None:
    if caller.name != uscc:
        raise Refusal(Reason.NO_CONSENT, "caller and subject are different enterprises")
