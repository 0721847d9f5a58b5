"""`yinxin regulator model`: the models that the regulator decided about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import Connection

from node.cli.output import LANGUAGE, AsJson, Lang, emit, guard, language_of
from node.cli.regulator_shared import DEFAULT, Config, run
from node.regulator.membership import Regulator

if TYPE_CHECKING:
    from node.models.report.compose import Subject
    from scoring.catalogue import Catalogue

app = typer.Typer(no_args_is_help=True, help="Models: what was decided about them. / 模型认证档案")


@app.command("report")
def report_command(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|DIGEST",
            help="Digits of a certificate's hash, of a model's id or of a submission. / 编号",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder for page and PDFs. / 输出文件夹")],
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Write a decision's policy report: a page, and a PDF in each language. / 认证报告"""
    from federation.certificate import ModelCertificate
    from federation.policy import PolicyReport
    from node.bank.files import write_file
    from node.models.report.compose import Subject, compose
    from node.models.report.page import page
    from node.models.report.pdf import pdf
    from node.models.report.terminal import as_data, text
    from node.models.report.texts import LANGUAGES
    from node.regulator.verdicts import Judged, Verdicts
    from scoring.scorecard import Scorecard

    async def work(regulator: Regulator) -> Subject:
        verdicts = Verdicts(regulator.identity.storage)

        def look(connection: Connection) -> tuple[Judged, Catalogue]:
            found = verdicts.find(connection, reference)
            return found, regulator.chain.catalogue(connection, found.catalogue)

        found, catalogue = await regulator.store.read(look)
        signed = found.certificate
        return Subject(
            scorecard=Scorecard.from_json(found.submission.scorecard),
            catalogue=catalogue,
            report=PolicyReport.from_json(found.verdict.report),
            bank=str(found.submission.bank),
            decided=found.decided,
            certificate=ModelCertificate.parse(signed.payload).hash if signed else b"",
            salted=found.verdict.hash,
        )

    with guard():
        subject = run(config, work)
        files = {"policy.html": page(subject, language_of(lang))}
        files |= {f"policy.{language}.pdf": pdf(subject, language) for language in LANGUAGES}
        for name, content in files.items():
            write_file(out / name, content)
    paths = [str(out / name) for name in sorted(files)]
    view = None if as_json else text(compose(subject, language_of(lang)), paths)
    emit({**as_data(subject), "files": paths}, as_json, view)
