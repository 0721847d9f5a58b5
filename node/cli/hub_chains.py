"""`yinxin hub chains`: which other chains the regulator told the hub of."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from node.cli.chains_shared import STATES, of_pin, table
from node.cli.output import LANGUAGE, AsJson, Lang, emit, language_of
from node.config import HubConfig, load
from node.runtime import running

Config = Annotated[Path, typer.Option("--config", help="The node's configuration. / 节点配置")]


def chains(
    config: Config = Path("node.toml"), lang: Lang = LANGUAGE, as_json: AsJson = False
) -> None:
    """Other chains, as the regulator pinned them. / 监管方已信任的其他链"""
    found = asyncio.run(_pins(load(HubConfig, config)))
    emit({"chains": found}, as_json, _table(found, language_of(lang)))


async def _pins(config: HubConfig) -> list[dict[str, Any]]:
    async with running(config, workers=1) as hub:
        now = hub.clock.now()
        pins = await hub.store.read(hub.chain.pins)
        return [of_pin(pin, now) for _, pin in sorted(pins.items())]


def _table(found: list[dict[str, Any]], lang: str) -> Any:
    zh = lang == "zh"
    headings = (
        ("链", "状态", "序号", "有效期至", "平台地址")
        if zh
        else ("chain", "state", "sequence", "until", "hub")
    )
    rows = [
        {
            "chain": one["chain"],
            "state": STATES[one["state"]][lang],
            "sequence": one["sequence"],
            "until": one["until"][:10],
            "hub": one["hub_address"],
        }
        for one in found
    ]
    return table("其他链" if zh else "Other chains", headings, rows)
