"""`yinxin model`: scores, outcomes and trial: what became of models in use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.bank.files import read_file
from node.cli.bank_shared import DEFAULT, Config, ModelOption, run
from node.cli.output import LANGUAGE, AsJson, Lang, emit, guard

if TYPE_CHECKING:
    from node.bank.bank import Bank
    from node.models.production.trial import Trial

app = typer.Typer(no_args_is_help=True)
trials = typer.Typer(
    no_args_is_help=True, help="Champion and challenger, within certification. / 冠军挑战者试验"
)
app.add_typer(trials, name="trial")

TrialFile = Annotated[Path, typer.Argument(help="The trial, yinxin-trial/1, TOML. / 试验文件")]


@app.command()
def scores(
    model: ModelOption = "",
    development: Annotated[
        list[Path] | None,
        typer.Option(help="A model's development distribution; repeatable. / 开发样本分布"),
    ] = None,
    fail_over: Annotated[
        float | None,
        typer.Option(min=0, help="Exit 2 if a PSI of the latest epoch is above. / 告警阈值"),
    ] = None,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Scores by model and epoch: coverage, drift, AUC and KS by outcomes. / 模型监测"""
    from node.cli.model_watch_tables import scores_view
    from node.models.production.keeping import gather
    from node.models.production.watching import watch, worst
    from node.models.reading import read_distribution

    with guard():
        bases = [read_distribution(path) for path in development or ()]

    async def work(bank: Bank) -> Any:
        only = (await bank.agent.model(model)).hash if model else None
        return only, await gather(bank)

    only, (results, cards, outcomes) = run(config, work, lang, workers=False)
    if only is not None:
        results = [r for r in results if r.certificate == only]
    with guard():
        models = watch(results, cards, outcomes, {base.model: base for base in bases})
    psi = worst(models)
    found = {"models": models, "worst_psi": psi}
    emit(found, as_json, None if as_json else scores_view(models, lang))
    if fail_over is not None and psi > fail_over:
        raise typer.Exit(2)


@app.command()
def outcomes(
    file: Annotated[
        Path, typer.Argument(help="CSV: query or reference, outcome, date. / 结果文件")
    ],
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Keep what became of firms that were asked about, sealed; `scores` then has AUC and KS.
    / 导入贷后结果
    """
    from node.models.production.outcomes import OutcomeRecords, match, read_outcomes
    from node.models.production.results import answered

    with guard():
        lines = read_outcomes(read_file(file, "outcomes").decode("utf-8", errors="replace"))

    async def work(bank: Bank) -> dict[str, Any]:
        matched = match(lines, await answered(bank))
        records = OutcomeRecords(bank.agent.runtime.identity.storage)
        await bank.agent.write(lambda c: records.put(c, matched.outcomes))
        return {
            "lines": len(lines),
            "queries": len(matched.outcomes),
            "bad": sum(outcome.bad for outcome in matched.outcomes.values()),
            "unknown_lines": list(matched.unknown),
            "known_before_the_query": list(matched.known_before),
        }

    found = run(config, work, lang, workers=False)
    emit(found, as_json)
    if found["unknown_lines"]:
        raise typer.Exit(1)


@trials.command("ask")
def trial_ask(
    trial: TrialFile,
    consent: Annotated[Path, typer.Option(help="File with the consent (compact JWS). / 授权书")],
    purpose: Annotated[str, typer.Option(help="Purpose: 02 or loan_approval … / 用途")] = "02",
    officer: Annotated[str, typer.Option(help="Pseudonym of the officer. / 经办人化名")] = "",
    reference: Annotated[str, typer.Option(help="Application or loan. / 业务编号")] = "",
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: the same one has the same results.")
    ] = None,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Ask about a firm as the trial says: with both models, two uses, or with one. / 按试验查询"""
    from rich.console import Group

    from node.bank.asking import Ask
    from node.cli.bank_shared import show_card
    from node.models.production.trial import ask

    read = _trial(trial)
    with guard():
        compact = read_file(consent, "consent").decode("ascii", errors="replace").strip()

    async def work(bank: Bank) -> list[dict[str, Any]]:
        await bank.agent.sync.sync()
        question = Ask(compact, purpose, officer, reference)
        own = None if key is None else f"cli {key}"
        return [answer.result for answer in await ask(bank, read, question, own)]

    found = run(config, work, lang)
    shown = None if as_json else Group(*(show_card(result, lang) for result in found))
    emit({"trial": read.name, "decides": found[0]["id"], "answers": found}, as_json, shown)


@trials.command("report")
def trial_report(
    trial: TrialFile,
    cut_off: Annotated[
        list[int] | None, typer.Option(help="Approve from this score; repeatable. / 通过分数线")
    ] = None,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """What the trial has shown so far: scores, who would be decided otherwise, AUC. / 试验结果"""
    from node.cli.model_watch_tables import trial_view
    from node.models.comparison import CUT_OFFS
    from node.models.production.keeping import gather
    from node.models.production.trial import models_of, report

    read = _trial(trial)

    async def work(bank: Bank) -> dict[str, Any]:
        models = await models_of(bank, read)
        results, _, known = await gather(bank)
        return report(read, models, results, known, cut_off or CUT_OFFS)

    found = run(config, work, lang, workers=False)
    emit(found, as_json, None if as_json else trial_view(found, lang))


def _trial(path: Path) -> Trial:
    from node.models.production.trial import Trial
    from node.models.reading import read_toml

    with guard():
        return Trial.build(read_toml(path, "trial"))
