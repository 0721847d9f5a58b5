"""Several calls at once, of which every one is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

K = TypeVar("K")
T = TypeVar("T")


async def side_by_side(calls: Mapping[K, Coroutine[Any, Any, T]]) -> dict[K, T]:
    """The results by key. The first failure is raised, once the other calls have been ended."""
    tasks = [asyncio.ensure_future(call) for call in calls.values()]
    try:
        results = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return dict(zip(calls, results, strict=True))
