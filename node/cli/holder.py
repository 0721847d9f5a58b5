"""`yinxin holder`: a data holder's node and its administration."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer
from sqlalchemy import Connection

from federation.errors import IdentityError
from federation.identity import Role, SpiffeId
from node.cli.enrol import add_enrolment
from node.cli.output import AsJson, emit, progress
from node.config import HolderConfig, load
from node.errors import NodeError
from node.observability import logging
from node.runtime import Runtime, running, serve

if TYPE_CHECKING:
    from rich.progress import TaskID

T = TypeVar("T")
Holder = Runtime[HolderConfig]

app = typer.Typer(
    no_args_is_help=True,
    help="A data holder: load data, open epochs, answer. / 数据持有方：导入数据、开启数据期、应答",
)
epoch = typer.Typer(no_args_is_help=True, help="Dated states of the data. / 数据期")
bank = typer.Typer(no_args_is_help=True, help="Banks: budgets, stop switch. / 银行：额度与停用")
ingest = typer.Typer(no_args_is_help=True, help="Mapping files. / 字段映射")
for name, group in (("epoch", epoch), ("bank", bank), ("ingest", ingest)):
    app.add_typer(group, name=name)
add_enrolment(app, Role.HOLDER)

Config = Annotated[Path, typer.Option("--config", help="The node's configuration. / 节点配置")]
Number = Annotated[int, typer.Option("--epoch", min=1, help="Number of the epoch. / 数据期编号")]
Mapping_ = Annotated[Path, typer.Option("--mapping", help="Mapping file, TOML. / 映射文件")]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Day of the data. / 数据截止日"),
]
Report = Annotated[
    Path | None, typer.Option("--report", help="Where rejected rows go (CSV). / 拒收明细")
]
Bank = Annotated[str, typer.Argument(help="Name or SPIFFE id of a bank. / 银行名称或标识")]
DEFAULT = Path("node.toml")
HEALTH_SECONDS = 2.0

_TITLES: Mapping[str, str] = {
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
    "True": "yes 是",
    "False": "no 否",
}
_SHOWN_HEX = 16


@app.command("serve")
def serve_command(config: Config = DEFAULT) -> None:
    """Run the node until it is told to stop. / 运行节点"""
    from node.holder.main import build

    serve(load(HolderConfig, config), build)


@app.command()
def status(config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Epochs, models and their progress, banks, log, health. / 运行状态"""
    from node.holder import status as report
    from node.holder.vault import EpochVault

    async def work(holder: Holder) -> dict[str, Any]:
        vault = EpochVault(holder.config.data_dir)

        def look(connection: Connection) -> dict[str, Any]:
            return {
                "holder": str(holder.identity.id),
                "kind": holder.config.kind,
                "models": report.models(connection),
                "epochs": report.epochs(holder, connection),
                "contexts": report.contexts(holder, connection, vault),
                "banks": report.banks(holder, connection),
            }

        found = await holder.store.read(look)
        log = await holder.log.count_by_kind()
        return {**found, "health": await _health(holder), "log_entries": log}

    result = _run(config, work)
    emit(
        result,
        as_json,
        _page(
            f"{result['holder']} · {result['kind']} · health 健康: {result['health']} · "
            f"models 模型: {result['models']} · log 日志: {sum(result['log_entries'].values())}",
            _table(result["epochs"], ("epoch", "state", "as_of", "closes", "rows", "known")),
            _table(result["contexts"], ("epoch", "model", "bank", "buckets", "padded", "prepared")),
            _table(result["banks"], ("bank", "stopped", "answered_24h", "budget_24h", "answered")),
        ),
    )


