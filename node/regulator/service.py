"""The regulator's gRPC service: certification and reports of failed records, for banks."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from federation.errors import FederationError
from federation.identity import Role
from node.chain import ChainSync
from node.errors import NodeError
from node.log.http.client import LogClient
from node.pages.serving import add_site
from node.regulator.auditkeys.handing import hand_keys
from node.regulator.certification import CertificationDesk
from node.regulator.development.desk import LabelDesk
from node.regulator.development.service import certify_labels
from node.regulator.failures import record_failure
from node.regulator.membership import Regulator, record_own
from node.regulator.mirror.mirror import Mirror
from node.regulator.pages import add_pages
from node.regulator.peers.certification import Tell, VouchedDesk
from node.regulator.peers.delivery import PeerDelivery
from node.regulator.peers.forwarding import Forwarding
from node.regulator.peers.guests import check_affiliates
from node.regulator.peers.service import open_peers, serve_peers
from node.regulator.peers.sharing import ShareDesk
from node.regulator.peers.sharing_fetch import ShareFetch
from node.regulator.replies import stream_decision
from node.regulator.withdrawals import Delivery, withdraw
from node.rpc.convert import exactly, signed_from_wire, signed_to_wire
from node.rpc.identity import peer
from scoring.documents import Text
from yinxin.v1 import common_pb2, regulator_pb2
from yinxin.v1.regulator_pb2_grpc import RegulatorServicer, add_RegulatorServicer_to_server

ROLES: Final = {
    "/yinxin.v1.Regulator/Certify": frozenset({Role.BANK}),
    "/yinxin.v1.Regulator/WithdrawModel": frozenset({Role.BANK}),
    "/yinxin.v1.Regulator/ReportFailure": frozenset({Role.BANK}),
    "/yinxin.v1.Regulator/CertifyLabels": frozenset({Role.BANK}),
}


class RegulatorService(RegulatorServicer):
    """Implements yinxin.v1.Regulator."""

    def __init__(
        self,
        regulator: Regulator,
        desk: CertificationDesk,
        delivery: Delivery | None,
        labels: LabelDesk,
        forwarding: Forwarding,
    ) -> None:
        self._forwarding = forwarding
        self._labels = labels
        self._regulator = regulator
        self._desk = desk
        self._delivery = delivery

    async def Certify(
        self, request: regulator_pb2.CertifyRequest, context: Any
    ) -> AsyncIterator[regulator_pb2.CertifyReply]:
        """Progress, the decision, then the weight bundles, in order of the holders' ids: of this
        regulator, or of that of the chain that the request is for.
        """
        bank, sealed = peer(), request.submission
        if self._elsewhere(request.chain):
            replies = self._forwarding.certify(bank, sealed, request.chain)
        else:
            replies = stream_decision(lambda ahead: self._desk.certify(bank, sealed, ahead))
        async with aclosing(replies):
            async for reply in replies:
                yield reply

    async def WithdrawModel(
        self, request: regulator_pb2.WithdrawRequest, context: Any
    ) -> regulator_pb2.WithdrawReply:
        """Withdraws a model of the calling bank, and tells the hub at once where it is there; the
        regulator of another chain does so for a model that it certified.
        """
        digest = exactly(request.certificate_hash, 32, "certificate_hash")
        if self._elsewhere(request.chain):
            return await self._forwarding.withdraw(peer(), digest, request.chain)
        signed = await withdraw(self._regulator, digest, peer())
        if self._delivery is not None:
            with contextlib.suppress(NodeError, FederationError):  # it is tried again
                await self._delivery.deliver()
        done = await self._regulator.store.read(self._regulator.chain.receipts)
        return regulator_pb2.WithdrawReply(
            withdrawal=signed_to_wire(signed), delivered=digest in done
        )

    async def ReportFailure(self, request: common_pb2.Signed, context: Any) -> common_pb2.Receipt:
        """Records that a record failed its checks."""
        logged = await record_failure(self._regulator, peer(), signed_from_wire(request))
        return common_pb2.Receipt(entry=logged.entry, promise=signed_to_wire(logged.promise))

    async def CertifyLabels(
        self, request_iterator: AsyncIterator[regulator_pb2.CertifyLabelsRequest], context: Any
    ) -> AsyncIterator[regulator_pb2.CertifyLabelsReply]:
        """Labels for development without data."""
        async with aclosing(certify_labels(self._labels, request_iterator, peer())) as replies:
            async for reply in replies:
                yield reply

    def _elsewhere(self, chain: str) -> bool:
        return chain not in ("", self._regulator.identity.root.chain)


async def build(regulator: Regulator) -> None:
    """Adds the regulator's server to the runtime, and its copy of the chain."""
    config = regulator.config
    sync: ChainSync | None = None
    delivery: Delivery | None = None
    tell: tuple[Tell, ...] = ()
    if config.hub is not None:
        hub = regulator.peer_channel(Role.HUB, config.hub)
        sync = regulator.follow_chain(hub)
        regulator.tasks.append(hand_keys(regulator, hub))
        delivery, guests = Delivery(regulator, hub), PeerDelivery(regulator, hub)
        regulator.tasks += [delivery.keep(), guests.keep()]
        tell = (guests.deliver, delivery.deliver)
        _mirror(regulator, sync)
    await record_own(regulator)
    await check_affiliates(regulator)
    peers = open_peers(regulator)
    desk = CertificationDesk(regulator, sync, peers.channels.regulator)
    peers.certifying = VouchedDesk(regulator, desk, tell)
    peers.sharing = ShareDesk(regulator, peers.trust)
    await desk.tidy()
    regulator.closing.append(desk.worker.close)
    regulator.metrics.watch("desk_submissions", "Scorecards judged or waiting", desk.busy)
    labels = LabelDesk(regulator, sync)
    await labels.tidy(started=True)
    forwarding = Forwarding(regulator, peers.channels.regulator)
    service = RegulatorService(regulator, desk, delivery, labels, forwarding)
    regulator.add_server(
        config.listen, ROLES, lambda server: add_RegulatorServicer_to_server(service, server)
    )
    serve_peers(regulator, peers)
    regulator.tasks.append(ShareFetch(regulator, peers.trust, peers.channels).keep())
    title = Text(zh="监管端", en="Regulator")
    add_site(regulator, title, lambda site: add_pages(site, regulator, desk.waiting))


def _mirror(regulator: Regulator, sync: ChainSync) -> None:
    """Keeps the mirror of all logs while the node runs."""
    mirror = Mirror(
        regulator,
        regulator.config.mirror,
        sync.addresses,
        lambda member, address: LogClient(member, address, regulator.tls()),
    )
    regulator.tasks.append(mirror.keep())
    regulator.closing.append(mirror.close)
