"""The regulator's gRPC service: certification and reports of failed records, for banks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Any, Final

from federation.errors import FederationError
from federation.identity import Role
from node.chain import ChainSync
from node.errors import NodeError
from node.log.http.client import LogClient
from node.regulator.auditkeys.handing import hand_keys
from node.regulator.certification import CertificationDesk
from node.regulator.decisions import Decision
from node.regulator.development.desk import LabelDesk
from node.regulator.development.service import certify_labels
from node.regulator.failures import record_failure
from node.regulator.membership import Regulator, record_own
from node.regulator.mirror.mirror import Mirror
from node.regulator.peers.delivery import PeerDelivery
from node.regulator.peers.service import open_peers
from node.regulator.withdrawals import Delivery, withdraw
from node.rpc.chunks import file_pieces
from node.rpc.convert import exactly, signed_from_wire, signed_to_wire
from node.rpc.identity import peer
from yinxin.v1 import common_pb2, regulator_pb2
from yinxin.v1.regulator_pb2_grpc import RegulatorServicer, add_RegulatorServicer_to_server

ROLES: Final = {
    "/yinxin.v1.Regulator/Certify": frozenset({Role.BANK}),
    "/yinxin.v1.Regulator/WithdrawModel": frozenset({Role.BANK}),
    "/yinxin.v1.Regulator/ReportFailure": frozenset({Role.BANK}),
    "/yinxin.v1.Regulator/CertifyLabels": frozenset({Role.BANK}),
}


PROGRESS_SECONDS: Final = 2.0
"""How often a bank whose submission is being judged hears that it is."""


class RegulatorService(RegulatorServicer):
    """Implements yinxin.v1.Regulator."""

    def __init__(
        self,
        regulator: Regulator,
        desk: CertificationDesk,
        delivery: Delivery | None,
        labels: LabelDesk,
    ) -> None:
        self._labels = labels
        self._regulator = regulator
        self._desk = desk
        self._delivery = delivery

    async def Certify(
        self, request: regulator_pb2.CertifyRequest, context: Any
    ) -> AsyncIterator[regulator_pb2.CertifyReply]:
        """Progress, the decision, then the weight bundles, in order of the holders' ids."""
        ahead = [0]
        deciding = asyncio.ensure_future(
            self._desk.certify(peer(), request.submission, partial(ahead.__setitem__, 0))
        )
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            while not (await asyncio.wait({deciding}, timeout=PROGRESS_SECONDS))[0]:
                seconds = round(clock() - began)
                progress = regulator_pb2.CertifyProgress(ahead=ahead[0], seconds=seconds)
                yield regulator_pb2.CertifyReply(progress=progress)
        finally:
            # A bank that hung up: nobody waits for the decision.
            if not deciding.done():
                deciding.cancel()
                await asyncio.gather(deciding, return_exceptions=True)
        decision = deciding.result()
        yield regulator_pb2.CertifyReply(result=_result(decision))
        for holder, path in decision.bundles:
            pieces = file_pieces(path)
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                chunk = common_pb2.Chunk(total=piece.total, sha256=piece.sha256, data=piece.data)
                part = regulator_pb2.BundlePart(holder=str(holder), chunk=chunk)
                yield regulator_pb2.CertifyReply(bundle=part)

    async def WithdrawModel(
        self, request: regulator_pb2.WithdrawRequest, context: Any
    ) -> regulator_pb2.WithdrawReply:
        """Withdraws a model of the calling bank, and tells the hub at once where it is there."""
        digest = exactly(request.certificate_hash, 32, "certificate_hash")
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


async def build(regulator: Regulator) -> None:
    """Adds the regulator's server to the runtime, and its copy of the chain."""
    config = regulator.config
    sync: ChainSync | None = None
    delivery: Delivery | None = None
    if config.hub is not None:
        hub = regulator.peer_channel(Role.HUB, config.hub)
        sync = regulator.follow_chain(hub)
        regulator.tasks.append(hand_keys(regulator, hub))
        delivery = Delivery(regulator, hub)
        regulator.tasks.append(delivery.keep())
        _mirror(regulator, sync)
        regulator.tasks.append(PeerDelivery(regulator, hub).keep())
    await record_own(regulator)
    desk = CertificationDesk(regulator, sync)
    await desk.tidy()
    regulator.closing.append(desk.worker.close)
    regulator.metrics.watch("desk_submissions", "Scorecards judged or waiting", desk.busy)
    labels = LabelDesk(regulator, sync)
    await labels.tidy(started=True)
    service = RegulatorService(regulator, desk, delivery, labels)
    regulator.add_server(
        config.listen, ROLES, lambda server: add_RegulatorServicer_to_server(service, server)
    )
    open_peers(regulator)


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


def _result(decision: Decision) -> regulator_pb2.CertifyResult:
    certificate = decision.certificate
    return regulator_pb2.CertifyResult(
        certificate=None if certificate is None else signed_to_wire(certificate),
        secret_key=decision.secret_key,
        public_key=decision.public_key,
        report=decision.report,
    )
