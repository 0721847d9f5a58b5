"""`yinxin <role> accounts`: who may sign in to a node's pages. The first account is made so."""

# Options differ by role and are read at run time, so that annotations are no texts here.

import asyncio
import getpass
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.output import AsJson, emit
from node.errors import NodeError
from node.keys import read_secret
from node.pages.duties import Duty

if TYPE_CHECKING:
    from rich.table import Table

    from node.pages.accounts.administration import Accounts, Invited
    from node.pages.accounts.records import Account

Opening = Callable[[Path], AbstractAsyncContextManager[tuple["Accounts", str]]]
"""Opens the accounts of the place that the option names, with where their pages are, or nothing."""

Name = Annotated[str, typer.Argument(help="A pseudonym, not a person's name. / 账户代号")]
Duties = Annotated[
    list[Duty], typer.Option("--duty", help="What it may do; may be repeated. / 职责，可多次")
]


def accounts_app(place: Any, default: Path, opening: Opening) -> typer.Typer:
    """The commands. `place` is the annotation of the option that names node or folder."""
    app = typer.Typer(
        no_args_is_help=True, help="Who may sign in to the pages. / 网页账户", add_completion=False
    )

    def run(where: Path, work: Callable[["Accounts", str], Coroutine[Any, Any, Any]]) -> Any:
        async def inner() -> Any:
            async with opening(where) as (accounts, address):
                return await work(accounts, address)

        return asyncio.run(inner())

    @app.command("add")
    def add(
        name: Name,
        duty: Duties,
        totp: Annotated[
            bool, typer.Option("--totp", help="It has to set up codes. / 须设置动态验证码")
        ] = False,
        password_file: Annotated[
            Path | None,
            typer.Option(help="Its password, a file of mode 0600; a link unless given. / 口令文件"),
        ] = None,
        where: place = default,
        as_json: AsJson = False,
    ) -> None:
        """Add an account; prints the link where its password is chosen. / 新建账户"""
        password = None if password_file is None else _password(password_file)

        async def work(accounts: "Accounts", address: str) -> dict[str, Any]:
            made = await accounts.add(name, duty, _by(), totp=totp, password=password)
            return _invited(made, address)

        emit(run(where, work), as_json)

    @app.command("list")
    def show(where: place = default, as_json: AsJson = False) -> None:
        """All accounts. / 账户列表"""

        async def work(accounts: "Accounts", address: str) -> list[dict[str, Any]]:
            return [_shown(one) for one in await accounts.every()]

        found = run(where, work)
        emit({"accounts": found}, as_json, None if as_json else _table(found))

    @app.command("reset")
    def reset(name: Name, where: place = default, as_json: AsJson = False) -> None:
        """Take password and codes away; prints a new link. / 重置口令与验证码"""

        async def work(accounts: "Accounts", address: str) -> dict[str, Any]:
            return _invited(await accounts.reset(name, _by()), address)

        emit(run(where, work), as_json)

    @app.command("disable")
    def disable(name: Name, where: place = default, as_json: AsJson = False) -> None:
        """Let nobody sign in with it; its sessions end. / 停用账户"""

        async def work(accounts: "Accounts", address: str) -> None:
            await accounts.disable(name, _by())

        run(where, work)
        emit({"disabled": name}, as_json)

    @app.command("enable")
    def enable(name: Name, where: place = default, as_json: AsJson = False) -> None:
        """Take `disable` back. / 启用账户"""

        async def work(accounts: "Accounts", address: str) -> None:
            await accounts.enable(name, _by())

        run(where, work)
        emit({"enabled": name}, as_json)

    @app.command("duties")
    def duties(name: Name, duty: Duties, where: place = default, as_json: AsJson = False) -> None:
        """Give it other duties; its sessions end. / 更改职责"""

        async def work(accounts: "Accounts", address: str) -> None:
            await accounts.set_duties(name, duty, _by())

        run(where, work)
        emit({"name": name, "duties": sorted(duty)}, as_json)

    return app


def _by() -> str:
    return getpass.getuser()


def _password(path: Path) -> str:
    try:
        return read_secret(path).decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise NodeError(f"--password-file: {path} is no UTF-8 text; write it as such") from error


def _invited(made: "Invited", address: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": made.account.name, "duties": sorted(made.account.duties)}
    if made.token:
        found["link"] = f"{address}{made.path}"
    return found


def _shown(account: "Account") -> dict[str, Any]:
    return {
        "name": account.name,
        "duties": sorted(account.duties),
        "state": account.state.value,
        "totp": account.totp is not None,
        "totp_demanded": account.totp_demanded,
        "external": account.external,
        "added": _time(account.added),
        "signed_in": None if account.signed_in is None else _time(account.signed_in),
    }


def _table(found: list[dict[str, Any]]) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in (
        "account\n账户",
        "duties\n职责",
        "state\n状态",
        "TOTP\n验证码",
        "last\n最近登录",
    ):
        table.add_column(heading, overflow="fold")
    for one in found:
        totp = "yes 是" if one["totp"] else "demanded 须设置" if one["totp_demanded"] else "no 否"
        last = (one["signed_in"] or "–")[:16].replace("T", " ")
        table.add_row(one["name"], ", ".join(one["duties"]), one["state"], totp, last)
    return table


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
