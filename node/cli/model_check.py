"""`yinxin model`: check and explain: what policy says, before and after the regulator."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)
