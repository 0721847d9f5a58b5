"""The hub's calls to a holder's node about labels."""

from __future__ import annotations

from collections.abc import AsyncIterator

from federation.entries import Logged
from node.rpc.chunks import Assembler, pieces
from node.rpc.convert import logged_from_wire, signed_to_wire
from support.chain import TAX
from support.labels import Labelled
from tests.node.holder.world import Node
from yinxin.v1 import common_pb2


async def install(node: Node, labels: Labelled, **wrong: bytes) -> bytes:
    """Relays labels as a hub does; `wrong` takes the place of key or bundle."""

    async def requests() -> AsyncIterator[common_pb2.InstallLabelsRequest]:
        yield common_pb2.InstallLabelsRequest(
            header=common_pb2.InstallLabelsHeader(
                holder=str(TAX),
                certificate=signed_to_wire(labels.signed),
                public_key=wrong.get("public_key", labels.keys.public_key),
            )
        )
        for piece in pieces(wrong.get("bundle", labels.bundle)):
            chunk = common_pb2.Chunk(total=piece.total, sha256=piece.sha256, data=piece.data)
            yield common_pb2.InstallLabelsRequest(bundle=chunk)

    method = "/yinxin.v1.Holder/InstallLabels"
    reply = await node.channel.upload(method, requests(), common_pb2.InstallLabelsReply)
    return reply.certificate_hash


async def counts(node: Node, labels: Labelled, epoch: int = 10) -> tuple[Logged, bytes]:
    """The statement and the ciphertexts, as they arrive at the hub."""
    request = common_pb2.CountsRequest(certificate_hash=labels.certificate.hash, epoch=epoch)
    assembler = Assembler(64 << 20)
    statement: list[Logged] = []
    stream = node.channel.download("/yinxin.v1.Holder/Counts", request, common_pb2.CountsPart)
    async for part in stream:
        if part.HasField("statement"):
            statement.append(logged_from_wire(part.statement))
        else:
            assembler.add(part.counts)
    (logged,) = statement
    return logged, assembler.finish()
