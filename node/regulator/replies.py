"""A decision as it is streamed to whoever waits for it: progress, the result, then the bundles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import Final

from node.regulator.decisions import Decision
from node.regulator.judging import Ahead
from node.rpc.chunks import file_pieces
from node.rpc.convert import signed_to_wire
from yinxin.v1 import common_pb2, regulator_pb2

PROGRESS_SECONDS: Final = 2.0
"""How often whoever waits for a judgement hears that it goes on."""


async def stream_decision(
    certify: Callable[[Ahead], Awaitable[Decision]],
) -> AsyncGenerator[regulator_pb2.CertifyReply, None]:
    """Progress, the decision, then the weight bundles, in order of the holders' ids.

    `certify` makes the decision; it is cancelled when nobody waits any more. Raises what it raises.
    """
    ahead = [0]
    deciding = asyncio.ensure_future(certify(partial(ahead.__setitem__, 0)))
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        while not (await asyncio.wait({deciding}, timeout=PROGRESS_SECONDS))[0]:
            seconds = round(clock() - began)
            progress = regulator_pb2.CertifyProgress(ahead=ahead[0], seconds=seconds)
            yield regulator_pb2.CertifyReply(progress=progress)
    finally:
        # Who waited hung up: nobody waits for the decision.
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


def _result(decision: Decision) -> regulator_pb2.CertifyResult:
    certificate = decision.certificate
    return regulator_pb2.CertifyResult(
        certificate=None if certificate is None else signed_to_wire(certificate),
        secret_key=decision.secret_key,
        public_key=decision.public_key,
        report=decision.report,
    )
