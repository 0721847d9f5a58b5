"""`yinxin hub`: the local credit platform of a chain."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from sqlalchemy import Connection

from federation.errors import FederationError
from federation.identity import Role
from federation.signed import Signed
from node.cli import hub_catalogue, hub_chains, hub_retention
from node.cli.accounts_node import node_accounts
from node.cli.enrol import add_enrolment
from node.cli.output import AsJson, emit, fail
from node.config import HubConfig, load
from node.enrolment import read_grant_file
from node.enrolment.folder import read_file
from node.hub import publication
from node.hub.enrolling import read_codes
from node.hub.publication import Hub
from node.hub.status import epoch_status
from node.runtime import running, serve

T = TypeVar("T")

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="The local credit platform: hub of a chain."
)
members = typer.Typer(no_args_is_help=True, help="Members of the chain.")
roster = typer.Typer(no_args_is_help=True, help="Enrolled enterprises.")
epoch = typer.Typer(no_args_is_help=True, help="Dated states of the data.")
for name, group in (
    ("member", members),
    ("roster", roster),
    ("catalogue", hub_catalogue.app),
    ("epoch", epoch),
):
    app.add_typer(group, name=name)
app.add_typer(hub_retention.app, name="retention")
app.command("chains")(hub_chains.chains)
add_enrolment(app, Role.HUB)
app.add_typer(node_accounts(HubConfig), name="accounts")

Config = Annotated[
    Path, typer.Option("--config", help="The node's configuration.", show_default=True)
]
DEFAULT = Path("node.toml")


@app.command("serve")
def serve_command(config: Config = DEFAULT) -> None:
    """Run the hub until it is told to stop."""
    from node.hub.main import build

    serve(load(HubConfig, config), build)


@app.command()
def status(config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Members, roster, epochs and the size of the log."""

    async def work(hub: Hub) -> dict[str, Any]:
        now = hub.clock.now()
        log = await hub.log.count_by_kind()

        def look(connection: Connection) -> dict[str, Any]:
            return {
                "hub": str(hub.identity.id),
                "members": [str(m.id) for role in Role for m in _members(hub, connection, role)],
                "enterprises": hub.chain.roster(connection, now).size,
                "epochs": [_epoch(hub, connection, n) for n in hub.chain.epoch_numbers(connection)],
            }

        return {**await hub.store.read(look), "log_entries": log}

    result = _run(config, work)
    counts = {"members 成员": len(result["members"]), "enterprises 企业": result["enterprises"]}
    counts["log 日志"] = sum(result["log_entries"].values())
    emit(result, as_json, _status(result["hub"], counts, result["epochs"]))


