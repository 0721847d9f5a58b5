"""A node's gRPC server: interceptors, limits, health, reflection and the order of shutdown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection

from federation.identity import Role, SpiffeId
from node.errors import NodeError
from node.rpc.around import AroundInterceptor
from node.rpc.errors import FailureObserver
from node.rpc.failures import FailureInterceptor
from node.rpc.identity import IdentityInterceptor
from node.rpc.tls import TlsError, TlsFiles, server_credentials

_log = structlog.get_logger(__name__)

MAX_MESSAGE_BYTES = 4 * 1024 * 1024

Register = Callable[[grpc.aio.Server], object]
"""Adds one servicer: `lambda server: add_HubServicer_to_server(servicer, server)`."""
Stopped = Callable[[], Awaitable[None]]


class ServerError(NodeError):
    """The server cannot be set up or bound."""


@dataclass(frozen=True)
class ServerLimits:
    """Sizes in bytes, times in seconds.

    `calls` bounds the handlers that run at once, over all connections: further calls are answered
    RESOURCE_EXHAUSTED. One bank has at most half of them, one holder a quarter, one enterprise a
    sixty-fourth. `connection_age` makes peers connect anew, so that a certificate that was
    replaced or has expired is noticed; running calls have `connection_grace` to finish.
    """

    message_bytes: int = MAX_MESSAGE_BYTES
    metadata_bytes: int = 16 * 1024
    streams: int = 128
    calls: int = 512
    keepalive: float = 60.0
    keepalive_timeout: float = 20.0
    least_ping_interval: float = 10.0
    connection_age: float = 1800.0
    connection_grace: float = 600.0

    def most(self) -> dict[Role, int]:
        """The most calls of one caller at once, by its role."""
        parts = {Role.BANK: 2, Role.HOLDER: 4, Role.ENTERPRISE: 64}
        return {role: max(1, self.calls // part) for role, part in parts.items()}

    def options(self) -> tuple[tuple[str, int], ...]:
        """As gRPC's server arguments."""
        return (
            ("grpc.max_receive_message_length", self.message_bytes),
            ("grpc.max_send_message_length", self.message_bytes),
            ("grpc.max_metadata_size", self.metadata_bytes),
            ("grpc.absolute_max_metadata_size", self.metadata_bytes),
            ("grpc.max_concurrent_streams", self.streams),
            ("grpc.keepalive_time_ms", _ms(self.keepalive)),
            ("grpc.keepalive_timeout_ms", _ms(self.keepalive_timeout)),
            ("grpc.keepalive_permit_without_calls", 1),
            # gRPC's default of five minutes would disconnect clients that use keepalive.
            ("grpc.http2.min_ping_interval_without_data_ms", _ms(self.least_ping_interval)),
            ("grpc.max_connection_age_ms", _ms(self.connection_age)),
            ("grpc.max_connection_age_grace_ms", _ms(self.connection_grace)),
            # Two servers on one port would share its connections silently.
            ("grpc.so_reuseport", 0),
        )


@dataclass
class RpcServer:
    """A server that is bound, and its lifecycle. Made by `build_server`."""

    port: int
    _server: grpc.aio.Server
    _health: Any
    _services: tuple[str, ...]
    _stopped: tuple[Stopped, ...] = field(default=())

    async def start(self) -> None:
        """Accepts calls; every service is reported as serving."""
        await self._server.start()
        await self.set_all_serving(serving=True)

    async def set_all_serving(self, *, serving: bool) -> None:
        """What health answers for the whole node and each of its services."""
        for service in ("", *self._services):
            await self.set_serving(service, serving=serving)

    async def set_serving(self, service: str, *, serving: bool) -> None:
        """What health answers for `service` (full protobuf name, or `""` for the whole node)."""
        status = health_pb2.HealthCheckResponse.ServingStatus
        await self._health.set(service, status.SERVING if serving else status.NOT_SERVING)

    async def stop(self, grace: float = 10.0) -> None:
        """Health first, then the calls within `grace` seconds, then what they depend on.

        The callbacks run in the order given, each even if one before it fails; the first failure
        is raised at the end. The transparency log belongs last: no call may outlive it.
        """
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)
        failures: list[Exception] = []
        for stopped in self._stopped:
            try:
                await stopped()
            except Exception as error:  # told below, after the others have run
                failures.append(error)
        if failures:
            raise failures[0]

    async def wait(self) -> None:
        """Until the server has stopped."""
        await self._server.wait_for_termination()


def build_server(
    *,
    address: str,
    tls: TlsFiles,
    own: SpiffeId,
    trust_domains: Collection[str],
    roles: Mapping[str, frozenset[Role]],
    register: Sequence[Register],
    services: Sequence[str],
    allowed: Collection[SpiffeId] | None = None,
    limits: ServerLimits | None = None,
    identity: IdentityInterceptor | None = None,
    authorities: Callable[[], bytes] | None = None,
    interceptors: Sequence[AroundInterceptor] = (),
    observe: FailureObserver | None = None,
    stopped: Sequence[Stopped] = (),
) -> RpcServer:
    """A server bound to `address` (`host:port`, port 0 for any) that does not accept calls yet.

    `roles` says who may call which method (`node.rpc.identity`), `services` are the full protobuf
    names for health and reflection. `identity` takes the place of the check of callers by
    `trust_domains`, `roles` and `allowed`, `authorities` that of the file of authorities, as
    `server_credentials` has it. `interceptors` (metrics, tracing) see every call, refused ones too,
    but not how a failure is told. Has to be called in the event loop that will serve.

    Raises TlsError, also for a certificate of another party or without the host name by which
    clients know `own`; ServerError when the address cannot be bound or a method of `roles` belongs
    to none of the services.
    """
    tls.load().check_server(own)
    strays = [name for name in roles if name.split("/")[1] not in services]
    if strays:
        raise ServerError(f"roles: {', '.join(strays)} belong to none of the services")
    limits = limits or ServerLimits()
    chain = (
        FailureInterceptor(own, observe),
        *interceptors,
        identity
        or IdentityInterceptor(
            trust_domains=trust_domains, roles=roles, allowed=allowed, most=limits.most()
        ),
    )
    server = grpc.aio.server(
        interceptors=chain, options=limits.options(), maximum_concurrent_rpcs=limits.calls
    )
    for add in register:
        add(server)
    reporter = health.aio.HealthServicer()  # type: ignore[attr-defined]  # not in the stubs
    add_HealthServicer_to_server(reporter, server)
    reflection.enable_server_reflection(
        (*services, health.SERVICE_NAME, reflection.SERVICE_NAME), server
    )
    credentials = server_credentials(tls, _tell_reload, authorities)
    try:
        port = server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise ServerError(f"cannot listen on {address}: is the port in use?") from error
    return RpcServer(port, server, reporter, tuple(services), tuple(stopped))


def _tell_reload(error: TlsError) -> None:
    _log.warning("certificate files changed but do not fit; the old ones stay", error=str(error))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
