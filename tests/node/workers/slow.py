"""Policy that takes its time, for workers of the certification desk."""

from __future__ import annotations

import time
from typing import Any

from node.workers.policy import apply_policy


def one_second(*arguments: Any) -> str:
    time.sleep(1)
    return apply_policy(*arguments)


def endless(*_: Any) -> str:
    time.sleep(600)
    return ""
