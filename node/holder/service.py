"""The holder's service. Its only caller is the hub of its chain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from federation.errors import DocumentError, FederationError
from federation.identity import Role
from node.holder.contexts import Contexts
from node.holder.development.counts import Counts
from node.holder.development.labels import Labels
from node.holder.disputes.desk import DisputeDesk
from node.holder.models import Models
from node.holder.pads import Pads
from node.holder.preparation import Preparation
from node.holder.unlocking import Unlocking
from node.observability.metrics import NodeMetrics
from node.rpc.chunks import file_pieces
from node.rpc.convert import (
    exactly,
    identifier,
    logged_to_wire,
    signed_from_wire,
    signed_to_wire,
    unlock_from_wire,
)
from node.rpc.identity import peer
from yinxin.v1 import common_pb2, holder_pb2, hub_pb2
from yinxin.v1.holder_pb2_grpc import HolderServicer

_SERVICE = "/yinxin.v1.Holder/"
_HUB = frozenset({Role.HUB})
_METHODS = (
    "InstallModel", "GetKey", "Prepare", "Unlock", "InstallLabels", "Counts", "GetDisputeKey",
    "Dispute",
)  # fmt: skip
ROLES = {f"{_SERVICE}{method}": _HUB for method in _METHODS}


class HolderService(HolderServicer):
    """Implements yinxin.v1.Holder."""

    def __init__(
        self,
        contexts: Contexts,
        models: Models,
        pads: Pads,
        preparation: Preparation,
        unlocking: Unlocking,
        labels: Labels,
        counts: Counts,
        disputes: DisputeDesk,
        metrics: NodeMetrics,
    ) -> None:
        self._contexts = contexts
        self._models = models
        self._pads = pads
        self._preparation = preparation
        self._unlocking = unlocking
        self._labels = labels
        self._counts = counts
        self._disputes = disputes
        self._metrics = metrics

    async def InstallModel(
        self, request_iterator: AsyncIterator[hub_pb2.InstallModelRequest], context: Any
    ) -> hub_pb2.InstallModelReply:
        """Keeps a certified model, and begins with its pads."""
        first = await anext(request_iterator, None)
        if first is None or not first.HasField("header"):
            raise DocumentError("InstallModel", "does not begin with a header")
        certificate = await self._models.install(
            identifier(first.header.holder, "holder"),
            signed_from_wire(first.header.certificate),
            first.header.public_key,
            _bundle(request_iterator, "InstallModel"),
        )
        self._pads.look()
        return hub_pb2.InstallModelReply(certificate_hash=certificate.hash)

    async def GetKey(self, request: common_pb2.KeyRequest, context: Any) -> common_pb2.Logged:
        """The logged statement of the key of one context."""
        digest = exactly(request.certificate_hash, 32, "certificate_hash")
        asked = await self._contexts.resolve(digest, request.epoch)
        logged = await self._contexts.statement(asked)
        self._pads.look()
        return logged_to_wire(logged)

    async def Prepare(
        self, request: common_pb2.PrepareRequest, context: Any
    ) -> AsyncIterator[common_pb2.Table]:
        """The tables of the asked buckets, in the order asked."""
        digest = exactly(request.certificate_hash, 32, "certificate_hash")
        asked = await self._contexts.resolve(digest, request.epoch)
        stream = self._preparation.tables(asked, list(request.buckets))
        async with aclosing(stream):
            async for prepared in stream:
                yield common_pb2.Table(
                    holder=str(asked.holder),
                    bucket=prepared.bucket,
                    answer=signed_to_wire(prepared.answer),
                    table=prepared.table,
                )

    async def Unlock(
        self, request: holder_pb2.UnlockRequest, context: Any
    ) -> common_pb2.UnlockAnswer:
        """One permitted evaluation."""
        outcome = "failed"
        try:
            answer = await self._unlocking.answer(unlock_from_wire(request))
            outcome = "granted"
        except FederationError:
            outcome = "refused"
            raise
        finally:
            self._metrics.query(outcome)
        return common_pb2.UnlockAnswer(answer=signed_to_wire(answer))

    async def InstallLabels(
        self, request_iterator: AsyncIterator[common_pb2.InstallLabelsRequest], context: Any
    ) -> common_pb2.InstallLabelsReply:
        """Keeps certified labels."""
        first = await anext(request_iterator, None)
        if first is None or not first.HasField("header"):
            raise DocumentError("InstallLabels", "does not begin with a header")
        certificate = await self._labels.install(
            identifier(first.header.holder, "holder"),
            signed_from_wire(first.header.certificate),
            first.header.public_key,
            _bundle(request_iterator, "InstallLabels"),
        )
        return common_pb2.InstallLabelsReply(certificate_hash=certificate.hash)

    async def Counts(
        self, request: common_pb2.CountsRequest, context: Any
    ) -> AsyncIterator[common_pb2.CountsPart]:
        """The one release of counts under a certificate."""
        digest = exactly(request.certificate_hash, 32, "certificate_hash")
        release = await self._counts.release(digest, request.epoch)
        yield common_pb2.CountsPart(statement=logged_to_wire(release.statement))
        stored = file_pieces(release.counts)
        while (piece := await asyncio.to_thread(next, stored, None)) is not None:
            chunk = common_pb2.Chunk(total=piece.total, sha256=piece.sha256, data=piece.data)
            yield common_pb2.CountsPart(counts=chunk)

    async def GetDisputeKey(
        self, request: common_pb2.DisputeKeyRequest, context: Any
    ) -> common_pb2.DisputeKeyReply:
        """The key to which firms seal disputes, and the credential that it is verified by."""
        key = await self._disputes.key(identifier(request.holder, "holder"))
        credential = signed_to_wire(self._disputes.credential)
        return common_pb2.DisputeKeyReply(credential=credential, key=signed_to_wire(key))

    async def Dispute(
        self, request: common_pb2.DisputeRequest, context: Any
    ) -> common_pb2.DisputeReply:
        """What a firm sealed, taken or looked up; the reply is sealed to the firm."""
        holder = identifier(request.holder, "holder")
        sealed = await self._disputes.receive(holder, request.key, request.sealed, peer())
        return common_pb2.DisputeReply(sealed=sealed)


async def _bundle(
    requests: AsyncIterator[hub_pb2.InstallModelRequest]
    | AsyncIterator[common_pb2.InstallLabelsRequest],
    call: str,
) -> AsyncIterator[common_pb2.Chunk]:
    async for request in requests:
        if not request.HasField("bundle"):
            raise DocumentError(call, "has a second header")
        yield request.bundle
