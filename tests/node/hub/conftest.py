"""A chain for this folder's tests, and the hub's world in it for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.chain import Chain, standard_chain
from tests.node.hub.world import World


@pytest.fixture(scope="session")
def hub_chain() -> Chain:
    return standard_chain()


@pytest.fixture
def world(tmp_path: Path, hub_chain: Chain) -> World:
    return World(tmp_path, hub_chain)
