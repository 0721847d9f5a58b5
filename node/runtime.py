"""A node's process: what every role starts, in order, and ends, in order.

The database is opened and brought up to date, then workers are spawned, then the role builds its
servers and tasks. On SIGTERM or SIGINT the servers stop taking calls and finish those
they have, tasks end, the writer commits what waits, and the workers end last.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import math
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy import Connection

from federation.entries import Kind, Logged, entry, promise
from federation.errors import FederationError
from federation.identity import Role, SpiffeId
from federation.membership import Members
from federation.signed import Signed
from node.chain import ChainStore, ChainSync
from node.clock import Clock, SystemClock
from node.config import NodeConfig, PeerConfig
from node.errors import NodeError
from node.identity import NodeIdentity, load_identity
from node.log import QueryLog
from node.log.gate import WitnessGate
from node.log.transparency import Transparency
from node.observability import logging
from node.observability.metrics import NodeMetrics
from node.observability.tracing import Tracing, configure_tracing
from node.replicas import Processes, processes_of
from node.rpc.client import Channel, ChannelLimits
from node.rpc.errors import Failure
from node.rpc.identity import IdentityInterceptor, peer
from node.rpc.observe import MetricsInterceptor, TracingInterceptor
from node.rpc.server import Register, RpcServer, ServerLimits, build_server
from node.rpc.tls import TlsFiles
from node.storage import Store
from node.workers.pool import WorkerPool

C = TypeVar("C", bound=NodeConfig)

_log = structlog.get_logger(__name__)

SYNC_SECONDS = 5.0
HEALTH_SECONDS = 1.0
ALIVE_SECONDS = 5.0


@dataclass
class Runtime(Generic[C]):
    """What a role's code works with."""

    config: C
    identity: NodeIdentity
    clock: Clock
    store: Store
    log: QueryLog
    chain: ChainStore
    pool: WorkerPool
    metrics: NodeMetrics
    tracing: Tracing
    synthetic: bool = False
    """Whether firms, data and time are made up, as pages then say: in a sandbox."""
    processes: Processes = field(init=False)
    """Of this node, this one among them."""
    transparency: Transparency = field(init=False)
    servers: list[RpcServer] = field(default_factory=list)
    tasks: list[Coroutine[Any, Any, None]] = field(default_factory=list)
    alive_at: float = -math.inf
    """When the event loop last had its turn, by the monotonic clock."""
    ending: bool = False
    closing: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    """Called in order after the servers stopped: channels to close, other servers to end."""

    def __post_init__(self) -> None:
        self.processes = processes_of(self.config, self.identity, self.store)
        self.transparency = Transparency(
            self.config,
            self.identity,
            self.store,
            self.clock,
            self.members,
            self.refused,
            self.processes,
        )

    @property
    def answers(self) -> bool:
        """Whether the node answers now: its log can be written, and is witnessed."""
        return self.store.healthy and self.transparency.publisher.answers

    @property
    def ready(self) -> bool:
        """Whether this process can take calls, be there another one of the node or not.

        A log that is not witnessed is that of all of them, and no reason to send calls elsewhere:
        by what a node still answers then, its witnesses find it again.
        """
        alive = time.monotonic() - self.alive_at < ALIVE_SECONDS
        return alive and not self.ending and self.store.healthy

    def tls(self) -> TlsFiles:
        """The node's TLS files."""
        tls = self.config.tls
        return TlsFiles(tls.certificate, tls.key, tls.ca)

    def channel(self, party: SpiffeId, address: str) -> Channel:
        """A channel to another member, closed with the node."""
        deadlines = self.config.deadlines
        limits = ChannelLimits(
            deadline=deadlines.query,
            stream_deadline=deadlines.prepare,
            connect=deadlines.connect,
        )
        channel = Channel(party, address, self.tls(), limits)
        self.closing.append(channel.close)
        return channel

    def peer_channel(self, role: Role, peer_config: PeerConfig) -> Channel:
        """A channel to a configured peer of that role in this chain."""
        party = SpiffeId(self.config.trust_domain, role, peer_config.name)
        return self.channel(party, peer_config.address)

    def follow_chain(self, hub: Channel) -> ChainSync:
        """Keeps the copy of the chain up to date while the node runs."""
        sync = ChainSync(hub, self.chain, self.store, self.log, self.clock)
        self.tasks.append(sync.keep(SYNC_SECONDS))
        self.transparency.directory = sync
        # Before the channel it pulls over, which was made before it.
        self.closing.insert(0, sync.close)
        return sync

    def add_server(
        self,
        address: str,
        roles: Mapping[str, frozenset[Role]],
        register: Register,
        *,
        tls: TlsFiles | None = None,
        trust_domain: str | None = None,
        identity: IdentityInterceptor | None = None,
        authorities: Callable[[], bytes] | None = None,
    ) -> None:
        """A gRPC server of the node. `roles` says who may call which method, by full name.

        Refusals go into the query log before the other side hears of them. `tls` and
        `trust_domain` are the node's and the chain's own unless given; `identity` and
        `authorities` as `build_server` has them.
        """
        self.servers.append(
            build_server(
                address=address,
                tls=tls or self.tls(),
                own=self.identity.id,
                trust_domains=[trust_domain or self.config.trust_domain],
                roles=roles,
                register=[register],
                interceptors=[
                    MetricsInterceptor(self.metrics),
                    TracingInterceptor(self.tracing),
                    WitnessGate(self.transparency.publisher.require),
                ],
                services=sorted({name.split("/")[1] for name in roles}),
                limits=ServerLimits(
                    message_bytes=self.config.limits.message_bytes,
                    calls=self.config.limits.concurrent_calls,
                ),
                identity=identity,
                authorities=authorities,
                observe=self._observe,
            )
        )

    async def members(self) -> Members:
        """The chain's members now."""
        now = self.clock.now()
        return await self.store.read(lambda connection: self.chain.members(connection, now))

    def append(self, connection: Connection, kind: Kind, raw: bytes) -> None:
        """Writes an entry within a unit of work."""
        self.log.append(connection, kind, self.clock.now(), raw)

    def logged(self, document: Signed, raw_entry: bytes) -> Logged:
        """A document with its durable entry and this node's promise for it."""
        signed = promise(self.identity.id, raw_entry, self.identity.signing, self.clock.now())
        return Logged(document, raw_entry, signed)

    async def _observe(self, method: str, failure: Failure, error: Exception) -> None:
        """Counts a failed call, and writes a refusal into the query log.

        Only refusals of this node: what another node refused stands in that one's log.
        """
        self.metrics.failed(method, failure.code.name, failure.reason)
        if not isinstance(error, FederationError):
            return
        caller: SpiffeId | None = None
        with contextlib.suppress(NodeError):  # refused before it was known who calls
            caller = peer()
        name = method.rpartition("/")[2]
        await self.refused(caller, name, failure.reason, failure.reference, {})

    async def refused(
        self,
        caller: SpiffeId | None,
        method: str,
        reason: str,
        reference: str,
        more: Mapping[str, str],
    ) -> None:
        """Writes a refusal into the query log; returns once it is durable.

        An enterprise's id is its code, which no log may hold: such a caller stays unnamed.
        """
        unnamed = caller is None or caller.role is Role.ENTERPRISE
        raw = entry(
            Kind.REFUSAL,
            self.clock.now(),
            reason=reason,
            caller="" if unnamed else str(caller),
            method=method,
            reference=reference,
            **more,
        )
        await self.store.run(lambda connection: self.append(connection, Kind.REFUSAL, raw))


