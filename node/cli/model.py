"""`yinxin model`: the model desk of a bank. Its commands are in `node.cli.model_*`."""

from __future__ import annotations

import typer

from node.cli import (
    model_certify,
    model_check,
    model_develop,
    model_impact,
    model_import,
    model_round,
    model_selftest,
    model_watch,
)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="The model desk: scorecards in, and what became of them. / 模型工作台",
)
for part in (
    model_import,
    model_check,
    model_round,
    model_certify,
    model_impact,
    model_develop,
    model_watch,
    model_selftest,
):
    app.add_typer(part.app)
