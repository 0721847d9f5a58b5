"""The pages' server, in the node's own process and event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import uvicorn

from node.errors import NodeError
from node.pages.site import Site

BACKLOG: Final = 256
MOST_REQUESTS: Final = 128


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the node has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class PagesServer:
    """Bound when it is made; serves until cancelled, then finishes the requests it has."""

    def __init__(
        self,
        site: Site,
        address: str,
        certificate: Path | None,
        key: Path | None,
        shutdown: float,
    ) -> None:
        """`shutdown` is what running requests have to finish, in seconds. Raises NodeError when it
        cannot listen.
        """
        self._socket = _bind(address)
        self._server = _Server(
            uvicorn.Config(
                site.app(),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                ws="none",
                limit_concurrency=MOST_REQUESTS,
                ssl_certfile=certificate,
                ssl_keyfile=key,
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
        problem = (
            f"pages.listen: cannot listen on {address} ({error.strerror}): is the port in use?"
        )
        raise NodeError(problem) from error