Builder = Callable[[Runtime[C]], Awaitable[None]]
"""A role: it appends its servers, tasks and closers to the runtime."""


def serve(config: C, build: Builder[C], *, sandbox: Clock | None = None) -> None:
    """Runs a node until SIGTERM or SIGINT. Raises NodeError when it cannot start.

    It goes by the machine's clock, unless it is of a `sandbox`, whose clock is given: only
    `node.demo.sandbox` does that, and no command or configuration can.
    """
    logging.configure(config.log.level, config.log.format)
    asyncio.run(_serve(config, build, sandbox))


@contextlib.asynccontextmanager
async def running(
    config: C,
    *,
    workers: int | None = None,
    clock: Clock | None = None,
    serving: bool = False,
    synthetic: bool = False,
) -> AsyncIterator[Runtime[C]]:
    """The parts of a node without its servers: for commands that work on the node's state.

    Unless it is `serving`, and joins them, it has to fit to the processes that serve.
    """
    clock = clock or SystemClock()
    identity = load_identity(config, clock.now())
    config.create_data_dir()
    pool = WorkerPool(config.workers if workers is None else workers)
    database = config.database
    store = await asyncio.to_thread(
        Store.open,
        config.database_url(),
        pool=database.pool,
        batch=database.batch,
        waiting=database.queue,
    )
    try:
        log, chain = QueryLog(store), ChainStore(store, identity.root)
        metrics = NodeMetrics(config.role.value)
        tracing = configure_tracing(config.role.value, config.tracing.endpoint)
        runtime = Runtime(
            config, identity, clock, store, log, chain, pool, metrics, tracing, synthetic
        )
        try:
            await (runtime.processes.join() if serving else runtime.processes.check())
            yield runtime
        finally:
            for task in runtime.tasks:
                # A command runs none of them, nor does a node that cannot be built.
                if inspect.getcoroutinestate(task) == inspect.CORO_CREATED:
                    task.close()
            for close in runtime.closing:
                await close()
            await runtime.processes.close()
            await asyncio.to_thread(tracing.close)
    finally:
        await pool.stop()
        await asyncio.to_thread(store.close)


