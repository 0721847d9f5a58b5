"""`yinxin bank` application, loan, batch register: what the bank says of its reasons to ask."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from node.cli.bank_queries import batch as run_batch
from node.cli.bank_shared import DEFAULT, Config, run
from node.cli.output import LANGUAGE, AsJson, Lang, emit
from node.errors import NodeError

if TYPE_CHECKING:
    from node.bank.bank import Bank
    from node.bank.business import Matter

Reference = Annotated[str, typer.Argument(help="The bank's own number. / 业务编号")]
Officer = Annotated[str, typer.Option(help="Pseudonym of the officer. / 经办人化名")]

application = typer.Typer(no_args_is_help=True, help="Applications, opened and closed. / 业务申请")
loan = typer.Typer(no_args_is_help=True, help="Loans, opened and closed. / 贷款")


class _RunsByDefault(TyperGroup):
    """`batch FILE` runs a batch, as it always did; `batch register` is a command of the group."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["run", *args]
        return super().parse_args(ctx, args)


batch = typer.Typer(
    cls=_RunsByDefault,
    no_args_is_help=True,
    help="Ask many questions (batch FILE), or register a batch before it runs. / 批量查询与登记",
)
batch.command("run")(run_batch)


@application.command("open")
def open_application(
    reference: Reference,
    officer: Officer,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Log that an application is opened. / 登记业务申请"""
    _change("application", reference, officer, config, lang, as_json, opened=True)


@application.command("close")
def close_application(
    reference: Reference,
    officer: Officer,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Log that an application is closed. / 关闭业务申请"""
    _change("application", reference, officer, config, lang, as_json, opened=False)


@loan.command("open")
def open_loan(
    reference: Reference,
    officer: Officer,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Log that a loan is live. / 登记贷款发放"""
    _change("loan", reference, officer, config, lang, as_json, opened=True)


@loan.command("close")
def close_loan(
    reference: Reference,
    officer: Officer,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Log that a loan is paid back. / 登记贷款结清"""
    _change("loan", reference, officer, config, lang, as_json, opened=False)


@batch.command("register")
def register(
    name: Annotated[str, typer.Argument(help="The batch's name. / 批次名")],
    officer: Officer,
    until: Annotated[str, typer.Option(help="When it ends, ISO 8601; UTC unless said. / 结束时间")],
    size: Annotated[int, typer.Option(min=1, help="How many queries it has. / 计划笔数")],
    begins: Annotated[
        str, typer.Option("--from", help="When it begins; now unless given. / 开始时间")
    ] = "",
    purpose: Annotated[str, typer.Option(help="01, post-loan. / 用途：贷后管理")] = "01",
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Register a post-loan batch before it runs, so that it may run at night. / 登记贷后批次"""

    async def work(bank: Bank) -> dict[str, Any]:
        from node.bank.business import BatchPlan

        start = _time(begins, "from") if begins else bank.agent.now()
        end = _time(until, "until")
        return await bank.business.register(BatchPlan(name, officer, start, end, size, purpose))

    emit(run(config, work, lang, workers=False), as_json)


def _change(
    kind: str,
    reference: str,
    officer: str,
    config: Path,
    lang: str,
    as_json: bool,
    *,
    opened: bool,
) -> None:
    async def work(bank: Bank) -> dict[str, Any]:
        from node.bank.business import Matter

        matter: Matter = Matter(kind)
        change = bank.business.open if opened else bank.business.close
        return await change(matter, reference, officer)

    emit(run(config, work, lang, workers=False), as_json)


def _time(text: str, option: str) -> int:
    """Unix seconds of a time in ISO 8601; of one without an offset in UTC. Raises NodeError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise NodeError(f"{option}: {text!r} is no time; write 2027-01-14T22:00+08:00") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
