"""Installation: certificate, public key and weight bundle to each participant, through the hub.

A holder that has the model already says so again, so that an interrupted installation is simply
repeated. A bundle's file is removed once its holder has it; the regulator gives it again for the
same submission only, so nothing is removed before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from sqlalchemy import Connection

from federation.certificate import ModelCertificate
from federation.entries import Kind, entry
from federation.identity import SpiffeId
from federation.signed import Signed
from node.bank.agent import Agent
from node.bank.errors import BankError
from node.bank.files import bundle_path, read_file
from node.bank.records import Model
from node.bank.texts import Code
from node.chain.store import CERTIFICATE
from node.rpc.chunks import pieces
from node.rpc.convert import signed_to_wire
from node.rpc.errors import RemoteFailure
from yinxin.v1 import common_pb2, hub_pb2

INSTALL = "/yinxin.v1.Hub/InstallModel"
Progress = Callable[[SpiffeId, int, int], None]
"""Told the holder, bytes that are sent, and of how many."""


class Installation:
    """Brings certified models to their holders."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def install(self, model: Model, progress: Progress | None = None) -> list[SpiffeId]:
        """Installs at every participant that does not have the model; returns those.

        Holders take it at the same time. Raises RemoteError naming the one that failed, after
        the others have finished; what is installed stays so.
        """
        agent = self._agent
        certificate = await agent.certificate(model.hash)
        signed = await self._signed(model.hash)
        done = await agent.read(lambda c: agent.records.installed(c, model.hash))
        missing = [p for p in certificate.holders if str(p) not in done]
        calls = [self._upload(model, certificate, signed, h, progress) for h in missing]
        results = await asyncio.gather(*calls, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return missing

    async def require(self, model: Model, certificate: ModelCertificate) -> None:
        """Raises BankError for a participant that does not have the model yet."""
        agent = self._agent
        done = await agent.read(lambda c: agent.records.installed(c, model.hash))
        for holder in certificate.holders:
            if str(holder) not in done:
                raise BankError(Code.MODEL_NOT_INSTALLED, "model", holder=str(holder))

    async def _signed(self, digest: bytes) -> Signed:
        view = await self._agent.view_of(digest)
        documents = await view.read(lambda c: view.chain.documents(c, CERTIFICATE))
        for signed in documents:
            if signed.payload_hash == digest:
                return signed
        raise BankError(Code.MODEL_UNKNOWN, "model", model=digest.hex()[:16])

    async def _upload(
        self,
        model: Model,
        certificate: ModelCertificate,
        signed: Signed,
        holder: SpiffeId,
        progress: Progress | None,
    ) -> None:
        agent = self._agent
        digest = certificate.participant(holder).bundle
        path = bundle_path(agent.config.data_dir, digest)
        bundle = await asyncio.to_thread(read_file, path, f"the weight bundle of {holder}")
        certificate.require_material(holder, model.public_key, bundle)
        header = hub_pb2.InstallModelHeader(
            holder=str(holder), certificate=signed_to_wire(signed), public_key=model.public_key
        )
        view = await agent.chains.view(model.chain)
        reply = await view.hub.upload(
            INSTALL, _requests(header, bundle, holder, progress), hub_pb2.InstallModelReply
        )
        if reply.certificate_hash != model.hash:
            raise RemoteFailure(holder)
        now = agent.now()
        there = {"chain": model.chain} if model.chain else {}
        raw = entry(Kind.INSTALLED, now, document=model.hash, holder=holder, **there)

        def unit(connection: Connection) -> None:
            agent.records.put_install(connection, model.hash, holder, now)
            agent.runtime.append(connection, Kind.INSTALLED, raw)

        await agent.write(unit)
        await asyncio.to_thread(_remove, path)


async def _requests(
    header: hub_pb2.InstallModelHeader, bundle: bytes, holder: SpiffeId, progress: Progress | None
) -> AsyncIterator[hub_pb2.InstallModelRequest]:
    yield hub_pb2.InstallModelRequest(header=header)
    sent = 0
    for piece in pieces(bundle):
        chunk = common_pb2.Chunk(total=piece.total, sha256=piece.sha256, data=piece.data)
        yield hub_pb2.InstallModelRequest(bundle=chunk)
        sent += len(piece.data)
        if progress is not None:
            progress(holder, sent, len(bundle))


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
