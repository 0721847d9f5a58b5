"""`yinxin bank`: a bank's agent. Queries are in `node.cli.bank_queries`."""

from __future__ import annotations

import getpass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from federation.identity import Role
from node.bank.errors import BankError
from node.bank.texts import Code
from node.cli.accounts_node import node_accounts
from node.cli.bank_business import application, batch, loan
from node.cli.bank_queries import evidence, query, verify
from node.cli.bank_quota import quota
from node.cli.bank_shared import (
    DEFAULT,
    ChainOption,
    Config,
    ModelOption,
    chains_table,
    models_table,
    run,
    status_text,
)
from node.cli.enrol import add_enrolment
from node.cli.model_certify import certify
from node.cli.output import LANGUAGE, AsJson, Lang, emit, progress
from node.config import BankConfig, load

if TYPE_CHECKING:
    from node.bank.bank import Bank

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="A bank's agent: certify, prepare, query. / 银行端",
)
add_enrolment(app, Role.BANK)
app.add_typer(node_accounts(BankConfig), name="accounts")
for command in (certify, query, evidence, verify, quota):
    app.command(command.__name__)(command)
for name, group in (("batch", batch), ("application", application), ("loan", loan)):
    app.add_typer(group, name=name)


@app.command("serve")
def serve_command(
    config: Config = DEFAULT,
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Prepare each new epoch by itself. / 自动准备新数据期")
    ] = False,
) -> None:
    """Run the agent until it is told to stop. / 运行银行端"""
    from node.bank.main import build
    from node.runtime import serve

    serve(load(BankConfig, config), partial(build, prepare=prepare))


@app.command()
def status(config: Config = DEFAULT, lang: Lang = LANGUAGE, as_json: AsJson = False) -> None:
    """Chain, epochs, models, queries, log. / 运行状况"""
    from node.bank.views import status_view

    found = run(config, status_view, lang)
    emit(found, as_json, None if as_json else status_text(found, lang))


@app.command()
def token(
    name: Annotated[str, typer.Argument(help="Which system may call. / 调用方名称")],
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Make a bearer token for the REST interface; it is shown this once. / 生成接口令牌"""
    from node.bank.administration import add_token
    from node.bank.tokens import Tokens

    async def work(bank: Bank) -> dict[str, Any]:
        made = await add_token(bank.agent.runtime, name, getpass.getuser())
        return {"name": name, "token": made, "file": str(Tokens.of(bank.agent.config).path)}

    emit(run(config, work, lang, workers=False), as_json)


@app.command()
def models(config: Config = DEFAULT, lang: Lang = LANGUAGE, as_json: AsJson = False) -> None:
    """The certified models. / 已认证模型"""
    from node.bank.views import model_views

    found = run(config, model_views, lang)
    emit({"models": found}, as_json, None if as_json else models_table(found, lang))


@app.command()
def chains(config: Config = DEFAULT, lang: Lang = LANGUAGE, as_json: AsJson = False) -> None:
    """The chains that the bank can ask in, and how old what is known of them is. / 征信链"""
    from node.bank.chains.listing import chain_views

    async def work(bank: Bank) -> list[dict[str, Any]]:
        await bank.agent.chains.refresh()
        return await chain_views(bank.agent)

    found = run(config, work, lang, workers=False)
    emit({"chains": found}, as_json, None if as_json else chains_table(found, lang))


@app.command()
def catalogue(
    out: Annotated[Path, typer.Option(help="Where it goes, JSON. / 输出文件")],
    version: Annotated[str, typer.Option(help="Unless that of the newest epoch. / 版本")] = "",
    chain: ChainOption = "",
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Write the chain's catalogue to a file for `yinxin model`. / 导出特征目录"""
    from node.bank.files import write_file
    from node.bank.scorecards import published_catalogue

    async def work(bank: Bank) -> dict[str, Any]:
        view = await bank.agent.chains.view(chain)
        await view.require()
        found = await published_catalogue(view, version)
        write_file(out, found.to_json().encode())
        return {"catalogue": found.version, "digest": found.digest().hex(), "out": str(out)}

    emit(run(config, work, lang, workers=False), as_json)


@app.command()
def install(
    model: ModelOption = "",
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Bring a model to its holders, where it is missing. / 将模型安装到数据方"""

    async def work(bank: Bank) -> dict[str, Any]:
        found = await bank.agent.model(model)
        with progress(as_json) as bar:
            tasks: dict[str, Any] = {}

            def tell(holder: Any, sent: int, total: int) -> None:
                name = holder.name
                if name not in tasks:
                    tasks[name] = bar.add_task(f"install {name}", total=total)
                bar.update(tasks[name], completed=sent)

            installed = await bank.installation.install(found, tell)
        return {"model": found.name, "installed": [str(holder) for holder in installed]}

    emit(run(config, work, lang), as_json)


@app.command()
def prepare(
    model: ModelOption = "",
    epoch: Annotated[
        int | None, typer.Option(help="An open epoch; the newest unless given. / 数据期")
    ] = None,
    bucket: Annotated[
        list[int] | None, typer.Option(help="A bucket; all unless given; may be repeated. / 桶")
    ] = None,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Fetch and combine the holders' tables; goes on where it stopped. / 准备盲评估表"""

    async def work(bank: Bank) -> dict[str, Any]:
        await bank.agent.chains.refresh()
        found = await bank.agent.model(model)
        await bank.installation.install(found)
        epochs = await bank.sessions.epochs(found)
        chosen = [e for e in epochs if epoch is None or e.number == epoch]
        if not chosen:
            chain = (await bank.agent.chains.view(found.chain)).name
            raise BankError(Code.NO_OPEN_EPOCH, "epoch", chain=chain)
        with progress(as_json) as bar:
            task = bar.add_task("prepare / 准备", total=None)
            made = await bank.preparation.prepare(
                found,
                chosen[0],
                bucket,
                lambda done, total, _: bar.update(task, completed=done, total=total),
            )
        return {
            "model": found.name,
            "epoch": made.epoch,
            "buckets": made.buckets,
            "fetched": made.fetched,
            "bytes": made.bytes,
        }

    emit(run(config, work, lang), as_json)
