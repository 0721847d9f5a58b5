"""`yinxin regulator audit`, `findings`, `finding …`, `query`: the audit, and what it found."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from node.cli.output import AsJson, emit, progress
from node.cli.regulator_audit_chains import Chains, chains_table, read_chains
from node.config import RegulatorConfig, load
from node.enrolment.folder import CONFIG
from node.regulator.asked import queries_about, show_query
from node.regulator.errors import RegulatorError
from node.regulator.findings import FindingState, KeptFinding, decide, kept_findings
from node.regulator.membership import Regulator
from node.regulator.peers.sharing_findings import REPORTED_BY
from node.runtime import running

T = TypeVar("T")

Config = Annotated[
    Path, typer.Option("--config", help="The node's configuration.", show_default=True)
]
DEFAULT = Path(CONFIG)
FOLLOW_SECONDS = 10.0

finding = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Decide about a finding. / 处理审计发现"
)


def add_audit(app: typer.Typer) -> None:
    """Adds the commands to the regulator's."""
    app.command("audit")(audit)
    app.command("findings")(findings)
    app.command("query")(query)
    app.add_typer(finding, name="finding")


def audit(
    follow: Annotated[
        bool,
        typer.Option("--follow/--once", help="Go on as the mirror grows, or end. / 持续或单次"),
    ] = False,
    settle: Annotated[
        int,
        typer.Option(
            min=0,
            max=86_400,
            help="Seconds that an entry of the logs must be old: by then all of them have theirs. "
            "/ 等待秒数",
        ),
    ] = 120,
    finish: Annotated[
        bool,
        typer.Option("--finish", help="Judge as if nothing more would be logged. / 视为日志已终结"),
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes. / 进程数")] = 2,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Open and verify every mirrored query, and check all logs. / 审计全部查询与日志"""
    from node.regulator.audit.run import JOBS, AuditRun, audit_summary
    from node.workers.pool import WorkerPool

    if follow and finish:
        raise RegulatorError("--finish ends the audit; leave --follow away")

    async def work(regulator: Regulator) -> dict[str, Any]:
        pool = WorkerPool(workers, module=JOBS)
        await pool.start()
        try:
            run = AuditRun(regulator, pool, settle)
            with progress(as_json) as bar:
                parts = {
                    "verify": bar.add_task("Verify / 验证"),
                    "check": bar.add_task("Check / 核对"),
                }

                def tell(part: str, done: int, of: int) -> None:
                    bar.update(parts[part], completed=done, total=of)

                await run.once(tell, finish=finish)
                while follow:
                    await asyncio.sleep(FOLLOW_SECONDS)
                    await run.once(tell)
        finally:
            await pool.stop()
        return await regulator.store.read(audit_summary)

    summary = _run(config, work)
    emit(summary, as_json, _summary(summary))


def findings(
    state: Annotated[FindingState | None, typer.Option(help="Of one state only. / 状态")] = None,
    chain: Annotated[str, typer.Option(help="About members of one chain only. / 链")] = "",
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """What the audit and the mirror found, and what regulators of other chains did. / 审计发现"""

    async def work(regulator: Regulator) -> tuple[Chains, list[KeptFinding]]:
        return await regulator.store.read(
            lambda c: (read_chains(regulator, c), list(kept_findings(c, state)))
        )

    chains, found = _run(config, work)
    found = [one for one in found if chain in ("", chains.of_member(one.subject))]
    shown = [chains.of_finding(one) for one in found]
    emit({"findings": shown}, as_json, _table(found, chains))


Id = Annotated[str, typer.Argument(help="The finding's id, in hex. / 编号")]
Note = Annotated[str, typer.Option(help="Why. / 说明")]


@finding.command("explain")
def explain(id_: Id, note: Note, config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """There is a good reason for it. / 已作出解释"""
    _decide(id_, FindingState.EXPLAINED, note, config, as_json)


@finding.command("confirm")
def confirm(id_: Id, note: Note, config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """It is what it looks like. / 确认违规"""
    _decide(id_, FindingState.CONFIRMED, note, config, as_json)


def query(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The permit's hash, in hex.")] = "",
    uscc: Annotated[str, typer.Option(help="All queries about this firm. / 企业代码")] = "",
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show an audited query, or all about a firm, with the firm's code. / 显示查询及其主体"""
    if bool(id_) == bool(uscc):
        raise RegulatorError("give the id of a query, or --uscc CODE")
    wanted = None if uscc else _unhex(id_)

    async def work(regulator: Regulator) -> list[dict[str, Any]]:
        by = getpass.getuser()
        if wanted is None:
            found = await queries_about(regulator, uscc, by)
        else:
            found = [await show_query(regulator, wanted, by)]
        return [one.to_dict() for one in found]

    asked = _run(config, work)
    emit({"queries": asked}, as_json, _queries(asked))


def _decide(id_: str, state: FindingState, note: str, config: Path, as_json: bool) -> None:
    raw = _unhex(id_)

    async def work(regulator: Regulator) -> dict[str, Any]:
        return (await decide(regulator, raw, state, note, getpass.getuser())).to_dict()

    emit(_run(config, work), as_json)


def _run(config: Path, work: Callable[[Regulator], Awaitable[T]]) -> T:
    loaded = load(RegulatorConfig, config)

    async def run() -> T:
        async with running(loaded, workers=1) as regulator:
            return await work(regulator)

    return asyncio.run(run())


def _summary(summary: Mapping[str, Any]) -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    logs = Table(box=None, pad_edge=False)
    logs.add_column("log / 日志", overflow="fold")
    logs.add_column("entries / 条目", justify="right")
    logs.add_column("cosigned / 已见证", justify="right")
    logs.add_column("state / 状态")
    for log, of in summary["logs"].items():
        state = Text(of["fault"] or "in order / 正常", style="red" if of["fault"] else "")
        logs.add_row(_short(log), str(of["size"]), str(of["cosigned"]), state)
    kinds = summary["findings"].items()
    found = ", ".join(f"{kind} {count}" for kind, count in kinds) or "none / 无"
    return Group(
        Text(f"queries / 查询: {summary['queries']}"),
        Text(f"in order / 合规: {summary['verified']}"),
        Text(f"findings / 发现: {found}"),
        Text(f"checked until / 核对至: {_time(summary['checked_until'])}"),
        Text(),
        logs,
        *([Text(), chains_table(summary["chains"])] if summary["chains"] else []),
    )


def _queries(asked: list[dict[str, Any]]) -> Any:
    from rich.text import Text

    blocks = []
    for one in asked:
        kinds = ", ".join(found["kind"] for found in one["findings"])
        lines = [
            one["id"],
            f"time / 时间: {one['time']}",
            f"bank / 银行: {_short(one['bank'])}",
            f"firm / 企业: {one['uscc']}",
            f"purpose / 用途: {one['purpose']}",
            f"officer / 经办人: {one['officer'] or '–'}",
            f"reference / 业务编号: {one['reference'] or '–'}",
            f"findings / 发现: {kinds or 'none / 无'}",
        ]
        blocks.append("\n  ".join(lines))
    return Text("\n".join(blocks) or "no queries / 没有查询")


def _short(member: str) -> str:
    return "/".join(member.split("/")[-2:])


def _table(found: list[KeptFinding], chains: Chains) -> Any:
    from rich.table import Table
    from rich.text import Text

    if not found:
        return Text("no findings / 没有发现")
    table = Table(title="Findings / 审计发现")
    for heading in ("id / 编号", "what / 内容", "of / 对象", "query / 查询", "state / 状态"):
        table.add_column(heading, overflow="fold")
    for one in found:
        titles = one.kind.titles
        what = Text(f"{titles['zh']}\n{titles['en']}\n{one.kind} · {one.severity}")
        reporter = one.evidence.get(REPORTED_BY)
        if reporter is not None:
            what.append(f"\nfound by / 发现方: {reporter}")
        asked = "–" if one.query is None else one.query.hex()[:16]
        table.add_row(
            one.id.hex(),
            what,
            Text(chains.short(one.subject)),
            asked,
            Text(f"{one.state}\n{one.note}"),
        )
    return table


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise RegulatorError(f"{text!r} is no id; copy it from `findings --json`") from error


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
