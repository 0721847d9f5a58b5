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
        typer.Option(min=0.01, max=20, help="Privacy loss ε in all, at δ = 1e-6. / 隐私预算 ε"),
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
            task = bar.add_task("labels / 标签", total=None)
            made = await bank.labels.certify(
                name,
                given,
                terms,
                getpass.getuser(),
                lambda done, of: bar.update(task, completed=done, total=of),
            )
        return _development_view(made)

    try:
        view = run(config, work, lang, passing=LabelsRefused, workers=False)
    except LabelsRefused as refused:
        _show_refusal(refused, lang, as_json)
    emit(view, as_json)


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
    language = language_of(lang)
    reasons = refused.verdict.reasons(language, above=1)
    shown = {"passed": False, "reasons": reasons}
    if not as_json and len(reasons) > MOST_LINES:
        more = len(reasons) - MOST_LINES
        last = f"另有 {more} 项，见 --json" if language == "zh" else f"{more} more: see --json"
        shown["reasons"] = [*reasons[:MOST_LINES], last]
    emit(shown, as_json)
    fail(f"{refused.problem(language)}; {refused.remedy(language)}")


def _counts_text(found: Counts, lang: str) -> RenderableType:
    """What came, and how much noise is in it: the tables of WOE are `build`'s."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    zh = language_of(lang) == "zh"
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in ("数据方", "指标", "计数") if zh else ("Holder", "Features", "Counts"):
        table.add_column(title, overflow="fold")
    for participant in found.participants:
        features = [f for f in found.features if f.holder == participant.holder]
        numbers = sum(2 * len(feature.good) for feature in features)
        table.add_row(participant.holder, str(len(features)), str(numbers))
    labels_ = (
        f"{found.good} 正常 · {found.bad} 违约" if zh else f"{found.good} good · {found.bad} bad"
    )
    noise = f"σ = {found.sigma:.3f}" + (f" · ε = {found.epsilon:g}" if found.epsilon else "")
    epoch = f"{'第' if zh else 'epoch'} {found.epoch}{' 期' if zh else ''}"
    return Group(Text(f"{found.name} · {labels_} · {noise} · {epoch}"), table)


def _split(text: str) -> list[str]:
    return [part for part in (raw.strip() for raw in text.split(",")) if part]


def _holder(text: str, domain: str) -> SpiffeId:
    """A SPIFFE id, or the name of a holder of this chain."""
    if text.startswith("spiffe://"):
        return SpiffeId.parse(text)
    return SpiffeId(domain, Role.HOLDER, text)
