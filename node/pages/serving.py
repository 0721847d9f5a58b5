"""Puts a role's pages on the network: accounts at the door, the server among the node's tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from node.config import NodeConfig, PagesConfig
from node.pages.accounts.build import accounts_of, gate_of
from node.pages.accounts.gatekeeper import AccountGate
from node.pages.server import PagesServer
from node.pages.site import Site
from node.runtime import Runtime
from scoring.documents import Text

_log = structlog.get_logger(__name__)


def pages_server(
    gate: AccountGate,
    config: PagesConfig,
    title: Text,
    add_pages: Callable[[Site], None],
    *,
    own: str,
    chain: str,
    require: Callable[[], None],
    synthetic: bool = False,
    shutdown: float = 15.0,
) -> PagesServer | None:
    """The server of a site with these accounts at the door, listening; None without an address.

    An enterprise's agent calls it with `node.pages.accounts.embedded.agent_accounts`. Raises
    NodeError when it cannot listen.
    """
    if config.listen is None:
        return None
    accounts = gate.parts.accounts
    site = Site(
        title=title,
        own=own,
        chain=chain,
        duties=accounts.duties,
        clock=accounts.clock,
        gatekeeper=gate,
        require=require,
        hosts=config.hosts(),
        synthetic=synthetic,
        tls=(config.url or "").startswith("https:") or config.certificate is not None,
    )
    add_pages(site)
    gate.add_sections(site)
    server = PagesServer(site, config.listen, config.certificate, config.key, shutdown)
    gate.parts.address = config.address(server.port)
    _log.info("pages", address=config.address(server.port))
    return server


def add_site(runtime: Runtime[Any], title: Text, add_pages: Callable[[Site], None]) -> None:
    """Adds the pages of a node to its runtime, if its configuration has an address for them.

    `title` is what the site is; `add_pages` adds the role's own. Raises NodeError when it cannot
    listen there.
    """
    config: NodeConfig = runtime.config
    server = pages_server(
        gate_of(accounts_of(runtime), config.pages),
        config.pages,
        title,
        add_pages,
        own=config.name,
        chain=config.chain,
        require=runtime.transparency.publisher.require,
        synthetic=runtime.synthetic,
        shutdown=config.deadlines.shutdown,
    )
    if server is not None:
        runtime.tasks.append(server.serve())
