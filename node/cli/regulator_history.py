"""`yinxin regulator models` and `model withdraw`: what is certified, and taking it back."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from node.cli.output import LANGUAGE, AsJson, Lang, emit, language_of
from node.cli.regulator_shared import DEFAULT, Config, run
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator

_HEADINGS = {
    "model": ("模型", "Model"),
    "certificate": ("证书", "Certificate"),
    "bank": ("银行", "Bank"),
    "form": ("形式", "Form"),
    "state": ("状态", "State"),
    "until": ("至", "Until"),
    "counted": ("计入历史至", "Counts until"),
}
_STATES = {
    "valid": ("有效", "valid"),
    "withdrawn": ("已撤回", "withdrawn"),
    "expired": ("已过期", "expired"),
    "untold": ("已撤回，平台未收到", "withdrawn, hub not told"),
}


def models(config: Config = DEFAULT, lang: Lang = LANGUAGE, as_json: AsJson = False) -> None:
    """The certified models of all banks, and until when each counts. / 已认证模型"""
    from node.regulator.listing import model_views

    found = run(config, model_views)
    emit({"models": found}, as_json, None if as_json else _table(found, lang))


def withdraw(
    model: Annotated[str, typer.Argument(help="8 or more digits of the certificate's hash.")],
    yes: Annotated[bool, typer.Option("--yes", help="Without asking. / 不再询问")] = False,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Withdraw a bank's model for ever; the serving node tells the hub. / 撤回模型，不可恢复"""
    from node.regulator.listing import find_model
    from node.regulator.withdrawals import withdraw as withdraw_model

    async def work(regulator: Regulator) -> dict[str, Any]:
        found = await find_model(regulator, model)
        if not yes:
            _confirm(found)
        digest = bytes.fromhex(found["certificate"])
        await withdraw_model(regulator, digest, regulator.identity.id, getpass.getuser())
        return await find_model(regulator, found["certificate"])

    view = run(config, work)
    emit(view, as_json, None if as_json else _table([view], lang))


def _confirm(view: dict[str, Any]) -> None:
    if not sys.stdin.isatty():
        raise RegulatorError("nobody is there to ask; add --yes")
    named = f"{view['name']} ({view['bank']}, {view['certificate'][:12]})"
    if not typer.confirm(f"Withdraw {named} for ever? / 永久撤回该模型？", err=True):
        raise RegulatorError("not withdrawn")


def _table(found: list[dict[str, Any]], lang: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    which = 0 if language_of(lang) == "zh" else 1
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column, names in _HEADINGS.items():
        whole = column in {"certificate", "until", "counted"}
        table.add_column(names[which], overflow="fold", no_wrap=whole)
    for one in found:
        untold = one["state"] == "withdrawn" and not one["delivered"]
        table.add_row(
            one["name"],
            one["certificate"][:8],
            one["bank"].rpartition("/")[2],
            one["form"],
            _STATES["untold" if untold else one["state"]][which],
            _day(one["withdrawn"] or one["not_after"]),
            _day(one["counted_until"]) if one["counted"] else "–",
        )
    return table


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
