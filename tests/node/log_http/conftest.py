from __future__ import annotations

from pathlib import Path

import pytest

from tests.node.rpc.parties import Chain


@pytest.fixture
def authority(tmp_path: Path) -> Chain:
    """A chain's authority, which also issues what a proper one would not."""
    return Chain(tmp_path / "tls")
