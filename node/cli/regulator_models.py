"""`yinxin regulator model`: the models that the regulator decided about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from node.cli.output import LANGUAGE, AsJson, Lang, emit, guard, language_of
from node.cli.regulator_shared import DEFAULT, Config, run
from node.regulator.membership import Regulator

if TYPE_CHECKING:
    from node.models.report.compose import Subject

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
    from node.bank.files import write_file
    from node.models.report.compose import compose
    from node.models.report.page import page
    from node.models.report.pdf import pdf
    from node.models.report.terminal import as_data, text
    from node.models.report.texts import LANGUAGES
    from node.regulator.reporting import subject_of

    async def work(regulator: Regulator) -> Subject:
        return await regulator.store.read(lambda c: subject_of(regulator, c, reference))

    with guard():
        subject = run(config, work)
        files = {"policy.html": page(subject, language_of(lang))}
        files |= {f"policy.{language}.pdf": pdf(subject, language) for language in LANGUAGES}
        for name, content in files.items():
            write_file(out / name, content)
    paths = [str(out / name) for name in sorted(files)]
    view = None if as_json else text(compose(subject, language_of(lang)), paths)
    emit({**as_data(subject), "files": paths}, as_json, view)
