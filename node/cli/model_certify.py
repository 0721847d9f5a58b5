"""`yinxin model`: certify and withdraw: the regulator's word on a model."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)
