"""`yinxin holder`: a data holder's node and its administration."""

from __future__ import annotations

from typing import Any

import typer
from sqlalchemy import Connection

from federation.identity import Role
from node.cli.accounts_node import node_accounts
from node.cli.enrol import add_enrolment
from node.cli.holder_banks import bank
from node.cli.holder_development import development
from node.cli.holder_disputes import disputes
from node.cli.holder_epochs import epoch, ingest
from node.cli.holder_mapping import mapping
from node.cli.holder_shared import DEFAULT, Config, Holder, run, table
from node.cli.holder_statistics import statistics
from node.cli.output import AsJson, emit
from node.config import HolderConfig, load
from node.runtime import serve

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="A data holder: load data, open epochs, answer. / 数据持有方：导入数据、开启数据期、应答",
)
for name, group in (("epoch", epoch), ("bank", bank), ("ingest", ingest), ("mapping", mapping)):
    app.add_typer(group, name=name)
app.add_typer(disputes, name="disputes")
app.command()(statistics)
app.command()(development)
add_enrolment(app, Role.HOLDER)
app.add_typer(node_accounts(HolderConfig), name="accounts")

HEALTH_SECONDS = 2.0


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

    result = run(config, work)
    emit(
        result,
        as_json,
        _page(
            f"{result['holder']} · {result['kind']} · health 健康: {result['health']} · "
            f"models 模型: {result['models']} · log 日志: {sum(result['log_entries'].values())}",
            table(result["epochs"], ("epoch", "state", "as_of", "closes", "rows", "known")),
            table(result["contexts"], ("epoch", "model", "bank", "buckets", "padded", "prepared")),
            table(result["banks"], ("bank", "stopped", "answered_24h", "budget_24h", "answered")),
        ),
    )


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


def _page(head: str, *tables: Any) -> Any:
    from rich.console import Group

    return Group(head, *(table for table in tables if table.row_count))
