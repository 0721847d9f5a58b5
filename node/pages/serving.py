"""Puts a role's pages on the network: accounts at the door, the server among the node's tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from node.config import NodeConfig
from node.pages.accounts.build import accounts_of, gate_of
from node.pages.duties import DUTIES
from node.pages.server import PagesServer
from node.pages.site import Site
from node.runtime import Runtime
from scoring.documents import Text

_log = structlog.get_logger(__name__)


def add_site(runtime: Runtime[Any], title: Text, add_pages: Callable[[Site], None]) -> None:
    """Adds the pages of a node to its runtime, if its configuration has an address for them.

    `title` is what the site is; `add_pages` adds the role's own. Raises NodeError when it cannot
    listen there.
    """
    config: NodeConfig = runtime.config
    pages = config.pages
    if pages.listen is None:
        return
    gate = gate_of(accounts_of(runtime), pages)
    site = Site(
        title=title,
        own=config.name,
        chain=config.chain,
        duties=DUTIES[config.role],
        clock=runtime.clock,
        gatekeeper=gate,
        require=runtime.transparency.publisher.require,
        hosts=pages.hosts(),
        synthetic=runtime.synthetic,
        tls=(pages.url or "").startswith("https:") or pages.certificate is not None,
    )
    add_pages(site)
    gate.add_sections(site)
    server = PagesServer(
        site, pages.listen, pages.certificate, pages.key, config.deadlines.shutdown
    )
    runtime.tasks.append(server.serve())
    _log.info("pages", address=pages.address(server.port))
