"""The log's HTTPS server, in the node's own process and event loop."""

from __future__ import annotations

from typing import Final

import structlog
from starlette.applications import Starlette

from federation.identity import SpiffeId
from node.errors import NodeError
from node.http_server import HttpServer
from node.log.http.protocol import MutualTlsProtocol
from node.log.http.tls import server_context
from node.rpc.tls import TlsError, TlsFiles

KEEP_ALIVE: Final = 75
"""Seconds; longer than clients keep a connection, so that none is closed under a request."""
MAX_REQUESTS_AT_ONCE: Final = 256

_log = structlog.get_logger(__name__)


class LogServer(HttpServer):
    """Bound when it is made; serves until cancelled, then finishes the requests it has."""

    def __init__(
        self, app: Starlette, address: str, tls: TlsFiles, own: SpiffeId, shutdown: float
    ) -> None:
        """`shutdown` is what running requests have to finish, in seconds.

        Raises TlsError as `node.rpc.server.build_server`, NodeError when it cannot listen.
        """
        context = server_context(tls, own, _tell_reload)
        try:
            super().__init__(
                app,
                address,
                shutdown,
                http=MutualTlsProtocol,
                ssl_context_factory=lambda *_: context,
                limit_concurrency=MAX_REQUESTS_AT_ONCE,
                timeout_keep_alive=KEEP_ALIVE,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise NodeError(
                f"tlog.listen: cannot listen on {address} ({reason}): is the port in use?"
            ) from error


def _tell_reload(error: TlsError) -> None:
    _log.warning("certificate files changed but do not fit; the old ones stay", error=str(error))
