"""The same commands for an enterprise's own agent, which names its folder by `--dir`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from node.cli.accounts import accounts_app
from node.cli.enterprise_shared import HERE, Directory
from node.clock import SystemClock
from node.observability import logging

if TYPE_CHECKING:
    from node.pages.accounts.administration import Accounts


def enterprise_accounts() -> typer.Typer:
    """`accounts` of the agent."""

    @asynccontextmanager
    async def opening(folder: Path) -> AsyncIterator[tuple[Accounts, str]]:
        from node.enterprise.home import EnterpriseHome
        from node.pages.accounts.embedded import agent_accounts

        # What is recorded of accounts goes to standard error: standard output is the result.
        logging.configure("info", "console")
        clock = SystemClock()
        enterprise = EnterpriseHome(folder).load(clock.now())
        async with agent_accounts(folder, enterprise.uscc, clock) as accounts:
            yield accounts, ""

    return accounts_app(Directory, HERE, opening)
