from __future__ import annotations

import pytest

from scoring.lattice import ModelKeys, generate_keys


@pytest.fixture(scope="session")
def keys() -> ModelKeys:
    return generate_keys()
