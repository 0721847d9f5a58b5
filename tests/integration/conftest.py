"""Chains of real processes, each for a few files, and always ended.

The files of one chain stand together in `support.order`. With the last of them it ends, for a chain
at which nobody looks still takes a fifth of a core.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from federation.identity import Role
from support import order
from support.postgresql import Cluster
from support.running import ON_POSTGRESQL, RunningChain

EXPORTER = Path(__file__).resolve().parents[1] / "support" / "exporter"
GRACE = 4
PROOF = 'permit_policy = "proof"\nperiod = 1'
TLOG = {
    Role.HUB: f"{PROOF}\ngrace = {GRACE}",
    Role.HOLDER: PROOF,
    Role.BANK: "period = 1",
    Role.REGULATOR: "period = 1",
}

_up: list[RunningChain] = []


@contextmanager
def running(chain: RunningChain) -> Iterator[RunningChain]:
    with chain.processes:
        try:
            asyncio.run(chain.up())
            _up.append(chain)
            yield chain
        finally:
            chain.resume_all()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    if nextitem is not None and order.unit(nextitem.nodeid) == order.unit(item.nodeid):
        return
    while _up:
        chain = _up.pop()
        chain.resume_all()
        chain.processes.stop_all()


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


@pytest.fixture(scope="session")
def proof_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningChain]:
    """A chain whose policy is `proof`, and whose hub has little patience."""
    with running(RunningChain(tmp_path_factory.mktemp("chain"), tlog=TLOG)) as found:
        yield found
