"""`yinxin hub catalogue`: proposed, looked at, published, and what that breaks."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from sqlalchemy import Connection

from node.cli import hub_statistics
from node.cli.output import LANGUAGE, AsJson, Lang, emit, fail, language_of
from node.config import HubConfig, load
from node.hub import publication
from node.hub.impact import impact_of
from node.hub.proposals import propose_catalogue, withdraw_proposal
from node.hub.publication import Hub
from node.runtime import running

if TYPE_CHECKING:
    from scoring.catalogue import Catalogue

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="The chain's list of features. / 特征目录")
app.command("build")(hub_statistics.build)

File = Annotated[Path, typer.Argument(help="The catalogue, JSON. / 特征目录文件")]
Config = Annotated[Path, typer.Option("--config", help="The node's configuration. / 节点配置")]
DEFAULT = Path("node.toml")

_ASKED = {
    "zh": "目录 {version} 会使上述评分卡或映射失效，是否发布？",
    "en": "Catalogue {version} breaks what is shown above. Publish it?",
}
_REFUSED = {
    "zh": "目录 {version} 会使上述评分卡或映射失效；先用 propose 公示，或加 --accept-breaking",
    "en": "catalogue {version} breaks what is shown above; propose it first, "
    "or publish it with --accept-breaking",
}


@app.command()
def impact(
    file: File, config: Config = DEFAULT, lang: Lang = LANGUAGE, as_json: AsJson = False
) -> None:
    """Show what publishing a catalogue would break. / 查看发布新目录的影响"""
    parsed = _read(file)
    found = _impact(config, parsed)
    _show({**_named(parsed), "impact": found}, as_json, lang)


@app.command()
def propose(
    file: File, config: Config = DEFAULT, lang: Lang = LANGUAGE, as_json: AsJson = False
) -> None:
    """Show a catalogue to all members before it is published, without effect. / 公示新目录"""
    parsed = _read(file)
    found = _impact(config, parsed)
    number = _write(config, lambda hub, c: propose_catalogue(hub, c, parsed, _user()))
    _show({**_named(parsed), "proposal": number, "impact": found}, as_json, lang)


@app.command()
def withdraw(config: Config = DEFAULT, lang: Lang = LANGUAGE, as_json: AsJson = False) -> None:
    """Take the proposed catalogue back. / 撤回公示"""
    _write(config, lambda hub, c: withdraw_proposal(hub, c, _user()))
    text = "公示已撤回" if language_of(lang) == "zh" else "The proposal is withdrawn."
    emit({"withdrawn": True}, as_json, None if as_json else text)


@app.command()
def publish(
    file: File,
    accept_breaking: Annotated[
        bool,
        typer.Option(
            "--accept-breaking", help="Also where scorecards or mappings break. / 接受失效"
        ),
    ] = False,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Show what a catalogue breaks, and publish it for the next epochs. / 发布目录"""
    parsed = _read(file)
    found = _impact(config, parsed)
    result = {**_named(parsed), "impact": found}
    if found["breaking"] and not accept_breaking:
        _confirm(result, parsed.version, as_json, lang)
    _write(config, lambda hub, c: publication.publish_catalogue(hub, c, parsed, _user()))
    _show(result, as_json, lang)


def _confirm(result: dict[str, Any], version: str, as_json: bool, lang: str) -> None:
    """Asks whoever sits there; a program has to say so beforehand."""
    language = language_of(lang)
    if as_json or not sys.stdin.isatty():
        _show(result, as_json, lang)
        fail(_REFUSED[language].format(version=version))
    _show(result, as_json, lang)
    typer.confirm(_ASKED[language].format(version=version), abort=True, err=True)


def _show(result: dict[str, Any], as_json: bool, lang: str) -> None:
    from rich.console import Group
    from rich.text import Text

    from node.cli.impact_tables import hub_page

    head = f"{result['catalogue']} · {result['digest']}"
    page = None if as_json else Group(Text(head), hub_page(result["impact"], lang))
    emit(result, as_json, page)


def _user() -> str:
    """The account that runs the command, for the log."""
    return getpass.getuser()


def _named(catalogue: Catalogue) -> dict[str, Any]:
    return {"catalogue": catalogue.version, "digest": catalogue.digest().hex()}


def _read(file: Path) -> Catalogue:
    from scoring.catalogue import Catalogue

    try:
        return Catalogue.from_json(file.read_bytes())
    except OSError as error:
        fail(f"{file}: cannot be read ({error.strerror})")


def _impact(config: Path, catalogue: Catalogue) -> dict[str, Any]:
    async def work() -> dict[str, Any]:
        async with running(load(HubConfig, config), workers=1) as hub:
            found = await hub.store.read(lambda c: impact_of(hub, c, catalogue))
            return {**asdict(found), "breaking": found.breaking}

    return asyncio.run(work())


def _write(config: Path, unit: Callable[[Hub, Connection], T]) -> T:
    async def work() -> T:
        async with running(load(HubConfig, config), workers=1) as hub:
            return await hub.store.run(lambda connection: unit(hub, connection))

    return asyncio.run(work())
