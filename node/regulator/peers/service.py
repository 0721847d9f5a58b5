"""The regulator's service for regulators of peer chains.

What certification and audit answer there is theirs: this module knows who calls, and hands on.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sqlalchemy import Connection

from federation.errors import Reason, Refusal
from federation.identity import Role
from federation.signed import Signed
from node.chain.store import PIN
from node.peers import PeerChannels, PeerTrust, add_peer_server, home_chain
from node.regulator.membership import Regulator
from node.regulator.peers.own import newest
from node.regulator.peers.watch import PeerWatch
from node.rpc.convert import signed_from_wire, signed_to_wire
from yinxin.v1 import peers_pb2, regulator_pb2
from yinxin.v1.peers_pb2_grpc import (
    RegulatorPeersServicer,
    add_RegulatorPeersServicer_to_server,
)

_SERVICE: Final = "/yinxin.v1.RegulatorPeers/"
_REGULATORS: Final = frozenset({Role.REGULATOR})
ROLES: Final = {
    f"{_SERVICE}{name}": _REGULATORS
    for name in ("GetBundle", "Certify", "WithdrawModel", "History", "Share")
}
WITHDRAWN: Final = frozenset({f"{_SERVICE}GetBundle"})
"""A chain that is trusted no more may still hear of that."""


class Certifying(Protocol):
    """What certification does for peer chains; the caller is `peer()`, its chain `home_chain()`."""

    def certify(
        self, voucher: Signed, sealed: bytes
    ) -> AsyncGenerator[regulator_pb2.CertifyReply, None]:
        """Certifies a scorecard of a bank of the caller's chain, for this one."""

    async def withdraw(self, voucher: Signed, sealed: bytes) -> regulator_pb2.WithdrawReply:
        """Withdraws a model that was certified so."""

    async def history(self, request: Signed) -> bytes:
        """The scorecards certified within 24 months, sealed to the caller."""


class Sharing(Protocol):
    """What the audit tells peer chains; the caller is `peer()`, its chain `home_chain()`."""

    def share(self, request: Signed) -> AsyncGenerator[peers_pb2.SharePart, None]:
        """What this chain's logs have of queries between the two chains."""


@dataclass
class PeerDesk:
    """What is behind the service: a part that is absent refuses."""

    trust: PeerTrust
    channels: PeerChannels
    watch: PeerWatch
    certifying: Certifying | None = None
    sharing: Sharing | None = None


class RegulatorPeersService(RegulatorPeersServicer):
    """Implements yinxin.v1.RegulatorPeers."""

    def __init__(self, regulator: Regulator, desk: PeerDesk) -> None:
        self._regulator = regulator
        self._desk = desk

    async def GetBundle(
        self, request: peers_pb2.BundleRequest, context: Any
    ) -> peers_pb2.BundleReply:
        """The newest bundle, and every pin of the caller's chain."""
        home = home_chain()

        def look(connection: Connection) -> peers_pb2.BundleReply:
            own = newest(self._regulator, connection)
            if own is None:
                raise Refusal(Reason.UNKNOWN_CHAIN, "this chain has no bundle yet")
            pins = self._regulator.chain.documents(connection, PIN, name=home)
            return peers_pb2.BundleReply(
                bundle=signed_to_wire(own[0]), pins=[signed_to_wire(pin) for pin in pins]
            )

        return await self._regulator.store.read(look)

    async def Certify(
        self, request: peers_pb2.VouchedRequest, context: Any
    ) -> AsyncIterator[regulator_pb2.CertifyReply]:
        """Certifies for a bank of the caller's chain."""
        voucher = signed_from_wire(request.voucher)
        replies = self._certifying().certify(voucher, request.sealed)
        async with aclosing(replies):
            async for reply in replies:
                yield reply

    async def WithdrawModel(
        self, request: peers_pb2.VouchedRequest, context: Any
    ) -> regulator_pb2.WithdrawReply:
        """Withdraws a model of a bank of the caller's chain."""
        return await self._certifying().withdraw(signed_from_wire(request.voucher), request.sealed)

    async def History(
        self, request: peers_pb2.HistoryRequest, context: Any
    ) -> peers_pb2.HistoryReply:
        """What was certified here for a bank and its affiliates."""
        sealed = await self._certifying().history(signed_from_wire(request.request))
        return peers_pb2.HistoryReply(sealed=sealed)

    async def Share(
        self, request: peers_pb2.ShareRequest, context: Any
    ) -> AsyncIterator[peers_pb2.SharePart]:
        """What the logs here have of queries between the two chains."""
        if self._desk.sharing is None:
            raise Refusal(Reason.UNKNOWN_CHAIN, "this regulator shares no audit")
        parts = self._desk.sharing.share(signed_from_wire(request.request))
        async with aclosing(parts):
            async for part in parts:
                yield part

    def _certifying(self) -> Certifying:
        if self._desk.certifying is None:
            raise Refusal(Reason.UNKNOWN_CHAIN, "this regulator certifies for no other chain")
        return self._desk.certifying


def open_peers(regulator: Regulator) -> PeerDesk:
    """What a regulator does between chains, before its parts are there and anything is served."""
    trust = PeerTrust(regulator.store, regulator.chain, regulator.clock)
    channels = PeerChannels(regulator, trust)
    return PeerDesk(trust, channels, PeerWatch(regulator, trust, channels))


def serve_peers(regulator: Regulator, desk: PeerDesk) -> None:
    """Adds the server for peers to the node, where the configuration gives it an address, and the
    look at theirs.
    """
    address = regulator.config.peers.listen
    if address is None:
        return
    service = RegulatorPeersService(regulator, desk)
    add_peer_server(
        regulator,
        desk.trust,
        address,
        ROLES,
        lambda server: add_RegulatorPeersServicer_to_server(service, server),
        withdrawn=WITHDRAWN,
    )
    regulator.tasks.append(desk.watch.keep())
