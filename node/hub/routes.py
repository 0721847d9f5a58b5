"""Channels to the holders: one each, made when first needed, at the address on record."""

from __future__ import annotations

from federation.identity import SpiffeId
from node.hub.publication import Hub, routes
from node.rpc.client import Channel
from node.rpc.errors import PartyUnavailable


class Routes:
    """Finds the channel to a holder. An address that changes takes effect with the next call."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._channels: dict[tuple[SpiffeId, str], Channel] = {}

    async def channel(self, holder: SpiffeId) -> Channel:
        """The channel to `holder`. Raises PartyUnavailable when no address is on record."""
        known = await self._hub.store.read(routes)
        address = known.get(holder)
        if address is None:
            raise PartyUnavailable(holder)
        key = (holder, address)
        if key not in self._channels:
            self._channels[key] = self._hub.channel(holder, address)
        return self._channels[key]
