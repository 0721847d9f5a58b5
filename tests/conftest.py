"""Fixtures that every test may use; those of one package live in that package's conftest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import settings

from support import order, schema
from tests.support.postgresql import Cluster, programs

# One deterministic profile: a run that fails here fails anywhere, and a loaded machine is no fault.
settings.register_profile("yinxin", deadline=None, derandomize=True, max_examples=50)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "yinxin"))

MEMORY = Path("/dev/shm")
ROOM = 8 << 30
"""The whole suite takes less than a half of it, and nodes and their workers some more."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=6, help="nodes killed under load")
    parser.addoption("--long", action="store_true", help="the long form of tests that have one")
    parser.addoption("--screenshots", help="a folder for pictures of the pages that tests look at")


def pytest_configure() -> None:
    """Folders of tests lie in memory where that has room for all of them: nodes wait for the disk
    at every commit, and the wait is longer than the work.
    """
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK):
        free = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
        if free > ROOM:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order.sort(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """`--dist loadfile` knows which files share a chain, and takes them in the order of above."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return order.TogetherScheduling(config, log)


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How often nodes are killed at random; `make torture` says more."""
    count: int = request.config.getoption("--kills")
    return count


@pytest.fixture
def long_form(request: pytest.FixtureRequest) -> bool:
    """Whether a test is to take the time that its long form needs, as in `make torture`."""
    return bool(request.config.getoption("--long"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    """A running PostgreSQL server; `make test` installs it, and without it CI fails."""
    binaries = programs()
    if binaries is None:
        reason = "no PostgreSQL server is installed; run: make postgresql"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with Cluster(binaries) as cluster:
        yield cluster


@pytest.fixture(scope="session", autouse=True)
def schema_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The program's migrations run once, and not for the new database of every test."""
    with schema.migrated(tmp_path_factory.mktemp("schema")):
        yield


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new database, once on each kind that Yinxin supports."""
    yield from _databases(request, tmp_path, empty=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """As `database_url`, and `upgrade` has everything to do in it."""
    yield from _databases(request, tmp_path, empty=True)


def _databases(request: pytest.FixtureRequest, tmp_path: Path, *, empty: bool) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/node.sqlite"
        return
    cluster: Cluster = request.getfixturevalue("postgresql")
    url = cluster.create_database(empty=empty)
    yield url
    cluster.drop_database(url)
