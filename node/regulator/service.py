"""The regulator's gRPC service: certification and reports of failed records, for banks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from federation.identity import Role
from node.chain import ChainSync
from node.log.http.client import LogClient
from node.regulator.auditkeys.handing import hand_keys
from node.regulator.certification import CertificationDesk
from node.regulator.decisions import Decision
from node.regulator.failures import record_failure
from node.regulator.membership import Regulator, record_own
from node.regulator.mirror.mirror import Mirror
from node.rpc.chunks import file_pieces
from node.rpc.convert import signed_from_wire, signed_to_wire
from node.rpc.identity import peer
from yinxin.v1 import common_pb2, regulator_pb2
from yinxin.v1.regulator_pb2_grpc import RegulatorServicer, add_RegulatorServicer_to_server

ROLES: Final = {
    "/yinxin.v1.Regulator/Certify": frozenset({Role.BANK}),
    "/yinxin.v1.Regulator/ReportFailure": frozenset({Role.BANK}),
}


class RegulatorService(RegulatorServicer):
    """Implements yinxin.v1.Regulator."""

    def __init__(self, regulator: Regulator, desk: CertificationDesk) -> None:
        self._regulator = regulator
        self._desk = desk

    async def Certify(
        self, request: regulator_pb2.CertifyRequest, context: Any
    ) -> AsyncIterator[regulator_pb2.CertifyReply]:
        """The decision, then the weight bundles, holder by holder in order of their ids."""
        decision = await self._desk.certify(peer(), request.submission)
        yield regulator_pb2.CertifyReply(result=_result(decision))
        for holder, path in decision.bundles:
            pieces = file_pieces(path)
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                chunk = common_pb2.Chunk(total=piece.total, sha256=piece.sha256, data=piece.data)
                part = regulator_pb2.BundlePart(holder=str(holder), chunk=chunk)
                yield regulator_pb2.CertifyReply(bundle=part)

    async def ReportFailure(self, request: common_pb2.Signed, context: Any) -> common_pb2.Receipt:
        """Records that a record failed its checks."""
        logged = await record_failure(self._regulator, peer(), signed_from_wire(request))
        return common_pb2.Receipt(entry=logged.entry, promise=signed_to_wire(logged.promise))


async def build(regulator: Regulator) -> None:
    """Adds the regulator's server to the runtime, and its copy of the chain."""
    config = regulator.config
    sync: ChainSync | None = None
    if config.hub is not None:
        hub = regulator.peer_channel(Role.HUB, config.hub)
        sync = regulator.follow_chain(hub)
        regulator.tasks.append(hand_keys(regulator, hub))
        _mirror(regulator, sync)
    await record_own(regulator)
    desk = CertificationDesk(regulator, sync)
    await desk.tidy()
    service = RegulatorService(regulator, desk)
    regulator.add_server(
        config.listen, ROLES, lambda server: add_RegulatorServicer_to_server(service, server)
    )


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
