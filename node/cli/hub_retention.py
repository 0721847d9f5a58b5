"""`yinxin hub retention`: erasing what the hub keeps of firms after the legal term."""

from __future__ import annotations

import asyncio
import getpass
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from node.cli.output import AsJson, emit, fail
from node.config import HubConfig, load
from node.hub.retention import Erased, erase_before
from node.runtime import running

app = typer.Typer(no_args_is_help=True, help="What is erased after the legal term. / 到期销毁")


@app.command("erase")
def erase(
    before: Annotated[
        str, typer.Option(metavar="YYYY-MM", help="Erase the months before this one. / 早于该月")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking. / 不再询问")] = False,
    config: Annotated[
        Path, typer.Option("--config", help="The node's configuration. / 节点配置")
    ] = Path("node.toml"),
    as_json: AsJson = False,
) -> None:
    """Erase consents, permits and lists of uses; the log stays. / 销毁到期授权与许可，日志不变"""
    try:
        moment = datetime.strptime(before, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        fail(f"--before {before}: write it as 2026-11", code=2)
    if not yes:
        if not sys.stdin.isatty():
            fail("nobody is there to ask; add --yes")
        question = f"Erase what is of months before {before}? / 销毁 {before} 之前的内容？"
        if not typer.confirm(question, err=True):
            fail("nothing was erased")

    async def work() -> Erased:
        async with running(load(HubConfig, config), workers=1) as hub:
            return await erase_before(hub, moment.year * 100 + moment.month, getpass.getuser())

    emit(asdict(asyncio.run(work())), as_json)
