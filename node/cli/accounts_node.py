"""The same commands for a member's node, which names its place by `--config`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.accounts import accounts_app
from node.config import NodeConfig, load

if TYPE_CHECKING:
    from node.pages.accounts.administration import Accounts

Config = Annotated[
    Path, typer.Option("--config", help="The node's configuration. / 节点配置", show_default=True)
]


def node_accounts(role: type[NodeConfig]) -> typer.Typer:
    """`accounts` of that role."""

    @asynccontextmanager
    async def opening(config: Path) -> AsyncIterator[tuple[Accounts, str]]:
        from node.pages.accounts.build import accounts_of
        from node.runtime import running

        loaded = load(role, config)
        async with running(loaded) as runtime:
            port = (loaded.pages.listen or "").rpartition(":")[2] or 0
            listens = loaded.pages.listen is not None or loaded.pages.url is not None
            yield accounts_of(runtime), loaded.pages.address(int(port)) if listens else ""

    return accounts_app(Config, Path("node.toml"), opening)
