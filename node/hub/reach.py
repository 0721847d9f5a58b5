"""Whether holders answer now: the hub asks each one's health service, all at once and briefly."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Final

from federation.identity import Role, SpiffeId
from node.errors import NodeError
from node.hub.publication import Hub
from node.hub.routes import Routes

from grpc_health.v1 import health_pb2  # isort: skip  # after node.rpc

SECONDS: Final = 2.0
AGAIN_SECONDS: Final = 10.0
"""What was found serves for so long, whoever asks."""
METHOD: Final = "/grpc.health.v1.Health/Check"


class Reach(StrEnum):
    """What a holder says of itself, or that it says nothing."""

    SERVING = "serving"
    NOT_SERVING = "not_serving"
    AWAY = "away"


class Reachability:
    """Asks the holders of one hub."""

    def __init__(self, hub: Hub, routes: Routes) -> None:
        self._hub = hub
        self._routes = routes
        self._found: dict[SpiffeId, Reach] = {}
        self._until = float("-inf")
        self._asking = asyncio.Lock()

    async def holders(self) -> dict[SpiffeId, Reach]:
        """Every holder of the chain."""
        async with self._asking:
            loop = asyncio.get_running_loop()
            if loop.time() >= self._until:
                members = [one.id for one in (await self._hub.members()).of(Role.HOLDER)]
                found = await asyncio.gather(*(self._ask(holder) for holder in members))
                self._found = dict(zip(members, found, strict=True))
                self._until = loop.time() + AGAIN_SECONDS
            return self._found

    async def _ask(self, holder: SpiffeId) -> Reach:
        try:
            channel = await self._routes.channel(holder)
            answer = await channel.unary(
                METHOD,
                health_pb2.HealthCheckRequest(),
                health_pb2.HealthCheckResponse,
                SECONDS,
            )
        except NodeError:
            return Reach.AWAY
        serving = answer.status == health_pb2.HealthCheckResponse.SERVING
        return Reach.SERVING if serving else Reach.NOT_SERVING
