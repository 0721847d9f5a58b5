"""The REST interface's server, in the node's own process and event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from node.bank.api.app import build_app
from node.bank.api.gate import Gate
from node.bank.api.runs import BatchRuns
from node.bank.bank import Bank
from node.bank.errors import BankError
from node.bank.jobs import Jobs
from node.bank.texts import Code
from node.bank.tokens import Tokens

BACKLOG = 256


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the node has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ApiServer:
    """Serves until cancelled, then finishes the requests it has."""

    def __init__(self, bank: Bank) -> None:
        """Binds the address of the configuration. Raises BankError when it cannot."""
        config = bank.agent.config
        self.jobs = Jobs(bank)
        self.runs = BatchRuns(bank)
        tokens = Tokens.of(config)
        self._socket = _bind(config.api.listen)
        self._server = _Server(
            uvicorn.Config(
                Gate(
                    build_app(bank, self.jobs, self.runs, tokens),
                    tokens,
                    bank.agent.runtime.transparency.publisher.require,
                ),
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=True,
                lifespan="off",
                ws="none",
                limit_concurrency=config.limits.concurrent_calls,
                ssl_certfile=config.api.certificate,
                ssl_keyfile=config.api.key,
                timeout_graceful_shutdown=round(config.deadlines.shutdown),
            )
        )

    @property
    def port(self) -> int:
        """The port it got."""
        return int(self._socket.getsockname()[1])

    async def serve(self) -> None:
        """Runs until cancelled. Interrupted batches are continued first."""
        await self.runs.resume()
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        try:
            await asyncio.shield(serving)
        finally:
            self._server.should_exit = True
            await self.jobs.stop()
            await self.runs.stop()
            await serving


def _bind(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BankError(Code.API_UNUSABLE, "api.listen", address=address, reason=reason) from error