async def _serve(config: C, build: Builder[C], sandbox: Clock | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    synthetic = sandbox is not None
    async with running(config, clock=sandbox, serving=True, synthetic=synthetic) as runtime:
        await runtime.pool.start()
        await build(runtime)
        _serve_metrics(runtime)
        runtime.tasks += await runtime.transparency.listen()
        for server in runtime.servers:
            await server.start()
        runtime.tasks += [_report_health(runtime), runtime.processes.keep()]
        tasks = [asyncio.create_task(task) for task in runtime.tasks]
        _log.info("serving", node=str(runtime.identity.id), listen=config.listen)
        try:
            await _until(stop, tasks)
        finally:
            grace = config.deadlines.shutdown
            runtime.ending = True
            # Together: none takes calls while another finishes its own.
            await asyncio.gather(*(server.stop(grace) for server in runtime.servers))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            _log.info("stopped", node=str(runtime.identity.id))


def _serve_metrics(runtime: Runtime[C]) -> None:
    if runtime.config.metrics.listen is None:
        return
    host, _, port = runtime.config.metrics.listen.rpartition(":")
    runtime.metrics.watch_pool(runtime.pool.state)
    runtime.metrics.watch_log(lambda: runtime.store.read_blocking(QueryLog.size_in))
    runtime.transparency.watch(runtime.metrics)
    server = runtime.metrics.serve(host.strip("[]"), int(port), lambda: runtime.ready)

    async def close() -> None:
        await asyncio.to_thread(server.close)

    runtime.closing.append(close)


async def _report_health(runtime: Runtime[C]) -> None:
    """A node whose log cannot be written, or is not witnessed, answers nothing and says so here."""
    serving = True
    while True:
        runtime.alive_at = time.monotonic()
        await asyncio.sleep(HEALTH_SECONDS)
        now = runtime.answers
        if now != serving:
            serving = now
            for server in runtime.servers:
                await server.set_all_serving(serving=serving)


async def _until(stop: asyncio.Event, tasks: list[asyncio.Task[None]]) -> None:
    """Until told to stop. A task that ends by itself has failed, and the node with it."""
    stopped = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({stopped, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    for task in done - {stopped}:
        await task
