"""`yinxin model`: round and compare: points that policy allows, and what they cost."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)
