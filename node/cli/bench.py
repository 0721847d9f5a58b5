"""`yinxin bench`: measure this machine, every figure beside a baseline."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from node.cli.output import progress

app = typer.Typer(add_completion=False)


@app.command()
def bench(
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report as JSON. / 写出 JSON 报告")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="A row or a group of rows; may be repeated. / 只测某行或某组"),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Seconds a row. / 每行秒数")] = 2.0,
    postgresql: Annotated[
        str | None,
        typer.Option(
            help="URL of a PostgreSQL server, of a user that may create databases; "
            "the rows use a database of their own. / PostgreSQL 地址"
        ),
    ] = None,
) -> None:
    """Measure each step beside a baseline; ratios count. / 测量本机性能，以比值为准"""
    from node.bench import Meter, Setting, choose, run
    from node.bench.errors import BenchError
    from node.bench.report import to_dict, to_table

    rows, meter = choose(only or ()), Meter(seconds)
    if json_file is not None and not json_file.parent.is_dir():
        raise BenchError(f"--json {json_file}: there is no folder {json_file.parent}; make it")
    with tempfile.TemporaryDirectory(prefix="yinxin-bench-") as folder, progress(False) as bar:
        names = [row.name for row in rows]
        task = bar.add_task("bench", total=len(rows))

        def tell(name: str) -> None:
            bar.update(task, description=name, completed=names.index(name))

        report = asyncio.run(run(rows, Setting(Path(folder), postgresql), meter, tell))
        bar.update(task, completed=len(rows))
    if json_file is not None:
        text = json.dumps(to_dict(report), ensure_ascii=False, indent=2) + "\n"
        try:
            json_file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise BenchError(f"--json {json_file}: {error.strerror}; name another file") from error
    Console().print(to_table(report))
    for name, reason in report.left_out.items():
        sys.stderr.write(f"{name}: left out, {reason}\n")
