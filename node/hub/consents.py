"""The hub's service for enterprises: registering and cancelling consents.

It listens on an address of its own and accepts only certificates of the business-licence
authority. A caller registers and cancels for itself: the subject of what it signed has to be the
enterprise that its certificate names.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from federation.consent import Cancellation, Consent, verify_cancellation, verify_consent
from federation.entries import Kind, entry
from federation.errors import Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.registration import seal_statement
from federation.uscc import Uscc
from node.hub.publication import Hub
from node.hub.receipts import receipt
from node.hub.registry import HubRegistry
from node.rpc.identity import peer
from yinxin.v1 import common_pb2, hub_pb2
from yinxin.v1.hub_pb2_grpc import ConsentsServicer

_SERVICE = "/yinxin.v1.Consents/"
ROLES = {
    f"{_SERVICE}RegisterConsent": frozenset({Role.ENTERPRISE}),
    f"{_SERVICE}CancelConsent": frozenset({Role.ENTERPRISE}),
}


class ConsentsService(ConsentsServicer):
    """Implements yinxin.v1.Consents."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
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
            registry.register(consent)
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
        tag = registry.tag(statement)
        envelope = registry.keep_envelope(
            seal_statement(statement.compact, tag, self._hub.identity.root.audit)
        )
        raw = entry(kind, self._hub.clock.now(), consent=tag, envelope=envelope)
        self._hub.append(connection, kind, raw)
        registry.remember_entry(statement, raw)
        return raw


def _own(caller: SpiffeId, uscc: Uscc) -> None:
    if caller.name != uscc:
        raise Refusal(Reason.NO_CONSENT, "caller and subject are different enterprises")