@members.command("add")
def add_member(
    grants: Annotated[
        list[Path],
        typer.Argument(help="Grants of the regulator; for itself, its member.json. / 授予文件"),
    ],
    address: Annotated[str, typer.Option(help="HOST:PORT at which the hub reaches a holder.")] = "",
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Publish members that the regulator enrolled."""
    if address and len(grants) > 1:
        fail("address: give it with one grant at a time", code=2)
    credentials = [_credential(path) for path in grants]

    def unit(hub: Hub, connection: Connection) -> list[str]:
        added = [publication.add_member(hub, connection, c, address) for c in credentials]
        return [str(member.id) for member in added]

    emit({"added": _write(config, unit)}, as_json)


@members.command("list")
def list_members(config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """The members, and where the hub reaches them."""

    async def work(hub: Hub) -> dict[str, Any]:
        def look(connection: Connection) -> dict[str, Any]:
            known = publication.routes(connection)
            rows = [
                {"id": str(m.id), "kind": m.kind, "title": m.title, "address": known.get(m.id, "")}
                for role in Role
                for m in _members(hub, connection, role)
            ]
            return {"members": rows}

        return await hub.store.read(look)

    result = _run(config, work)
    emit(result, as_json, _table(result["members"]))


@roster.command("enrol")
def enrol(
    file: Annotated[
        Path, typer.Argument(help="A credit code on each line, or in a CSV file's first column.")
    ],
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Enrol enterprises; those that are enrolled already are passed over."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: cannot be read as UTF-8 text ({error})")
    listed, user = read_codes(lines), getpass.getuser()
    for number, problem in listed.wrong[:1]:
        fail(f"{file}, line {number}: {problem}")

    def unit(hub: Hub, connection: Connection) -> dict[str, int]:
        enrolled, size = publication.enrol(hub, connection, listed.codes, user)
        return {"enrolled": enrolled, "enterprises": size}

    emit(_write(config, unit), as_json)


@epoch.command("announce")
def announce(
    opens: Annotated[
        datetime | None, typer.Option(help="First moment of answers, UTC; now unless given.")
    ] = None,
    days: Annotated[float, typer.Option(min=0.01, max=92, help="How long it answers.")] = 2,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Announce the next epoch, so that holders can load their data for it."""

    def unit(hub: Hub, connection: Connection) -> dict[str, Any]:
        begin = hub.clock.now() if opens is None else int(opens.replace(tzinfo=UTC).timestamp())
        closes = begin + int(timedelta(days=days).total_seconds())
        made = publication.announce(hub, connection, begin, closes)
        return _epoch(hub, connection, made.epoch)

    emit(_write(config, unit), as_json)


@epoch.command("open")
def open_epoch(
    number: Annotated[int, typer.Argument(help="The epoch's number.")],
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Sign the opening over the manifests that have arrived. Holders that are late are left out."""

    async def work(hub: Hub) -> dict[str, Any]:
        known = await hub.members()

        def unit(connection: Connection) -> dict[str, Any]:
            publication.open_epoch(hub, connection, number, known)
            return _epoch(hub, connection, number)

        return await hub.store.run(unit)

    emit(_run(config, work), as_json)


def _epoch(hub: Hub, connection: Connection, number: int) -> dict[str, Any]:
    """An epoch as commands show it."""
    found = epoch_status(hub, connection, number)
    if found is None:
        fail(f"epoch {number} is not announced")
    return {
        "epoch": number,
        "state": found.state,
        "opens": _when(found.descriptor.opens),
        "closes": _when(found.descriptor.closes),
        "enterprises": found.descriptor.roster_rows,
        "holders": [str(holder) for holder in found.holders],
    }


def _members(hub: Hub, connection: Connection, role: Role) -> list[Any]:
    return list(hub.chain.members(connection, hub.clock.now()).of(role))


def _credential(path: Path) -> Signed:
    """The credential in a grant, or alone: the regulator's own comes with no grant."""
    try:
        return Signed.from_json(read_file(path, "grant"))
    except FederationError:
        return read_grant_file(path).credential


def _table(rows: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table()
    for heading in ("member 成员", "名称", "title", "address 地址"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        name = "/".join(row["id"].rsplit("/", 2)[1:])
        table.add_row(name, row["title"]["zh"], row["title"]["en"], row["address"])
    return table


def _status(hub: str, counts: dict[str, int], epochs: list[dict[str, Any]]) -> Any:
    from rich.console import Group
    from rich.table import Table

    table = Table()
    for heading in ("epoch 数据期", "state 状态", "opens 开启", "closes 关闭", "holders 数据方"):
        table.add_column(heading)
    for one in epochs:
        opens, closes = (one[name][:16].replace("T", " ") + "Z" for name in ("opens", "closes"))
        shown = (one["epoch"], one["state"], opens, closes, len(one["holders"]))
        table.add_row(*map(str, shown))
    head = " · ".join((hub, *(f"{name}: {count}" for name, count in counts.items())))
    return Group(head, table) if epochs else head


def _when(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _run(config: Path, work: Callable[[Hub], Coroutine[Any, Any, T]]) -> T:
    """Runs `work` on the hub's state; the hub may be serving meanwhile."""

    async def inner() -> T:
        async with running(load(HubConfig, config)) as hub:
            return await work(hub)

    return asyncio.run(inner())


def _write(config: Path, unit: Callable[[Hub, Connection], T]) -> T:
    """Runs one unit of work on the hub's state."""

    async def work(hub: Hub) -> T:
        return await hub.store.run(lambda connection: unit(hub, connection))

    return _run(config, work)
