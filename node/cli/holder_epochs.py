"""`yinxin holder epoch` and `yinxin holder ingest`: data in, and their end."""

from __future__ import annotations

import asyncio
import getpass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from federation.identity import Role
from node.cli.holder_shared import (
    DEFAULT,
    STEPS,
    AsOf,
    Config,
    Holder,
    MappingFile,
    chain_sync,
    mapping_file,
    run,
    table,
)
from node.cli.output import AsJson, emit, progress

if TYPE_CHECKING:
    from rich.progress import TaskID

epoch = typer.Typer(no_args_is_help=True, help="Dated states of the data. / 数据期")
ingest = typer.Typer(no_args_is_help=True, help="Mapping files. / 字段映射")

Number = Annotated[int, typer.Option("--epoch", min=1, help="Number of the epoch. / 数据期编号")]
Report = Annotated[
    Path | None, typer.Option("--report", help="Where rejected rows go (CSV). / 拒收明细")
]


@epoch.command("load")
def load_epoch(
    mapping: MappingFile = None,
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
        loader = assemble(holder, chain_sync(holder, hub), hub).loader
        with progress(as_json) as bar:
            tasks: dict[str, TaskID] = {}

            def tell(step: str, rows: int) -> None:
                if step not in tasks:
                    tasks[step] = bar.add_task(STEPS[step], total=None)
                bar.update(tasks[step], completed=rows)

            path = mapping_file(holder, mapping)
            loaded = await loader.load(number, path, as_of=day, report=report, progress=tell)
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

    emit(run(config, work), as_json)


@epoch.command("submit")
def submit_epoch(number: Number, config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Send a manifest that the hub has no receipt for yet. / 重新提交清单"""
    from node.holder.main import assemble

    async def work(holder: Holder) -> dict[str, Any]:
        hub = holder.peer_channel(Role.HUB, holder.config.hub)
        sync = chain_sync(holder, hub)
        await sync.sync()
        await assemble(holder, sync, hub).submission.submit(number)
        return {"epoch": number, "submitted": True}

    emit(run(config, work), as_json)


@epoch.command("status")
def epoch_status(config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Every epoch, and what became of it here. / 各数据期状态"""
    from node.holder import status as report

    async def work(holder: Holder) -> dict[str, Any]:
        return {"epochs": await holder.store.read(lambda c: report.epochs(holder, c))}

    result = run(config, work)
    shown = ("epoch", "state", "as_of", "opens", "closes", "rows", "known", "rejected")
    emit(result, as_json, table(result["epochs"], shown))


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

    emit(run(config, work), as_json)


@ingest.command("check")
def check_mapping(
    mapping: MappingFile = None,
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
        sync = chain_sync(holder, holder.peer_channel(Role.HUB, holder.config.hub))
        await sync.sync()
        catalogue = await holder.store.read(
            lambda c: holder.chain.catalogue(c, newest_epoch(holder, c).catalogue)
        )
        parsed = load_mapping(mapping_file(holder, mapping), catalogue, as_of=day)
        with progress(as_json) as bar:
            task = bar.add_task(STEPS["read"], total=None)
            features, found = await asyncio.to_thread(
                read,
                parsed,
                catalogue,
                report,
                progress=lambda rows: bar.update(task, completed=rows),
            )
        return {
            "kind": features.kind,
            "as_of": features.as_of.isoformat(),
            "read": found.read,
            "accepted": found.accepted,
            "rejected": found.rejected,
            "reasons": {str(reason): count for reason, count in found.reasons.items()},
            "report": str(found.path),
        }

    emit(run(config, work), as_json)
