"""`yinxin holder bank`: who was answered, budgets, and the switch that stops a bank at once."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from federation.errors import IdentityError
from federation.identity import Role, SpiffeId
from node.cli.holder_shared import DEFAULT, Config, Holder, run, table
from node.cli.output import AsJson, emit
from node.errors import NodeError

bank = typer.Typer(no_args_is_help=True, help="Banks: budgets, stop switch. / 银行：额度与停用")

Bank = Annotated[str, typer.Argument(help="Name or SPIFFE id of a bank. / 银行名称或标识")]


@bank.command("list")
def list_banks(config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Who was answered, how often, and what was decided. / 银行应答统计"""
    from node.holder import status as report

    async def work(holder: Holder) -> dict[str, Any]:
        return {"banks": await holder.store.read(lambda c: report.banks(holder, c))}

    result = run(config, work)
    shown = ("bank", "stopped", "answered_24h", "budget_24h", "answered", "last")
    emit(result, as_json, table(result["banks"], shown))


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

    result = run(config, work)
    shown = ("answered_at", "epoch", "purpose", "consent_tag", "permit")
    emit(result, as_json, table(result["answers"], shown))


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

    emit(run(config, work), as_json)


def _decide(config: Path, name: str, as_json: bool, *, stopped: bool) -> None:
    from node.holder.banks import set_stopped

    async def work(holder: Holder) -> dict[str, Any]:
        party, by = await _member(holder, name), getpass.getuser()
        await holder.store.run(lambda c: set_stopped(holder, c, party, by, stopped=stopped))
        return {"bank": str(party), "stopped": stopped}

    emit(run(config, work), as_json)


def _bank(holder: Holder, name: str) -> SpiffeId:
    """The bank that a name or an id means."""
    try:
        if name.startswith("spiffe://"):
            return SpiffeId.parse(name)
        return SpiffeId(holder.config.trust_domain, Role.BANK, name)
    except IdentityError as error:
        raise NodeError(f"bank: {error}") from error


async def _member(holder: Holder, name: str) -> SpiffeId:
    """The same, of a bank that is known."""
    from node.holder.banks import require_bank

    return await require_bank(holder, _bank(holder, name))