@epoch.command("load")
def load_epoch(
    mapping: Mapping_,
    number: Annotated[
        int | None,
        typer.Option("--epoch", min=1, help="Number; the newest unless given. / 数据期编号"),
    ] = None,
    as_of: AsOf = None,
    report: Report = None,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Load data, sign and submit the manifest: all or nothing. / 导入数据并提交清单"""
    from node.holder.main import assemble

    day: date | None = None if as_of is None else as_of.date()

    async def work(holder: Holder) -> dict[str, Any]:
        hub = holder.peer_channel(Role.HUB, holder.config.hub)
        loader = assemble(holder, _sync(holder, hub), hub).loader
        with progress(as_json) as bar:
            tasks: dict[str, TaskID] = {}

            def tell(step: str, rows: int) -> None:
                if step not in tasks:
                    tasks[step] = bar.add_task(_STEPS[step], total=None)
                bar.update(tasks[step], completed=rows)

            loaded = await loader.load(number, mapping, as_of=day, report=report, progress=tell)
            for task in tasks.values():
                bar.update(task, total=loaded.rows, completed=loaded.rows)
        return {
            "epoch": loaded.epoch,
            "as_of": loaded.as_of,
            "manifest": loaded.manifest.hex(),
            "rows": loaded.rows,
            "known": loaded.known,
            "read": loaded.read,
            "rejected": loaded.rejected,
            "report": str(loaded.report),
        }

    emit(_run(config, work), as_json)


@epoch.command("submit")
def submit_epoch(number: Number, config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Send a manifest that the hub has no receipt for yet. / 重新提交清单"""
    from node.holder.main import assemble

    async def work(holder: Holder) -> dict[str, Any]:
        hub = holder.peer_channel(Role.HUB, holder.config.hub)
        sync = _sync(holder, hub)
        await sync.sync()
        await assemble(holder, sync, hub).loader.submit(number)
        return {"epoch": number, "submitted": True}

    emit(_run(config, work), as_json)


@epoch.command("status")
def epoch_status(config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Every epoch, and what became of it here. / 各数据期状态"""
    from node.holder import status as report

    async def work(holder: Holder) -> dict[str, Any]:
        return {"epochs": await holder.store.read(lambda c: report.epochs(holder, c))}

    result = _run(config, work)
    shown = ("epoch", "state", "as_of", "opens", "closes", "rows", "known", "rejected")
    emit(result, as_json, _table(result["epochs"], shown))


@epoch.command("close")
def close_epoch(
    number: Annotated[int, typer.Argument(min=1, help="Number of the epoch. / 数据期编号")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask. / 不再确认")] = False,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """End an epoch before its time and erase its keys and tables. / 提前关闭并销毁密钥"""
    from node.holder.closing import Closer
    from node.holder.vault import EpochVault

    if not yes:
        typer.confirm(
            f"Epoch {number} cannot be opened again; every model is refused in it. Close it? "
            f"数据期 {number} 关闭后无法恢复，是否关闭？",
            abort=True,
            err=True,
        )

    async def work(holder: Holder) -> dict[str, Any]:
        closer = Closer(holder, EpochVault(holder.config.data_dir))
        await closer.close(number, getpass.getuser())
        return {"epoch": number, "closed": True}

    emit(_run(config, work), as_json)


@bank.command("list")
def list_banks(config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Who was answered, how often, and what was decided. / 银行应答统计"""
    from node.holder import status as report

    async def work(holder: Holder) -> dict[str, Any]:
        return {"banks": await holder.store.read(lambda c: report.banks(holder, c))}

    result = _run(config, work)
    shown = ("bank", "stopped", "answered_24h", "budget_24h", "answered", "last")
    emit(result, as_json, _table(result["banks"], shown))


@bank.command("answers")
def list_answers(
    name: Bank,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="How many. / 条数")] = 50,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """The newest answered permits of a bank, by purpose and consent tag. / 最近应答明细"""
    from node.holder.banks import answered_permits
    from node.holder.status import when

    async def work(holder: Holder) -> dict[str, Any]:
        party = _bank(holder, name)
        found = await holder.store.read(lambda c: answered_permits(c, party, most))
        rows = [
            {
                "answered_at": when(item.answered_at),
                "epoch": item.epoch,
                "purpose": item.purpose,
                "consent_tag": item.consent_tag.hex(),
                "permit": item.permit.hex(),
            }
            for item in found
        ]
        return {"bank": str(party), "answers": rows}

    result = _run(config, work)
    shown = ("answered_at", "epoch", "purpose", "consent_tag", "permit")
    emit(result, as_json, _table(result["answers"], shown))


@bank.command("stop")
def stop_bank(name: Bank, config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Refuse a bank from this moment on. / 立即停用"""
    _decide(config, name, as_json, stopped=True)


@bank.command("resume")
def resume_bank(name: Bank, config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Answer a stopped bank again. / 恢复应答"""
    _decide(config, name, as_json, stopped=False)


@bank.command("budget")
def budget_bank(
    name: Bank,
    queries: Annotated[int, typer.Argument(min=0, help="Most queries in 24 hours. / 当日上限")],
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Set how many queries of a bank are answered in 24 hours. / 设置当日额度"""
    from node.holder.banks import set_budget

    async def work(holder: Holder) -> dict[str, Any]:
        party, by = await _member(holder, name), getpass.getuser()
        await holder.store.run(lambda c: set_budget(holder, c, party, by, queries))
        return {"bank": str(party), "budget_24h": queries}

    emit(_run(config, work), as_json)


@ingest.command("check")
def check_mapping(
    mapping: Mapping_,
    as_of: AsOf = None,
    report: Annotated[Path, typer.Option("--report", help="Rejected rows (CSV). / 拒收明细")] = (
        Path("rejected.csv")
    ),
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Read the source by its mapping and report what is rejected; load nothing. / 试读"""
    from node.holder.ingest import ingest as read
    from node.holder.loading import newest_epoch
    from node.holder.mapping import load_mapping

    day: date | None = None if as_of is None else as_of.date()

    async def work(holder: Holder) -> dict[str, Any]:
        sync = _sync(holder, holder.peer_channel(Role.HUB, holder.config.hub))
        await sync.sync()
        catalogue = await holder.store.read(
            lambda c: holder.chain.catalogue(c, newest_epoch(holder, c).catalogue)
        )
        parsed = load_mapping(mapping, catalogue, as_of=day)
        with progress(as_json) as bar:
            task = bar.add_task(_STEPS["read"], total=None)
            table, found = await asyncio.to_thread(
                read,
                parsed,
                catalogue,
                report,
                progress=lambda rows: bar.update(task, completed=rows),
            )
        return {
            "kind": table.kind,
            "as_of": table.as_of.isoformat(),
            "read": found.read,
            "accepted": found.accepted,
            "rejected": found.rejected,
            "reasons": {str(reason): count for reason, count in found.reasons.items()},
            "report": str(found.path),
        }

    emit(_run(config, work), as_json)


_STEPS: Mapping[str, str] = {
    "read": "read 读取",
    "write": "write 写入",
    "submit": "submit 提交",
}


def _decide(config: Path, name: str, as_json: bool, *, stopped: bool) -> None:
    from node.holder.banks import set_stopped

    async def work(holder: Holder) -> dict[str, Any]:
        party, by = await _member(holder, name), getpass.getuser()
        await holder.store.run(lambda c: set_stopped(holder, c, party, by, stopped=stopped))
        return {"bank": str(party), "stopped": stopped}

    emit(_run(config, work), as_json)


def _bank(holder: Holder, name: str) -> SpiffeId:
    """The bank that a name or an id means."""
    try:
        if name.startswith("spiffe://"):
            return SpiffeId.parse(name)
        return SpiffeId(holder.config.trust_domain, Role.BANK, name)
    except IdentityError as error:
        raise NodeError(f"bank: {error}") from error


async def _member(holder: Holder, name: str) -> SpiffeId:
    """The same, of a bank in the chain: a slip of the pen would stop nobody, silently."""
    party = _bank(holder, name)
    known = [str(member.id) for member in (await holder.members()).of(Role.BANK)]
    if str(party) not in known:
        raise NodeError(f"bank: {party} is no bank of the chain; it has {', '.join(known)}")
    return party


def _sync(holder: Holder, hub: Any) -> Any:
    from node.chain import ChainSync

    return ChainSync(hub, holder.chain, holder.store, holder.log, holder.clock)


async def _health(holder: Holder) -> str:
    """What the node's own health service says, or that it does not run."""
    from node.rpc.errors import RemoteError

    from grpc_health.v1 import health_pb2  # isort: skip  # after node.rpc

    channel = holder.channel(holder.identity.id, holder.config.address)
    try:
        answer = await channel.unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest(),
            health_pb2.HealthCheckResponse,
            HEALTH_SECONDS,
        )
    except RemoteError:
        return "not running"
    serving = answer.status == health_pb2.HealthCheckResponse.SERVING
    return "serving" if serving else "not serving"


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        number = bool(rows) and type(rows[0][column]) is int
        justify: Literal["left", "right"] = "right" if number else "left"
        table.add_column(_TITLES[column], justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(_shown(row[column]) for column in columns))
    return table


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


def _page(head: str, *tables: Any) -> Any:
    from rich.console import Group

    return Group(head, *(table for table in tables if table.row_count))


def _run(config: Path, work: Callable[[Holder], Coroutine[Any, Any, T]]) -> T:
    """Runs `work` on the holder's state; the node may be serving meanwhile.

    What the node's parts have to say goes to standard error: standard output is the result.
    """
    logging.configure("warning", "console")

    async def inner() -> T:
        async with running(load(HolderConfig, config)) as holder:
            return await work(holder)

    return asyncio.run(inner())
