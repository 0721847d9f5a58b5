"""The chain in memory, and a network of desks for each test."""

from __future__ import annotations

import pytest

from support.chain import Chain, standard_chain
from support.network import Network


@pytest.fixture(scope="session")
def chain() -> Chain:
    return standard_chain()


@pytest.fixture
def network(chain: Chain) -> Network:
    return Network(chain)
