"""A chain for this folder's tests, and a bank in it for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.chain import Chain
from tests.node.bank.world import World, world


@pytest.fixture(scope="session")
def bank_chain() -> Chain:
    return Chain()


@pytest.fixture
async def bank_world(tmp_path: Path, bank_chain: Chain) -> AsyncIterator[World]:
    async with world(tmp_path, bank_chain) as made:
        yield made
