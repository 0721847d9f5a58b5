"""Labels over the wire: parts are opened as they come, the result and the bundle go back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from federation.development.submission import LabelSubmission, SubmissionReader
from federation.errors import DocumentError
from federation.identity import SpiffeId
from node.regulator.development.desk import LabelDesk
from node.rpc.chunks import file_pieces
from node.rpc.convert import exactly, signed_to_wire
from yinxin.v1 import common_pb2, regulator_pb2

ID_BYTES = 16


async def certify_labels(
    desk: LabelDesk, requests: AsyncIterator[regulator_pb2.CertifyLabelsRequest], bank: SpiffeId
) -> AsyncGenerator[regulator_pb2.CertifyLabelsReply, None]:
    """The decision about the labels of `bank`, then the encrypted bundle."""
    with desk.admitted(bank):
        submission, lines = await _received(desk, requests, bank)
        decision = await desk.certify(bank, submission, lines)
    signed = decision.certificate
    yield regulator_pb2.CertifyLabelsReply(
        result=regulator_pb2.CertifyLabelsResult(
            certificate=None if signed is None else signed_to_wire(signed),
            secret_key=decision.secret_key,
            public_key=decision.public_key,
            report=decision.report,
        )
    )
    if decision.bundle is None:
        return
    pieces = file_pieces(decision.bundle)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        chunk = common_pb2.Chunk(total=piece.total, sha256=piece.sha256, data=piece.data)
        yield regulator_pb2.CertifyLabelsReply(bundle=chunk)


async def _received(
    desk: LabelDesk, requests: AsyncIterator[regulator_pb2.CertifyLabelsRequest], bank: SpiffeId
) -> tuple[LabelSubmission, list[bytes]]:
    """Head and lines. Raises EnvelopeError, DocumentError, Refusal."""
    reader: SubmissionReader | None = None
    about: tuple[bytes, int] | None = None
    index = 0
    async for request in requests:
        if reader is None or about is None:
            about = exactly(request.id, ID_BYTES, "id"), request.count
            key = desk.regulator.identity.require_sealing()
            reader = SubmissionReader(key, bank, *about)
        if (request.id, request.count) != about or request.index != index:
            raise DocumentError("CertifyLabels", f"part {index} is of another place or submission")
        await asyncio.to_thread(reader.add, request.part)
        index += 1
    if reader is None:
        raise DocumentError("CertifyLabels", "has no part")
    return await asyncio.to_thread(reader.finish)
