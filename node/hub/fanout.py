"""Calls to holders: several at once, and within the caller's own deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

SHARE = 0.8
"""Of the caller's time, for a holder: the rest is for telling the caller which one it was."""


def share_of(context: Any, most: float) -> float:
    """Seconds for a call to a holder within a call that has its own deadline; `most` at most.

    If both ended at once, the caller would blame the hub for a holder that does not answer.
    """
    remaining: float | None = context.time_remaining()
    return most if remaining is None else min(most, SHARE * remaining)


async def gather_or_cancel(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """The results in order. The first failure is raised, and the other calls are cancelled: a
    query needs every holder, so what the others answer is of no use without it.
    """
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
