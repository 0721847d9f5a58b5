"""Channels to the hubs and regulators of peer chains.

The other side has to show a certificate of an authority in the pinned bundle, with the host name of
the party that the bundle names (`federation.identity.dns_name`): no authority of another chain, the
own one included, can stand in.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from federation.errors import Refusal
from federation.identity import Role, SpiffeId
from node.peers.trust import PeerTrust
from node.rpc.client import Channel, ChannelLimits
from node.runtime import Runtime


@dataclass(frozen=True)
class _Place:
    """What a channel was made for: a change of any of it makes a new one."""

    party: SpiffeId
    address: str
    authorities: bytes


class PeerChannels:
    """One channel to each peer that is called, closed with the node. Ask for it at every call: it
    is another one once bundle or address have changed.
    """

    def __init__(self, runtime: Runtime[Any], trust: PeerTrust) -> None:
        self._trust = trust
        self._tls = runtime.tls()
        deadlines = runtime.config.deadlines
        self._limits = ChannelLimits(
            deadline=deadlines.query, stream_deadline=deadlines.prepare, connect=deadlines.connect
        )
        self._open: dict[tuple[str, Role], tuple[_Place, Channel]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        runtime.closing.append(self.close)

    async def hub(self, chain: str) -> Channel:
        """A channel to the hub of a peer chain. Raises Refusal(unknown_chain), TlsError."""
        return await self._channel(chain, Role.HUB)

    async def regulator(self, chain: str) -> Channel:
        """A channel to the regulator of a peer chain. Raises as `hub`."""
        return await self._channel(chain, Role.REGULATOR)

    async def close(self) -> None:
        """Ends all calls and channels."""
        waiting = tuple(self._closing)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        opened, self._open = self._open, {}
        for _, channel in opened.values():
            await channel.close()

    async def _channel(self, chain: str, role: Role) -> Channel:
        try:
            trusted = await self._trust.require(chain)
        except Refusal:
            self._drop(chain, role, 0.0)
            raise
        bundle = trusted.bundle
        hub = role is Role.HUB
        place = _Place(
            bundle.yinxin_hub if hub else bundle.yinxin_regulator,
            bundle.yinxin_hub_address if hub else bundle.yinxin_regulator_address,
            trusted.authorities,
        )
        kept = self._open.get((chain, role))
        if kept is not None and kept[0] == place:
            return kept[1]
        channel = Channel(place.party, place.address, self._tls, self._limits, place.authorities)
        self._drop(chain, role, self._limits.drain)
        self._open[chain, role] = (place, channel)
        return channel

    def _drop(self, chain: str, role: Role, grace: float) -> None:
        """Closes the channel that is open, after its running calls or `grace` seconds."""
        kept = self._open.pop((chain, role), None)
        if kept is not None:
            task = asyncio.get_running_loop().create_task(kept[1].close(grace))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
