"""`yinxin regulator model`: the models that the regulator decided about."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Models: what was decided about them. / 模型认证档案")
