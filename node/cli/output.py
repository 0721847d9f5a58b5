"""What commands print: one result as text for people or JSON for programs, errors as one line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from federation.errors import FederationError
from node.errors import NodeError
from scoring.errors import ScoringError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress

LIST_WIDTH = 60
LANGUAGE: Final = "zh" if os.environ.get("LANG", "").lower().startswith("zh") else "en"
"""Which language people are spoken to unless they say."""

Lang = Annotated[str, typer.Option("--lang", help="zh or en. / 语言")]
"""The option of every command that speaks one language at a time."""
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
"""The option of every command that prints a result."""


def language_of(lang: str) -> str:
    """`zh` or `en`."""
    return "zh" if lang.lower().startswith("zh") else "en"


def emit(result: Mapping[str, Any], as_json: bool, text: RenderableType | None = None) -> None:
    """Prints `result`: as JSON, or as `text`, or as a list of its members."""
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False, indent=2) + "\n")
        return
    from rich.console import Console

    console = Console()
    if text is not None:
        console.print(text)
        return
    for name, value in result.items():
        line = f"{name.replace('_', ' ')}: {_plain(value)}"
        # Not wrapped: an id or a path is there to be copied.
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _plain(value: object) -> str:
    """A value for people: no brackets or quotes; rows, and lists that are long, line by line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        rows = any(isinstance(item, Mapping) for item in value)
        if rows or sum(map(len, items)) > LIST_WIDTH:
            return "".join(f"\n  {item}" for item in items)
        return ", ".join(items) or "–"
    # What other members wrote, such as the fault of their log, commands no terminal.
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in str(value)
    )


@contextmanager
def progress(as_json: bool) -> Iterator[Progress]:
    """A progress bar on standard error; silent with `--json`."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), disable=as_json
    ) as bar:
        yield bar


@contextmanager
def guard() -> Iterator[None]:
    """Turns the project's errors into one line on standard error and exit code 1."""
    try:
        yield
    except (NodeError, FederationError, ScoringError) as error:
        fail(str(error))


def fail(message: str, code: int = 1) -> NoReturn:
    """Prints one line to standard error and exits."""
    sys.stderr.write(f"yinxin: {message}\n")
    raise SystemExit(code)
