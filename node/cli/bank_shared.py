"""What the bank's commands share: options, running on the node's state, tables and errors."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from node.bank.errors import BankError, Rejected, ScorecardRefused
from node.cli.output import LANGUAGE, emit, guard, language_of
from node.config import BankConfig, load

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from node.bank.bank import Bank

T = TypeVar("T")

Config = Annotated[Path, typer.Option("--config", help="The node's configuration. / 配置文件")]
ModelOption = Annotated[
    str, typer.Option("--model", help="name, name@version, chain:name, or 8 digits of the hash.")
]
ChainOption = Annotated[
    str, typer.Option("--chain", help="A peer chain; the own one unless given. / 征信链")
]
DEFAULT = Path("node.toml")

_HEADINGS = {
    "model": ("模型", "Model"),
    "certificate": ("证书", "Certificate"),
    "form": ("形式", "Form"),
    "until": ("有效期至", "Valid until"),
    "installed": ("已安装", "Installed"),
    "counted": ("计入历史至", "Counts until"),
    "prepared": ("已准备（期：桶）", "Prepared (epoch: buckets)"),
    "epoch": ("数据期", "Epoch"),
    "state": ("状态", "State"),
    "opens": ("开放（UTC）", "Opens (UTC)"),
    "closes": ("关闭（UTC）", "Closes (UTC)"),
    "enterprises": ("企业数", "Enterprises"),
    "chain": ("征信链", "Chain"),
    "age": ("目录时间", "Directory age"),
    "models": ("模型数", "Models"),
}


def run(
    config: Path,
    work: Callable[[Bank], Coroutine[Any, Any, T]],
    lang: str = LANGUAGE,
    passing: type[Exception] | tuple[type[Exception], ...] = (),
    *,
    workers: bool = True,
) -> T:
    """Runs `work` on the node's state; the agent may be serving meanwhile. Errors but `passing`
    end the program with one line. Without `workers` there is no lattice work, and a faster start.
    """

    from node.observability import logging

    # Standard output is the result's alone.
    logging.configure("warning", "console")

    async def inner() -> T:
        from node.bank.bank import Bank
        from node.runtime import running

        async with running(load(BankConfig, config)) as runtime:
            if workers:
                await runtime.pool.start()
            return await work(Bank(runtime))

    with told(lang, passing):
        return asyncio.run(inner())


@contextmanager
def told(lang: str, passing: type[Exception] | tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Tells the agent's own errors in the chosen language, all others as every command does."""
    passed: list[Exception] = []
    with guard():
        try:
            yield
        except passing as error:
            passed.append(error)
        except BankError as error:
            if language_of(lang) == "en":
                raise
            why = f"（{error.why}）" if isinstance(error, Rejected) else ""
            problem, remedy = error.problem("zh"), error.remedy("zh")
            sys.stderr.write(f"yinxin: {error.field}：{problem}{why}；{remedy}\n")
            raise SystemExit(1) from error
    if passed:
        raise passed[0]


def show_card(result: dict[str, Any], lang: str) -> RenderableType:
    """A query's result as a card."""
    from node.bank.card import card
    from scoring.profile import Profile

    language = language_of(lang)
    epoch = "期" if language == "zh" else "epoch"
    footer = f"{result['chain']} · {result['model']} · {epoch} {result['epoch']}"
    return card(
        Profile.build(result["profile"]),
        result["uscc"],
        language,
        f"{footer} · {result['id']}",
    )


def show_joint(result: dict[str, Any], lang: str) -> RenderableType:
    """The result of a question to several chains, side by side."""
    from node.bank.comparison import comparison

    return comparison(result, language_of(lang))


_CHAIN_STATES = {"own": "本链", "pinned": "已信任", "withdrawn": "已撤销", "expired": "已过期"}


def chains_table(chains: Sequence[dict[str, Any]], lang: str) -> Table:
    """The chains for people."""
    zh = language_of(lang) == "zh"
    table = _table(("chain", "state", "age", "until", "enterprises", "models"), lang)
    for chain in chains:
        state, age = chain["state"], chain["directory_age"]
        table.add_row(
            chain["chain"],
            _CHAIN_STATES[state] if zh else state,
            "–" if age is None else _age(age, zh=zh),
            "–" if chain["until"] is None else _day(chain["until"]),
            str(chain["enterprises"]),
            str(chain["models"]),
        )
    return table


