"""Fixtures that every test may use; those of one package live in that package's conftest."""

from __future__ import annotations

import os

from hypothesis import settings

# One deterministic profile: a run that fails here fails anywhere, and a loaded machine is no fault.
settings.register_profile("yinxin", deadline=None, derandomize=True, max_examples=50)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "yinxin"))
