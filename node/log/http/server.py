"""The log's HTTPS server, in the node's own process and event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette

from federation.identity import SpiffeId
from node.errors import NodeError
from node.log.http.protocol import MutualTlsProtocol
from node.log.http.tls import server_context
from node.rpc.tls import TlsError, TlsFiles

BACKLOG: Final = 256
KEEP_ALIVE: Final = 75
"""Seconds; longer than clients keep a connection, so that none is closed under a request."""
MAX_REQUESTS_AT_ONCE: Final = 256

_log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the node has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class LogServer:
    """Bound when it is made; serves until cancelled, then finishes the requests it has."""

    def __init__(
        self, app: Starlette, address: str, tls: TlsFiles, own: SpiffeId, shutdown: float
    ) -> None:
        """`shutdown` is what running requests have to finish, in seconds.

        Raises TlsError as `node.rpc.server.build_server`, NodeError when it cannot listen.
        """
        context = server_context(tls, own, _tell_reload)
        self._socket = _bind(address)
        self._server = _Server(
            uvicorn.Config(
                app,
                http=MutualTlsProtocol,
                ssl_context_factory=lambda *_: context,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                ws="none",
                limit_concurrency=MAX_REQUESTS_AT_ONCE,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=max(1, round(shutdown)),
            )
        )

    @property
    def port(self) -> int:
        """The port it got."""
        return int(self._socket.getsockname()[1])

    async def serve(self) -> None:
        """Runs until cancelled."""
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        try:
            await asyncio.shield(serving)
        finally:
            self._server.should_exit = True
            await serving
            self._socket.close()


def _bind(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    except OSError as error:
        problem = f"tlog.listen: cannot listen on {address} ({error.strerror}): is the port in use?"
        raise NodeError(problem) from error


def _tell_reload(error: TlsError) -> None:
    _log.warning("certificate files changed but do not fit; the old ones stay", error=str(error))
