"""Chains of real processes: one a session on SQLite, one with PostgreSQL, both always ended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.postgresql import Cluster
from support.running import ON_POSTGRESQL, RunningChain

EXPORTER = Path(__file__).resolve().parents[1] / "support" / "exporter"


@contextmanager
def running(chain: RunningChain) -> Iterator[RunningChain]:
    with chain.processes:
        try:
            asyncio.run(chain.up())
            yield chain
        finally:
            chain.resume_all()


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningChain]:
    """A chain whose nodes all keep their state in SQLite, and export their spans to files."""
    with running(RunningChain(tmp_path_factory.mktemp("chain"), exporter=EXPORTER)) as found:
        yield found


@pytest.fixture(scope="session")
def postgresql_chain(
    tmp_path_factory: pytest.TempPathFactory, postgresql: Cluster
) -> Iterator[RunningChain]:
    """A chain whose hub and one holder keep their state in PostgreSQL."""
    databases = {name: postgresql.create_database() for name in ON_POSTGRESQL}
    with running(RunningChain(tmp_path_factory.mktemp("chain"), databases)) as found:
        yield found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Closing the epoch comes last: nothing can be asked of that chain afterwards."""
    items.sort(key=lambda item: item.path.name == "test_after_close.py")
