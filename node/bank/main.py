"""Builds a bank's agent: REST interface, copy of the chain, and what it does by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from federation.errors import FederationError
from node.bank.api.server import ApiServer
from node.bank.bank import Bank
from node.bank.indexing import index_all
from node.bank.pages import add_pages
from node.bank.pages.desk import Desk
from node.bank.records import Model
from node.config import BankConfig
from node.errors import NodeError
from node.models.production.keeping import watch_daily
from node.pages.serving import add_site
from node.runtime import SYNC_SECONDS, Runtime
from scoring.documents import Text
from scoring.errors import ScoringError

UPKEEP_SECONDS = 15.0

_log = structlog.get_logger(__name__)


async def build(runtime: Runtime[BankConfig], *, prepare: bool = False) -> None:
    """Adds the agent to a node. With `prepare` it prepares new epochs by itself."""
    bank = Bank(runtime)
    server = ApiServer(bank)
    # A bank is called by nobody over gRPC; health and reflection are there as at every node.
    runtime.add_server(runtime.config.listen, {}, lambda _: None)
    runtime.tasks.append(bank.agent.sync.keep(SYNC_SECONDS))
    runtime.tasks.append(bank.agent.chains.keep_peers())
    runtime.transparency.directory = bank.agent.sync
    runtime.tasks.append(server.serve())
    runtime.tasks.append(_upkeep(bank, prepare=prepare))
    desk = Desk(bank, server.jobs, server.runs)
    runtime.tasks.append(desk.works.keep())
    add_site(runtime, Text(zh="银行端", en="Bank"), lambda site: add_pages(site, desk))
    _log.info("interface", port=server.port)


async def _upkeep(bank: Bank, *, prepare: bool) -> None:
    """Reports what the regulator has not heard, erases what is over, prepares what is new."""
    await _guarded(index_all(bank.agent, bank.queries, bank.joint))
    while True:
        works: list[Coroutine[Any, Any, object]] = [
            bank.failures.deliver(),
            bank.preparation.erase_closed(),
            watch_daily(bank),
        ]
        if prepare:
            works.append(_prepare_all(bank))
        for work in works:
            await _guarded(work)
        await asyncio.sleep(UPKEEP_SECONDS)


async def _prepare_all(bank: Bank) -> None:
    """Every bucket of every open epoch, for every model that is valid and not withdrawn."""
    agent = bank.agent
    for digest, *_ in await agent.read(agent.records.models):
        # Each by itself: a chain that is away holds no other one up.
        await _guarded(_prepare(bank, await agent.model_of(digest)))


async def _prepare(bank: Bank, model: Model) -> None:
    view = await bank.agent.chains.view(model.chain)
    if await bank.queries.targets.is_valid(view, model):
        await bank.installation.install(model)
        for epoch in await bank.sessions.epochs(model):
            await bank.preparation.prepare(model, epoch)


async def _guarded(work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except (NodeError, FederationError, ScoringError) as error:
        _log.warning("upkeep", error=str(error))
