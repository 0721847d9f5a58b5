"""`yinxin demo`: a whole credit chain on this machine, or several that are interconnected."""

from __future__ import annotations

import signal
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from node.cli.output import fail

app = typer.Typer(add_completion=False)


class Language(StrEnum):
    """What the demo speaks."""

    zh = "zh"
    en = "en"


def _end(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Ask nothing; stop at the end.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the result to this file. / 结果文件")
    ] = None,
    chains: Annotated[int, typer.Option(min=1, max=3, help="Chains. / 征信链数")] = 1,
    enterprises: Annotated[
        int | None,
        typer.Option(min=100, help="Enterprises of each chain: 20,000, of several 1,200. / 企业数"),
    ] = None,
    queries: Annotated[
        int | None,
        typer.Option(min=1, help="Queries by consent: 500, across chains 120. / 查询数"),
    ] = None,
    weeks: Annotated[
        int | None,
        typer.Option(min=0, max=12, help="Weeks of history: 3, of several chains none. / 历史周数"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the generated firms.")] = 1,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Keep everything in this new folder. / 保留目录")
    ] = None,
    lang: Annotated[Language, typer.Option(help="Language / 语言")] = Language.zh,
) -> None:
    """Start a chain, certify a model, query by consent, check every record. / 本机演示"""
    from node.demo.chains.main import run_chains_demo
    from node.demo.main import run_demo

    # Told to end, it ends as with Ctrl-C: every process stopped, nothing left behind.
    signal.signal(signal.SIGTERM, _end)
    if chains == 1:
        run = partial(run_demo, weeks=3 if weeks is None else weeks)
    else:
        if weeks:
            fail("--weeks: several chains have no history; leave it away, or ask for one chain", 2)
        run = partial(run_chains_demo, chains=chains)
    exact = run(
        enterprises=enterprises or (20_000 if chains == 1 else 1_200),
        queries=queries or (500 if chains == 1 else 120),
        seed=seed,
        language=lang.value,
        once=once,
        result_file=json_file,
        folder=folder,
    )
    raise typer.Exit(0 if exact else 1)
