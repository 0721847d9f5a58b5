"""Honest queries made once; every test plants into a copy of its own."""

from __future__ import annotations

import pytest

from support.audited import World, honest_world
from support.chain import Chain


@pytest.fixture(scope="session")
def honest(chain: Chain) -> World:
    return honest_world(chain)


@pytest.fixture
def world(honest: World) -> World:
    return honest.copy()
