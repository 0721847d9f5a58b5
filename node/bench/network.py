"""Calls between nodes on the loopback interface, under mutual TLS.

Client and servers share one process and one event loop, so that a fan-out to six counts the
work of all seven parties.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from federation.authority import CertificateAuthority
from federation.identity import Role, SpiffeId, dns_name
from federation.tlskeys import make_csr, new_tls_key, tls_key_to_pem
from node.bench.chain import DOMAIN, HOLDER_IDS, HUB
from node.bench.measure import Pair, Row, Side, Unit
from node.bench.setting import HOLDERS, Group, Pairs, Setting
from node.keys import write_secret
from node.rpc.client import Channel
from node.rpc.identity import peer_options
from node.rpc.server import build_server
from node.rpc.tls import TlsFiles

import grpc  # isort: skip  # after node.rpc
import grpc.aio  # isort: skip
from yinxin.v1.common_pb2 import Chunk  # isort: skip

SERVICE = "yinxin.bench.v1.Echo"
ECHO = f"/{SERVICE}/Echo"
LOOPBACK = "127.0.0.1"
MESSAGE_BYTES = 1024
"""About a permit with its entry and promise."""
AT_ONCE = 16
_BARE = "one bare gRPC echo, mutual TLS"

ROWS_OF_GROUP = (
    Row("network.echo", Unit.MILLISECONDS, "an echo by a node's channel and server", _BARE),
    Row("network.fanout", Unit.MILLISECONDS, f"echoes of {HOLDERS} nodes at once", _BARE),
    Row(
        "network.fanout_rate",
        Unit.RATE,
        f"such fan-outs a second, {AT_ONCE} in flight",
        f"bare echoes a second, {AT_ONCE} in flight",
    ),
)

Call = Callable[[], Awaitable[object]]


@asynccontextmanager
async def prepare(setting: Setting) -> AsyncIterator[Pairs]:
    """Six nodes' servers and one bare one."""
    message = Chunk(data=os.urandom(MESSAGE_BYTES))
    authority = CertificateAuthority.create(DOMAIN, int(time.time()))
    hub = _files(setting.folder, authority, HUB)
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(_node(hub, holder, setting.folder, authority))
            for holder in HOLDER_IDS
        ]
        tls = _files(setting.folder, authority, HOLDER_IDS[0])
        bare_echo: Any = await stack.enter_async_context(_bare(hub, tls, HOLDER_IDS[0]))

        async def fan_out() -> None:
            await asyncio.gather(*(c.unary(ECHO, message, Chunk) for c in channels))

        async def bare() -> None:
            await bare_echo(message)

        yield {
            "network.echo": Pair(Side(lambda: channels[0].unary(ECHO, message, Chunk)), Side(bare)),
            "network.fanout": Pair(Side(fan_out), Side(bare)),
            "network.fanout_rate": Pair(_at_once(fan_out), _at_once(bare)),
        }


def _at_once(call: Call) -> Side:
    async def run() -> None:
        await asyncio.gather(*(call() for _ in range(AT_ONCE)))

    return Side(run, AT_ONCE)


async def _echo(request: Chunk, context: object) -> Chunk:
    return request


def _register(server: grpc.aio.Server) -> None:
    handler = grpc.unary_unary_rpc_method_handler(_echo, Chunk.FromString, Chunk.SerializeToString)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"Echo": handler}),)
    )


@asynccontextmanager
async def _node(
    hub: TlsFiles, holder: SpiffeId, folder: Path, authority: CertificateAuthority
) -> AsyncIterator[Channel]:
    """A node's server with its interceptors, and the hub's channel to it."""
    server = build_server(
        address=f"{LOOPBACK}:0",
        tls=_files(folder, authority, holder),
        own=holder,
        trust_domains=[DOMAIN],
        roles={ECHO: frozenset({Role.HUB})},
        register=[_register],
        services=[SERVICE],
    )
    await server.start()
    try:
        async with Channel(holder, f"{LOOPBACK}:{server.port}", hub) as channel:
            yield channel
    finally:
        await server.stop(0)


@asynccontextmanager
async def _bare(hub: TlsFiles, tls: TlsFiles, own: SpiffeId) -> AsyncIterator[object]:
    """The echo of a server of gRPC alone: same certificates, no interceptor."""
    material = tls.load()
    server = grpc.aio.server()
    _register(server)
    credentials = grpc.ssl_server_credentials(
        [(material.private_key, material.certificates)],
        root_certificates=material.authorities,
        require_client_auth=True,
    )
    port = server.add_secure_port(f"{LOOPBACK}:0", credentials)
    await server.start()
    try:
        async with grpc.aio.secure_channel(
            f"{LOOPBACK}:{port}", hub.load().channel_credentials(), options=peer_options(own)
        ) as channel:
            yield channel.unary_unary(ECHO, Chunk.SerializeToString, Chunk.FromString)
    finally:
        await server.stop(0)


def _files(folder: Path, authority: CertificateAuthority, party: SpiffeId) -> TlsFiles:
    files = TlsFiles(
        folder / f"{party.name}.pem", folder / f"{party.name}.key", folder / "authority.pem"
    )
    if not files.private_key.exists():
        key = new_tls_key()
        write_secret(files.private_key, tls_key_to_pem(key))
        files.certificates.write_bytes(
            authority.issue_tls(make_csr(key), party, int(time.time()), 1, [dns_name(party)])
        )
        files.authorities.write_bytes(authority.certificate_pem)
    return files


GROUP = Group("network", ROWS_OF_GROUP, prepare)
