"""The agent as a process on the firm's machine: its pages on loopback, and what runs beside them.

It takes no calls of anybody but the firm's own browser. It looks by itself who asked, and what
became of disputes: often enough to be of use, and well below what a hub relays for a firm in a day.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from federation.errors import FederationError
from node.clock import Clock, SystemClock
from node.config.pages import LOOPBACK, PagesConfig
from node.enterprise.agent import Agent
from node.enterprise.asking import fetch_uses
from node.enterprise.disputing import look_up_all
from node.enterprise.errors import EnterpriseError
from node.enterprise.home import EnterpriseHome
from node.enterprise.pages import TITLE, add_pages
from node.enterprise.pages.members import MemberBook
from node.errors import NodeError
from node.pages.accounts.build import gate_of
from node.pages.accounts.embedded import agent_accounts
from node.pages.serving import pages_server

_log = structlog.get_logger(__name__)

USES_SECONDS: Final = 60.0
DISPUTES_SECONDS: Final = 7_200.0
SHUTDOWN_SECONDS: Final = 5.0


async def serve_agent(
    folder: Path,
    listen: str,
    tell: Callable[[str], None],
    clock: Clock | None = None,
    *,
    synthetic: bool = False,
) -> None:
    """Serves the pages in a firm's folder until SIGTERM or SIGINT; `tell` hears their address.

    Raises EnterpriseError for an address that is not on loopback, else NodeError.
    """
    if listen.rpartition(":")[0] not in LOOPBACK:
        raise EnterpriseError(f"listen: {listen!r} is not on this machine; give 127.0.0.1:PORT")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    clock, home = clock or SystemClock(), EnterpriseHome(folder)
    firm, config = home.load(clock.now()), PagesConfig(listen=listen)
    async with agent_accounts(folder, firm.uscc, clock) as accounts:
        agent = Agent(home, accounts.store, accounts.key, clock)
        book = MemberBook(agent)
        gate = gate_of(accounts, config)
        server = pages_server(
            gate,
            config,
            TITLE,
            lambda site: add_pages(site, agent, book),
            own=firm.uscc,
            chain=", ".join(agent.links()) or "–",
            require=lambda: None,
            synthetic=synthetic,
            shutdown=SHUTDOWN_SECONDS,
        )
        if server is None:
            raise EnterpriseError("listen: no address is given; give 127.0.0.1:PORT")
        tell(config.address(server.port))
        tasks = [
            asyncio.create_task(server.serve()),
            asyncio.create_task(keep_uses(agent, book)),
            asyncio.create_task(keep_disputes(agent)),
        ]
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({stopped, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in (stopped, *tasks):
            task.cancel()
        await asyncio.gather(stopped, *tasks, return_exceptions=True)
        for task in done - {stopped}:
            await task


async def keep_uses(agent: Agent, book: MemberBook) -> None:
    """Fetches who asked, and the members' names, every minute until cancelled."""
    while True:
        try:
            await book.all()
            for one in await fetch_uses(agent):
                _log.warning("queries not fetched", chain=one.chain, error=one.problem)
        except (NodeError, FederationError) as error:
            _log.warning("queries not fetched", error=str(error))
        await asyncio.sleep(USES_SECONDS)


async def keep_disputes(agent: Agent) -> None:
    """Looks for answers to disputes every two hours until cancelled."""
    while True:
        try:
            await look_up_all(agent)
        except (NodeError, FederationError) as error:
            _log.warning("disputes not looked up", error=str(error))
        await asyncio.sleep(DISPUTES_SECONDS)
