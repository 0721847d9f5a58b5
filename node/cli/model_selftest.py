"""`yinxin model selftest`: attacks, simulations, imports and blind development, run here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.output import LANGUAGE, Lang, guard, language_of, progress

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(no_args_is_help=True)

_TITLES = {
    "attacks": ("攻击", "Attacks"),
    "simulated": ("模拟", "Simulated"),
    "imports": ("导入", "Imports"),
    "rounding": ("取整", "Rounding"),
    "blind_development": ("无数据建模", "Blind development"),
}


@app.command()
def selftest(
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures to this file. / 结果文件")
    ] = None,
    models: Annotated[
        int, typer.Option(min=1, help="Accepted scorecards to simulate. / 模拟的评分卡数")
    ] = 1_000,
    only: Annotated[
        list[str] | None, typer.Option(help="A part; all unless given; may be repeated. / 部分")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes. / 进程数")] = 2,
    lang: Lang = LANGUAGE,
) -> None:
    """Mount every attack on certification and measure the desk: 8 minutes on 2 cores. / 自检"""
    from rich.console import Console

    from node.files import replacing
    from node.models.selftest.whole import PARTS, SelftestError, failures, run

    wrong = sorted(set(only or ()) - set(PARTS))
    with guard():
        if wrong:
            raise SelftestError(f"--only: {', '.join(wrong)}: parts are {', '.join(PARTS)}")
        with progress(as_json=False) as bar:
            task = bar.add_task("selftest / 自检", total=None)

            def tell(text: str) -> None:
                done, total = text.split(maxsplit=1)[0].split("/")
                bar.update(task, completed=int(done), total=int(total), description=text)

            found = run({part: not only or part in only for part in PARTS}, models, processes, tell)
        if json_file is not None:
            with replacing(json_file) as path:
                path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    Console().print(_table(found, lang))
    wrong = failures(found)
    for line in wrong:
        typer.echo(line, err=True)
    raise typer.Exit(1 if wrong else 0)


def _table(found: dict[str, Any], lang: str) -> Table:
    from rich.table import Table

    place = 0 if language_of(lang) == "zh" else 1
    without, guess = (("无认证规则时", "猜测"), ("without policy", "guessing"))[place]
    table = Table(*(("部分", "项目", "结果"), ("Part", "What", "Result"))[place])
    for part, titles in _TITLES.items():
        rows = found.get(part, {})
        for number, (name, value) in enumerate(rows.items()):
            shown = _figure(value)
            if part == "attacks":
                gain = found["attack_gains"][name]
                shown += (
                    f" ({without} {gain['without_policy']:.0%}, {guess} {gain['guessing']:.0%})"
                )
            table.add_row(titles[place] if number == 0 else "", name, shown)
        if rows:
            table.add_section()
    return table


def _figure(value: object) -> str:
    """A figure for people: four digits are more than any of them is good for."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_figure(inner)}" for name, inner in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
