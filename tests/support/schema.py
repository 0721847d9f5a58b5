"""Databases that have the program's schema already, made once by its own migrations.

They take 50 ms of work on SQLite, 300 ms on PostgreSQL, and most tests that have a node begin with
a new database. `Store.open` looks at each all the same, and finds nothing to do. Nodes in processes
of their own migrate as they always do.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Engine

from node.storage import open_engine, store, upgrade


@contextlib.contextmanager
def migrated(folder: Path) -> Iterator[None]:
    """Meanwhile `Store.open` makes a new SQLite database as a copy of one in `folder`."""

    @cache
    def template() -> Path:
        path = folder / "template.sqlite"
        prepare(f"sqlite:///{path}")
        return path

    def prepared(engine: Engine) -> str:
        if engine.dialect.name == "sqlite":
            _copy(template(), Path(str(engine.url.database)))
        return upgrade(engine)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "upgrade", prepared)
        yield


def prepare(url: str) -> None:
    """Brings a database up to date, and leaves it to others."""
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()


def _copy(template: Path, database: Path) -> None:
    """Unless it is there. What stands in the way is for the program to find and to say."""
    if database.exists():
        return
    copy = database.with_name(f"{database.name}.{threading.get_ident()}")
    with contextlib.suppress(OSError):
        database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(template, copy)
        copy.chmod(0o600)
        try:
            os.link(copy, database)  # as one step, and never over what another thread began
        finally:
            copy.unlink()
