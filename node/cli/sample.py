"""`yinxin sample`: holder files of firms that do not exist."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from node.cli.output import AsJson, emit, progress

app = typer.Typer(add_completion=False)


@app.command()
def sample(
    enterprises: Annotated[int, typer.Option(help="How many firms. / 企业数")] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same firms. / 随机种子")] = 1,
    out: Annotated[Path, typer.Option(help="Folder to write to. / 输出目录")] = Path("sample"),
    month_before: Annotated[
        bool,
        typer.Option("--month-before", help="The same firms a month earlier. / 同批企业上月数据"),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Generate holder files, mapping files and a roster. / 生成示例数据"""
    from node.sample import generate

    with progress(as_json) as bar:
        task = bar.add_task("sample", total=None)
        generate(
            enterprises,
            seed,
            out,
            month_before=month_before,
            progress=lambda name: bar.update(task, description=name),
        )
    emit({"enterprises": enterprises, "seed": seed, "out": str(out)}, as_json)
