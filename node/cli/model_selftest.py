"""`yinxin model`: selftest: attacks, simulations, imports and blind development, run here."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True)
