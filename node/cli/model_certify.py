"""`yinxin model`: certify, list and withdraw: the regulator's word on a bank's models."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from node.bank.errors import ScorecardRefused
from node.bank.files import read_file
from node.cli.bank_shared import (
    DEFAULT,
    ChainOption,
    Config,
    history_table,
    models_table,
    run,
    show_refusal,
)
from node.cli.output import LANGUAGE, AsJson, Lang, emit, fail, guard, progress

if TYPE_CHECKING:
    from node.bank.bank import Bank

app = typer.Typer(no_args_is_help=True)

_SUBMITTED = "submitted / 已送审"
_KEYS = "keys and weights / 密钥与权重"


@app.command()
def certify(
    scorecard: Annotated[Path, typer.Argument(help="The scorecard, JSON. / 评分卡")],
    disclosed: Annotated[
        list[str] | None,
        typer.Option(help="A feature (kind.name) that consents must name; may be repeated."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Validity in days. / 有效天数")] = 180,
    form: Annotated[str, typer.Option(help="sealed, or open for a published one.")] = "sealed",
    chain: ChainOption = "",
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Have a scorecard certified by the regulator: with --chain by that chain's, for which the own
    one vouches. / 认证评分卡
    """
    from node.bank.certification import Form
    from node.bank.views import model_view

    if form not in get_args(Form):
        fail(f"--form: {form!r} is none of {', '.join(get_args(Form))}", code=2)
    with guard():
        raw = read_file(scorecard, "scorecard").decode("utf-8", errors="replace")

    async def work(bank: Bank) -> dict[str, Any]:
        with progress(as_json) as bar:
            task = bar.add_task(_SUBMITTED, total=None)
            model = await bank.certification.certify(
                raw,
                disclosed=disclosed or (),
                days=days,
                form="open" if form == "open" else "sealed",
                by=getpass.getuser(),
                chain=chain,
                judging=lambda ahead, seconds: bar.update(
                    task, description=_judging(ahead, seconds)
                ),
                progress=lambda done, of: bar.update(
                    task, description=_KEYS, completed=done, total=of
                ),
            )
        return await model_view(bank, model)

    try:
        view = run(config, work, lang, passing=ScorecardRefused)
    except ScorecardRefused as error:
        show_refusal(error, lang, as_json)
    emit(view, as_json, None if as_json else models_table([view], lang))


@app.command("list")
def list_command(config: Config = DEFAULT, lang: Lang = LANGUAGE, as_json: AsJson = False) -> None:
    """The models: valid, withdrawn, expired, and until when each counts. / 模型清单"""
    from node.bank.views import model_views

    found = run(config, model_views, lang, workers=False)
    emit({"models": found}, as_json, None if as_json else history_table(found, lang))


@app.command()
def withdraw(
    model: Annotated[str, typer.Argument(help="name, name@version, or 8 digits of the hash.")],
    yes: Annotated[bool, typer.Option("--yes", help="Without asking. / 不再询问")] = False,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Withdraw a model for ever: nobody answers under it any more. / 撤回模型，不可恢复"""
    from node.bank.views import model_view

    async def work(bank: Bank) -> dict[str, Any]:
        found = await bank.agent.model(model)
        if not yes:
            _confirm(found.name, found.hash)
        done = await bank.withdrawal.withdraw(found, getpass.getuser())
        view = await model_view(bank, found)
        return {**view, "by": str(done.withdrawal.by), "delivered": done.delivered}

    view = run(config, work, lang, workers=False)
    emit(view, as_json, None if as_json else history_table([view], lang))
    if not view["delivered"]:
        sys.stderr.write(
            "yinxin: the hub has not been told yet; until then the model counts as valid. "
            "Repeat this to see.\n平台尚未收到撤回通知；此前该模型仍计为有效，可重复本命令查看。\n"
        )


def _confirm(name: str, digest: bytes) -> None:
    if not sys.stdin.isatty():
        fail("nobody is there to ask; add --yes")
    question = f"Withdraw {name} ({digest.hex()[:12]}) for ever? / 永久撤回该模型？"
    if not typer.confirm(question, err=True):
        fail("not withdrawn")


def _judging(ahead: int, seconds: int) -> str:
    if ahead:
        return f"{ahead} ahead, {seconds} s / 前有 {ahead} 份，{seconds} 秒"
    return f"policy, {seconds} s / 规则审查，{seconds} 秒"
