"""Chromium, once for each worker, and a walk through pages with it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from support.browser import CHROMIUM, SLOW, Walk, chromium, controlled

expect.set_options(timeout=SLOW)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser beside nodes on a busy machine takes its time."""
    for item in items:
        if item.nodeid.startswith("tests/pages/"):
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def chromium_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running Chromium; `make test` installs it, and without it CI fails."""
    if not CHROMIUM.exists():
        reason = f"{CHROMIUM} is missing; run: make chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with chromium(tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest.fixture
async def walk(
    chromium_address: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Walk]:
    """Looks at pages; screenshots go where `--screenshots` says."""
    folder: str | None = request.config.getoption("--screenshots")
    async with controlled(chromium_address) as browser:
        yield Walk(browser, Path(folder) if folder else tmp_path / "screenshots")
