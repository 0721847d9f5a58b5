"""`yinxin model develop`: a scorecard from encrypted labels, without data."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from federation.identity import Role, SpiffeId
from node.bank.development.errors import LabelsRefused
from node.cli.bank_shared import DEFAULT, Config, run, told
from node.cli.model_develop_build import build
from node.cli.output import LANGUAGE, AsJson, Lang, emit, fail, language_of, progress

if TYPE_CHECKING:
    from rich.console import RenderableType

    from node.bank.bank import Bank
    from node.bank.development.records import Development
    from scoring.development.counts import Counts

app = typer.Typer(no_args_is_help=True)
develop = typer.Typer(
    no_args_is_help=True,
    help="Develop a scorecard from labels alone: the data stays with its holders. / 无数据建模",
)
app.add_typer(develop, name="develop")
develop.command()(build)

Name = Annotated[str, typer.Option("--name", help="What the development is called. / 任务名称")]
MICRO = 1_000_000
_SENDING = "labels / 标签"
_JUDGED = "judged by the regulator / 监管方审核"
MOST_LINES = 20
"""Reasons of a refusal that are shown to people; `--json` has all."""


@develop.command()
def labels(
    table: Annotated[
        Path, typer.Argument(help="CSV with uscc,outcome: 0 paid, 1 defaulted. / 标签文件")
    ],
    consents: Annotated[
        Path, typer.Option(help="The firms' development consents, JSON lines. / 建模授权文件")
    ],
    participants: Annotated[
        str, typer.Option(help="Holders that are to count, comma-separated. / 数据方，逗号分隔")
    ],
    name: Name,
    epsilon: Annotated[
        float,
        typer.Option(min=0.1, max=20, help="Privacy loss ε in all, at δ = 1e-6. / 隐私预算 ε"),
    ] = 3.0,
    days: Annotated[int, typer.Option(min=1, max=31, help="Validity in days. / 有效天数")] = 14,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Have labels certified and encrypted by the regulator. / 由监管方审核并加密标签"""
    from node.bank.development.lines import read_labels
    from node.bank.development.submitting import Terms

    with told(lang):
        given = read_labels(table, consents)

    async def work(bank: Bank) -> dict[str, Any]:
        holders = tuple(
            _holder(text, bank.agent.root.trust_domain) for text in _split(participants)
        )
        terms = Terms(holders, round(epsilon * MICRO), days=days)
        with progress(as_json) as bar:
            task = bar.add_task(_SENDING, total=None)

            def tell(done: int, of: int) -> None:
                told_of = _SENDING if done < of else _JUDGED
                bar.update(task, completed=done, total=of, description=told_of)

            made = await bank.labels.certify(name, given, terms, getpass.getuser(), tell)
        return _development_view(made)

    try:
        view = run(config, work, lang, passing=LabelsRefused, workers=False)
    except LabelsRefused as refused:
        _show_refusal(refused, lang, as_json)
    emit(view, as_json, None if as_json else _labels_text(view, lang))


@develop.command()
def counts(
    name: Name,
    epoch: Annotated[
        int | None, typer.Option(help="An open epoch; the newest unless given. / 数据期")
    ] = None,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Bring the labels to the holders, and their noisy counts back. / 取回各数据方的加噪计数"""

    async def work(bank: Bank) -> Counts:
        return await bank.counting.fetch(name, epoch)

    found = run(config, work, lang)
    emit(found.model_dump(mode="json"), as_json, None if as_json else _counts_text(found, lang))


def _development_view(development: Development) -> dict[str, Any]:
    asked = development.submission
    return {
        "name": development.name,
        "certificate": development.certificate.hex(),
        "good": development.good,
        "bad": development.bad,
        "participants": [str(holder) for holder in asked.participants],
        "epsilon": asked.epsilon_micro / MICRO,
        "delta": f"1e-{asked.delta_exponent}",
    }


def _show_refusal(refused: LabelsRefused, lang: str, as_json: bool) -> NoReturn:
    """Why, line by line: line n of the submission is line n + 1 of the table."""
    from rich.text import Text

    language = language_of(lang)
    reasons = refused.verdict.reasons(language, above=1)
    shown = reasons[:MOST_LINES]
    if len(reasons) > MOST_LINES:
        more = len(reasons) - MOST_LINES
        shown.append(f"另有 {more} 项，见 --json" if language == "zh" else f"{more} more: --json")
    text = None if as_json else Text("\n".join(f"· {reason}" for reason in shown))
    emit({"passed": False, "reasons": reasons}, as_json, text)
    fail(f"{refused.problem(language)}; {refused.remedy(language)}")


def _labels_text(view: dict[str, Any], lang: str) -> RenderableType:
    """What is certified, and what to do next."""
    from rich.text import Text

    zh = language_of(lang) == "zh"
    who = ", ".join(holder.rpartition("/")[2] for holder in view["participants"])
    total = _totals(view["good"], view["bad"], lang)
    following = f"yinxin model develop counts --name {view['name']}"
    lines = [
        f"{view['name']} · {total} · ε = {view['epsilon']:g} · δ = {view['delta']}",
        f"{'证书' if zh else 'certificate'} {view['certificate']}",
        f"{'计数方：' if zh else 'counted by '}{who}",
        f"{'下一步：' if zh else 'next: '}{following}",
    ]
    return Text("\n".join(lines))


def _totals(good: int, bad: int, lang: str) -> str:
    zh = language_of(lang) == "zh"
    return f"正常 {good} · 违约 {bad}" if zh else f"{good} paid · {bad} defaulted"


def _counts_text(found: Counts, lang: str) -> RenderableType:
    """What came, and how much noise is in it: the tables of WOE are `build`'s."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    zh = language_of(lang) == "zh"
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("数据方" if zh else "Holder", overflow="fold")
    for title in ("特征", "计数") if zh else ("Features", "Counts"):
        table.add_column(title, justify="right")
    for participant in found.participants:
        features = [f for f in found.features if f.holder == participant.holder]
        numbers = sum(2 * len(feature.good) for feature in features)
        table.add_row(participant.holder, str(len(features)), str(numbers))
    noise = f"σ = {found.sigma:.1f}" + (f" · ε = {found.epsilon:.3g}" if found.epsilon else "")
    epoch = f"第 {found.epoch} 期" if zh else f"epoch {found.epoch}"
    head = f"{found.name} · {_totals(found.good, found.bad, lang)} · {noise} · {epoch}"
    following = f"yinxin model develop build --name {found.name} --out card.json"
    return Group(Text(head), table, Text(f"{'下一步：' if zh else 'next: '}{following}"))


def _split(text: str) -> list[str]:
    return [part for part in (raw.strip() for raw in text.split(",")) if part]


def _holder(text: str, domain: str) -> SpiffeId:
    """A SPIFFE id, or the name of a holder of this chain."""
    if text.startswith("spiffe://"):
        return SpiffeId.parse(text)
    return SpiffeId(domain, Role.HOLDER, text)
