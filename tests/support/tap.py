"""A stand-in for a holder: it records, byte for byte, what the hub sends, and asks the real one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import update

from node.demo.layout import Party
from node.hub.tables import hub_routes
from node.rpc.tls import TlsError, TlsFiles, server_credentials
from node.storage.engine import open_engine, writing
from support.running import RunningChain
from yinxin.v1 import common_pb2, holder_pb2

import grpc  # isort: skip  # after node.rpc
import grpc.aio  # isort: skip

UNLOCK = "/yinxin.v1.Holder/Unlock"


@dataclass(frozen=True)
class Received:
    """One call: the message as it came, and the names and values beside it."""

    message: bytes
    metadata: tuple[tuple[str, str | bytes], ...]


@dataclass
class Tap(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # a type of the stubs alone
    """Calls of one holder, in order."""

    chain: RunningChain
    holder: Party
    received: list[Received] = field(default_factory=list)

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        if details.method != UNLOCK:
            return None
        metadata = tuple((name, value) for name, value in details.invocation_metadata)

        async def handle(message: bytes, context: Any) -> bytes:
            self.received.append(Received(message, metadata))
            channel = self.chain.channel(self.holder, self.chain.layout.hub)
            try:
                request = holder_pb2.UnlockRequest.FromString(message)
                answer = await channel.unary(UNLOCK, request, common_pb2.UnlockAnswer)
            finally:
                await channel.close()
            return answer.SerializeToString()

        return grpc.unary_unary_rpc_method_handler(handle)


@contextlib.asynccontextmanager
async def tapped(chain: RunningChain, holder: Party) -> AsyncIterator[Tap]:
    """The hub is told that the holder is reached here; afterwards where it really is."""
    keys = holder.folder / "keys"
    files = TlsFiles(keys / "tls.pem", keys / "tls.key", keys / "authority.pem")
    credentials = server_credentials(files, _fail)
    tap = Tap(chain, holder)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((tap,))
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        _route(chain, holder, f"127.0.0.1:{port}")
        yield tap
    finally:
        _route(chain, holder, holder.address)
        await server.stop(None)


def _fail(error: TlsError) -> None:
    raise error


def _route(chain: RunningChain, holder: Party, address: str) -> None:
    engine = open_engine(chain.config(chain.layout.hub).database_url())
    try:
        with writing(engine) as connection:
            known = hub_routes.c.member == str(holder.id)
            changed = connection.execute(update(hub_routes).where(known).values(address=address))
            assert changed.rowcount == 1
    finally:
        engine.dispose()
