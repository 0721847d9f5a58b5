"""The REST interface's server, in the node's own process and event loop."""

from __future__ import annotations

from node.bank.api.app import build_app
from node.bank.api.gate import Gate
from node.bank.api.runs import BatchRuns
from node.bank.bank import Bank
from node.bank.errors import BankError
from node.bank.jobs import Jobs
from node.bank.texts import Code
from node.bank.tokens import Tokens
from node.http_server import HttpServer


class ApiServer:
    """Serves until cancelled, then finishes the requests it has."""

    def __init__(self, bank: Bank) -> None:
        """Binds the address of the configuration. Raises BankError when it cannot."""
        config = bank.agent.config
        self.jobs = Jobs(bank)
        self.runs = BatchRuns(bank)
        tokens = Tokens.of(config)
        gate = Gate(
            build_app(bank, self.jobs, self.runs, tokens),
            tokens,
            bank.agent.runtime.transparency.publisher.require,
        )
        address = config.api.listen
        try:
            self._server = HttpServer(
                gate,
                address,
                config.deadlines.shutdown,
                limit_concurrency=config.limits.concurrent_calls,
                ssl_certfile=config.api.certificate,
                ssl_keyfile=config.api.key,
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise BankError(
                Code.API_UNUSABLE, "api.listen", address=address, reason=reason
            ) from error

    @property
    def port(self) -> int:
        """The port it got."""
        return self._server.port

    async def serve(self) -> None:
        """Runs until cancelled. Interrupted batches are continued first."""
        await self.runs.resume()
        await self._server.serve(self._stop)

    async def _stop(self) -> None:
        await self.jobs.stop()
        await self.runs.stop()
