"""A demo that could not draw its firms says so before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.demo.errors import DemoError
from node.demo.main import run_demo


@pytest.mark.parametrize(("enterprises", "weeks"), [(100, 0), (340, 6)])
def test_too_few_firms_are_refused(enterprises: int, weeks: int, tmp_path: Path) -> None:
    with pytest.raises(DemoError, match=r"enterprises: .* too few"):
        run_demo(
            enterprises=enterprises,
            queries=100,
            seed=1,
            language="en",
            once=True,
            result_file=None,
            folder=tmp_path,
            weeks=weeks,
        )
    assert list(tmp_path.iterdir()) == []
