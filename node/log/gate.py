"""A node whose witnesses are away answers nothing: the interceptor before every call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from node.rpc.around import AroundInterceptor, Context
from node.rpc.identity import COMMON_METHODS

EXEMPT: Final = frozenset(COMMON_METHODS) | {
    # By these the witnesses find each other: without them a gate that closed stays closed.
    "/yinxin.v1.Hub/GetChain",
    "/yinxin.v1.Hub/GetRoster",
    "/yinxin.v1.Hub/AnnounceLog",
}


class WitnessGate(AroundInterceptor):
    """Refuses every call that is not exempt while `require` raises Unwitnessed."""

    def __init__(self, require: Callable[[], None]) -> None:
        self._require = require

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Called for each call, before it is looked at who calls."""
        if method not in EXEMPT:
            self._require()
        yield
