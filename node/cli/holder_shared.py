"""What the holder's commands share: options, tables for people, and running on the node's state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from node.chain import ChainSync
from node.cli.output import fail
from node.config import HolderConfig, load
from node.observability import logging
from node.rpc.client import Channel
from node.runtime import Runtime, running

T = TypeVar("T")
Holder = Runtime[HolderConfig]

Config = Annotated[Path, typer.Option("--config", help="The node's configuration. / 节点配置")]
MappingFile = Annotated[
    Path | None,
    typer.Option(
        "--mapping", help="Mapping file, TOML; the configuration's unless given. / 映射文件"
    ),
]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Day of the data. / 数据截止日"),
]
DEFAULT = Path("node.toml")

STEPS: Mapping[str, str] = {
    "read": "read 读取",
    "write": "write 写入",
    "submit": "submit 提交",
}
"""What a progress bar says."""

TITLES: Mapping[str, str] = {
    "epoch": "epoch\n数据期",
    "state": "state\n状态",
    "as_of": "as of\n截止日",
    "opens": "opens\n开启",
    "closes": "closes\n关闭",
    "rows": "firms\n企业",
    "known": "known\n已知",
    "rejected": "rejected\n拒收",
    "model": "model\n模型",
    "bank": "bank\n银行",
    "buckets": "buckets\n分桶",
    "padded": "padded\n已掩码",
    "prepared": "prepared\n已备好",
    "stopped": "stopped\n停用",
    "answered_24h": "24 h\n当日",
    "budget_24h": "budget\n额度",
    "answered": "answered\n累计",
    "last": "last\n最近",
    "purpose": "purpose\n用途",
    "answered_at": "answered\n时间",
    "consent_tag": "consent tag\n授权标签",
    "permit": "permit\n许可",
    "name": "name\n名称",
    "released_at": "released\n发布时间",
    "epsilon": "ε",
    "epsilon_spent": "ε spent\n已用",
    "epsilon_limit": "ε limit\n上限",
    "epsilon_left": "ε left\n剩余",
    "dispute": "dispute\n异议",
    "received": "received\n收到",
    "due_before": "due before\n答复期限",
    "outcome": "outcome\n结果",
}
"""Headings of tables, for readers of either language."""

_WORDS: Mapping[str, str] = {
    "announced": "announced 待导入",
    "loaded": "loaded 待提交",
    "submitted": "submitted 已提交",
    "open": "open 开放",
    "late": "late 未参与",
    "closing": "closing 关闭中",
    "closed": "closed 已关闭",
    "installed": "installed 已安装",
    "released": "released 已发布",
    "expired": "expired 已过期",
    "overdue": "overdue 已逾期",
    "answered": "answered 已答复",
    "answered-late": "answered late 逾期答复",
    "corrected": "corrected 已更正",
    "confirmed": "confirmed 核实无误",
    "annotated": "annotated 已标注",
    "True": "yes 是",
    "False": "no 否",
}
_SHOWN_HEX = 16


def mapping_file(holder: Holder, given: Path | None) -> Path:
    """The mapping file that a command works with."""
    path = given or holder.config.mapping
    if path is None:
        fail("--mapping: give the mapping file, or name it in the configuration")
    return path


def chain_sync(holder: Holder, hub: Channel) -> ChainSync:
    """What brings the holder's copy of the chain up to date."""
    return ChainSync(hub, holder.chain, holder.store, holder.log, holder.clock)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    """A table for people of some members of each row."""
    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        number = bool(rows) and type(rows[0][column]) in (int, float)
        justify: Literal["left", "right"] = "right" if number else "left"
        shown.add_column(TITLES[column], justify=justify, overflow="fold")
    for row in rows:
        shown.add_row(*(_shown(row[column]) for column in columns))
    return shown


def _shown(value: Any) -> str:
    """A value as people read it: a member by its name, a time to the minute, hashes shortened."""
    text = str(value)
    if text.startswith("spiffe://"):
        return text.rpartition("/")[2]
    if text.endswith("+00:00"):
        return text[:16].replace("T", " ") + "Z"
    if len(text) == 64 and not isinstance(value, int):
        return text[:_SHOWN_HEX] + "…"
    return f"{value:,}" if type(value) is int else _WORDS.get(text, text)


def run(config: Path, work: Callable[[Holder], Coroutine[Any, Any, T]]) -> T:
    """Runs `work` on the holder's state; the node may be serving meanwhile.

    What the node's parts have to say goes to standard error: standard output is the result.
    """
    logging.configure("warning", "console")

    async def inner() -> T:
        async with running(load(HolderConfig, config)) as holder:
            return await work(holder)

    return asyncio.run(inner())
