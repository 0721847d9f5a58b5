"""`yinxin model`: import and export: from and to the tools of the trade."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)
