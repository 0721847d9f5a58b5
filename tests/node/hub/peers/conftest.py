"""The chain that enrols, once for this folder's tests, and both chains serving for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.hub.peers import directories
from tests.node.hub.peers.world import GuestChain, Two, two_chains


@pytest.fixture(scope="session")
def guest_chain() -> GuestChain:
    return GuestChain()


@pytest.fixture
async def two(
    tmp_path: Path, guest_chain: GuestChain, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Two]:
    """Whoever asks for a directory gets a new one: nothing is fetched in the background."""
    monkeypatch.setattr(directories, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(directories, "PATIENCE_SECONDS", 20.0)
    async with two_chains(tmp_path, guest_chain) as made:
        yield made
