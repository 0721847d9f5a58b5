"""uvicorn in the node's own process and event loop: for REST interface, log and pages."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import uvicorn

BACKLOG: Final = 256


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the node has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _nothing() -> None:
    pass


class HttpServer:
    """Bound when it is made; serves until cancelled, then finishes the requests it has."""

    def __init__(self, app: Any, address: str, shutdown: float, **settings: Any) -> None:
        """`address` is HOST:PORT, `shutdown` what running requests have to finish, in seconds;
        `settings` are uvicorn's. Raises OSError when it cannot listen.
        """
        self._socket = _bind(address)
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=max(1, round(shutdown)),
                **settings,
            )
        )

    @property
    def port(self) -> int:
        """The port it got."""
        return int(self._socket.getsockname()[1])

    async def serve(self, stop: Callable[[], Awaitable[None]] = _nothing) -> None:
        """Runs until cancelled; `stop` ends what requests may wait for."""
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        try:
            await asyncio.shield(serving)
        finally:
            self._server.should_exit = True
            await stop()
            await serving
            self._socket.close()


def _bind(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
