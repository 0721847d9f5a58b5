"""Everything of a node's log on the network: its tree, publisher, witness and server.

A role sets `directory`: by it the node finds the other members' logs, and is found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

import structlog

from federation.errors import FederationError
from federation.identity import SpiffeId
from federation.membership import Members
from node.clock import Clock
from node.config import NodeConfig
from node.errors import NodeError
from node.identity import NodeIdentity
from node.log.cosigning import WitnessLink
from node.log.http.app import LogApp, Refused
from node.log.http.client import LogClient
from node.log.http.server import LogServer
from node.log.publishing import Publisher
from node.log.tree import LogTree
from node.log.witnessing import Witness
from node.observability.metrics import NodeMetrics
from node.replicas import Processes
from node.rpc.tls import TlsFiles
from node.storage.store import Store

ANNOUNCE_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class LogDirectory(Protocol):
    """Where members serve their logs."""

    async def announce(self, address: str) -> None:
        """Tells the hub where this node's log is. Raises NodeError."""

    async def addresses(self) -> Mapping[SpiffeId, str]:
        """HOST:PORT of the logs that this node is told of, its own among them."""


class Transparency:
    """One node's log on the network; nothing listens before `listen`."""

    def __init__(
        self,
        config: NodeConfig,
        identity: NodeIdentity,
        store: Store,
        clock: Clock,
        members: Callable[[], Awaitable[Members]],
        refused: Refused,
        processes: Processes,
    ) -> None:
        self._config = config
        self._own = identity.id
        self._clock = clock
        self.directory: LogDirectory | None = None
        self.tree = LogTree(store)
        self.publisher = Publisher(
            store,
            self.tree,
            identity.id,
            identity.signing,
            clock,
            period=config.tlog.period,
            grace=config.tlog.grace,
            members=members,
            addresses=self.addresses,
            connect=self._connect,
            processes=processes,
        )
        self._processes = processes
        witness = Witness(store, identity.id, identity.signing, clock, members)
        self._app = LogApp(identity.id, self.tree, self.publisher, witness, members, refused)

    async def addresses(self) -> Mapping[SpiffeId, str]:
        """Where the members' logs are; nothing is known before the hub was asked."""
        return {} if self.directory is None else await self.directory.addresses()

    def client(self, party: SpiffeId, address: str) -> LogClient:
        """A client for another member's log; whoever makes it closes it."""
        return LogClient(party, address, self._tls(), self._config.deadlines.connect)

    async def listen(self) -> list[Coroutine[Any, Any, None]]:
        """Binds the server; returns the tasks to run. Raises TlsError, NodeError."""
        tlog = self._config.tlog
        server = LogServer(
            self._app.application(),
            tlog.listen,
            self._tls(),
            self._own,
            self._config.deadlines.shutdown,
        )
        await self.publisher.start()
        address = tlog.advertise or f"{tlog.listen.rpartition(':')[0]}:{server.port}"
        _log.info("log", address=address)
        publisher = self.publisher
        return [
            server.serve(),
            publisher.keep(),
            publisher.patrol(),
            self._look(),
            self._announce(address),
        ]

    def watch(self, metrics: NodeMetrics) -> None:
        """The log's metrics: sizes, age, and what its witnesses say."""
        publisher, clock, processes = self.publisher, self._clock, self._processes
        metrics.watch(
            "leads",
            "Whether this process does what the node does only once, such as checkpoints",
            lambda: processes.leads,
        )
        metrics.watch("log_checkpoint_size", "Entries in a checkpoint", lambda: publisher.size)
        metrics.watch(
            "log_cosigned_size",
            "Entries in a checkpoint that a quorum of witnesses cosigned",
            lambda: publisher.cosigned_size,
        )
        metrics.watch(
            "log_checkpoint_age_seconds",
            "Age of the newest checkpoint",
            lambda: max(0, clock.now() - publisher.checkpoint_time),
        )
        metrics.watch(
            "log_witnesses_disagreeing",
            "Witnesses that saw another log of this node",
            lambda: publisher.disagreeing,
        )

    def _tls(self) -> TlsFiles:
        tls = self._config.tls
        return TlsFiles(tls.certificate, tls.key, tls.ca)

    def _connect(self, witness: SpiffeId, address: str) -> WitnessLink:
        return WitnessLink(self.client(witness, address), self.tree.consistency)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.publisher.look()

    async def _announce(self, address: str) -> None:
        """Until the hub tells the others this address, and again whenever it does not."""
        while True:
            try:
                if self.directory is not None:
                    known = await self.directory.addresses()
                    if known.get(self._own) != address:
                        await self.directory.announce(address)
            except (NodeError, FederationError) as error:
                _log.info("log not announced", error=str(error))
            await asyncio.sleep(ANNOUNCE_SECONDS)
