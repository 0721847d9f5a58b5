"""What the regulator's commands share: options, and running on the node's state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from node.config import RegulatorConfig, load
from node.enrolment.folder import CONFIG
from node.regulator.membership import Regulator
from node.runtime import running

T = TypeVar("T")

Config = Annotated[
    Path, typer.Option("--config", help="The node's configuration. / 节点配置", show_default=True)
]
DEFAULT = Path(CONFIG)


def run(config: Path, work: Callable[[Regulator], Coroutine[Any, Any, T]]) -> T:
    """Runs `work` on the node's state, in this process."""
    loaded = load(RegulatorConfig, config)

    async def whole() -> T:
        async with running(loaded, workers=1) as regulator:
            return await work(regulator)

    return asyncio.run(whole())