def _age(seconds: int, *, zh: bool) -> str:
    """A duration in the largest unit that leaves two or more of it."""
    for length, english, chinese in ((3600, "h", "小时"), (60, "min", "分钟")):
        if seconds >= 2 * length:
            return f"{seconds // length} {chinese if zh else english}"
    return f"{seconds} {'秒' if zh else 's'}"


def models_table(models: Sequence[dict[str, Any]], lang: str) -> Table:
    """Models for people."""
    columns = ("model", "chain", "certificate", "form", "until", "installed", "prepared")
    table = _table(columns, lang)
    for model in models:
        holders = model["participants"]
        installed = sum(holder["installed"] for holder in holders)
        prepared = ", ".join(
            f"{p['epoch']}: {p['prepared']}/{p['buckets']}" for p in model["prepared"]
        )
        table.add_row(
            f"{model['name']}@{model['version']}",
            model["chain"],
            model["certificate"][:12],
            model["form"],
            _day(model["not_after"]),
            f"{installed}/{len(holders)}",
            prepared or "–",
        )
    return table


_STATES = {"valid": "有效", "withdrawn": "已撤回", "expired": "已过期"}


def history_table(models: Sequence[dict[str, Any]], lang: str) -> Table:
    """Models with what became of them, and until when later scorecards are judged with them."""
    columns = ("model", "chain", "certificate", "form", "state", "until", "counted")
    table = _table(columns, lang)
    for model in models:
        state = model["state"]
        table.add_row(
            f"{model['name']}@{model['version']}",
            model["chain"],
            model["certificate"][:12],
            model["form"],
            _STATES[state] if language_of(lang) == "zh" else state,
            _day(model["withdrawn"] or model["not_after"]),
            _day(model["counted_until"]) if model["counted"] else "–",
        )
    return table


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def status_text(view: dict[str, Any], lang: str) -> RenderableType:
    """The node's state for people."""
    from rich.console import Group
    from rich.text import Text

    zh = language_of(lang) == "zh"
    queries, entries = view["queries"], sum(view["log_entries"].values())
    lines = [
        f"{view['bank']} · {view['chain']}",
        f"{'企业' if zh else 'enterprises'} {view['enterprises']} · "
        f"{'模型' if zh else 'models'} {view['models']} · "
        f"{'日志条目' if zh else 'log entries'} {entries}",
        f"{'查询' if zh else 'queries'}: "
        f"{queries['answered']} {'已答复' if zh else 'answered'}, "
        f"{queries['open']} {'未完成' if zh else 'open'}, "
        f"{queries['rejected']} {'未通过校验' if zh else 'rejected'}",
    ]
    table = _table(("epoch", "state", "opens", "closes", "enterprises"), lang)
    for epoch in view["epochs"]:
        opens, closes = (
            datetime.fromtimestamp(epoch[name], UTC)
            .isoformat(" ", "minutes")
            .removesuffix("+00:00")
            for name in ("opens", "closes")
        )
        number, firms = str(epoch["epoch"]), str(epoch["enterprises"])
        table.add_row(number, epoch["state"], opens, closes, firms)
    return Group(*(Text(line) for line in lines), table)


def show_refusal(error: ScorecardRefused, lang: str, as_json: bool) -> NoReturn:
    """What the policy refuses a scorecard for: the worst figure about each feature."""
    from node.cli.model_tables import failures_table

    language = language_of(lang)
    items = [item.model_dump(mode="json") for item in error.report.failures]
    shown = None if as_json else failures_table(items, lang)
    emit({"passed": False, "failures": items}, as_json, shown)
    sys.stderr.write(f"yinxin: {error.problem(language)}; {error.remedy(language)}\n")
    raise SystemExit(1)


def _table(columns: Sequence[str], lang: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        zh, en = _HEADINGS[column]
        table.add_column(zh if language_of(lang) == "zh" else en, overflow="fold")
    return table
