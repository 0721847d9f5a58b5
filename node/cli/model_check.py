"""`yinxin model`: check and explain: what policy says, before and after the regulator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.bank_shared import DEFAULT, Config, run
from node.cli.model_options import EarlierOption, PastOption, ThresholdsOption
from node.cli.output import LANGUAGE, AsJson, Lang, emit, fail, guard, language_of, progress

if TYPE_CHECKING:
    from federation.policy import Earlier
    from node.bank.bank import Bank
    from node.bank.history import Explained
    from node.models.report.compose import Subject
    from scoring.catalogue import Catalogue
    from scoring.scorecard import Scorecard

app = typer.Typer(no_args_is_help=True)

Html = Annotated[Path | None, typer.Option("--html", help="Write the report as a page. / 网页报告")]
Pdf = Annotated[Path | None, typer.Option("--pdf", help="Write it as PDF. / PDF 报告")]
Judgements = Annotated[
    int,
    typer.Option(min=0, max=200, help="Changed scorecards to judge; 0: no remedies. / 试改次数"),
]
Catalogues = Annotated[
    list[Path] | None,
    typer.Option("--catalogue", help="The catalogue, JSON; may be repeated. / 特征目录"),
]


@app.command()
def check(
    scorecard: Annotated[Path, typer.Argument(help="The scorecard, JSON. / 评分卡")],
    catalogue: Catalogues = None,
    earlier: EarlierOption = None,
    past: PastOption = None,
    thresholds: ThresholdsOption = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Judge with this node's own models, too. / 节点配置"),
    ] = None,
    html: Html = None,
    pdf: Pdf = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the mended scorecard, where one passes. / 修改后")
    ] = None,
    judgements: Judgements = 12,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Judge a scorecard as the regulator will, before it is submitted. / 送审前自查"""
    from federation.policy.submission import Submission
    from node.bank.files import write_file
    from node.models.checking import catalogue_for, read_earlier, read_thresholds
    from node.models.checking import check as judged
    from node.models.reading import read_catalogue, read_scorecard
    from node.models.report.compose import Subject

    if not catalogue and config is None:
        fail("--catalogue: give the catalogue, or --config to take the node's own", code=2)
    with guard():
        card = read_scorecard(scorecard)
        published = [read_catalogue(path) for path in catalogue or ()]
        limits = read_thresholds(thresholds)
    before: tuple[Earlier, ...] = ()
    if config is not None:
        own, before = run(config, lambda bank: _own(bank, card, published), lang, workers=False)
        published.append(own)
    with guard():
        known = catalogue_for(card, published)
        before += read_earlier(earlier or (), published, valid=True)
        before += read_earlier(past or (), published, valid=False)
        with progress(as_json) as bar:
            task = bar.add_task("policy / 规则审查", total=None)
            done = judged(
                Submission(card, known, limits, before),
                judgements,
                lambda made, most: bar.update(
                    task, description="remedies / 修改方案", completed=made, total=most
                ),
            )
        subject = Subject(card, known, done.report, done.remedies, earlier=len(before))
        files = _write(subject, html, pdf, lang)
        whole = done.remedies.whole if done.remedies else None
        if out is not None and whole is not None:
            write_file(out, (whole.to_json() + "\n").encode())
            files.append(str(out))
    _show(subject, files, lang, as_json)


@app.command()
def explain(
    reference: Annotated[
        str, typer.Argument(help="A model, or a refused submission: its id or name. / 模型或送审")
    ],
    html: Html = None,
    pdf: Pdf = None,
    judgements: Judgements = 0,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Show the regulator's verdict on a certified or a refused scorecard. / 查看认证结论"""
    from federation.policy import PolicyReport, PolicyThresholds
    from federation.policy.remedy import remedies
    from federation.policy.submission import Submission
    from node.models.report.compose import Subject

    found, before, bank = run(config, lambda bank: _found(bank, reference), lang, workers=False)
    with guard():
        report = PolicyReport.from_json(found.verdict.report)
        mended = None
        if judgements and not report.passed:
            limits = report.thresholds or PolicyThresholds()
            submission = Submission(found.scorecard, found.catalogue, limits, before)
            with progress(as_json) as bar:
                task = bar.add_task("remedies / 修改方案", total=judgements)
                mended = remedies(
                    submission,
                    report,
                    judgements,
                    lambda made, most: bar.update(task, completed=made, total=most),
                )
        subject = Subject(
            scorecard=found.scorecard,
            catalogue=found.catalogue,
            report=report,
            remedies=mended,
            bank=bank,
            decided=found.decided,
            certificate=found.certificate,
            salted=found.verdict.hash,
        )
        files = _write(subject, html, pdf, lang)
    _show(subject, files, lang, as_json)


async def _own(
    bank: Bank, card: Scorecard, published: list[Catalogue]
) -> tuple[Catalogue, tuple[Earlier, ...]]:
    """The chain's catalogue for the scorecard, unless one was given, and the bank's models."""
    from node.bank.history import certified_before
    from node.bank.scorecards import check_scorecard

    before = await certified_before(bank.agent)
    for catalogue in published:
        if catalogue.version == card.catalogue_version:
            return catalogue, before
    _, catalogue = await check_scorecard(bank.agent.chains.home, card.to_json(), ())
    return catalogue, before


async def _found(bank: Bank, reference: str) -> tuple[Explained, tuple[Earlier, ...], str]:
    from node.bank.history import certified_before, explained

    found = await explained(bank.agent, reference)
    return found, await certified_before(bank.agent, found.chain), str(bank.agent.id)


def _write(subject: Subject, html: Path | None, pdf: Path | None, lang: str) -> list[str]:
    """The report's files; they quote the scorecard, so that nobody else may read them."""
    from node.bank.files import write_file
    from node.models.report.page import page
    from node.models.report.pdf import pdf as printed

    files = []
    for path, make in ((html, page), (pdf, printed)):
        if path is not None:
            write_file(path, make(subject, language_of(lang)))
            files.append(str(path))
    return files


def _show(subject: Subject, files: list[str], lang: str, as_json: bool) -> None:
    """Prints the report; exit code 1 for a scorecard that does not pass."""
    from node.models.report.compose import compose
    from node.models.report.terminal import as_data, text

    data: dict[str, Any] = {**as_data(subject), "files": files}
    view = None if as_json else text(compose(subject, language_of(lang)), files)
    emit(data, as_json, view)
    if not subject.report.passed:
        raise typer.Exit(1)
