"""The chains by name: the own one, and what the regulator ever pinned."""

from __future__ import annotations

import asyncio

import structlog

from federation.errors import FederationError
from federation.interchain.pin import Pin
from node.bank.chains.peer import PeerView
from node.bank.chains.view import ChainView
from node.bank.counted import Counted
from node.bank.errors import BankError
from node.bank.texts import Code
from node.chain import ChainSync
from node.config import BankConfig
from node.errors import NodeError
from node.rpc.client import Channel
from node.runtime import SYNC_SECONDS, Runtime

_log = structlog.get_logger(__name__)


class Chains:
    """Every chain that the bank can name."""

    def __init__(self, runtime: Runtime[BankConfig], hub: Channel) -> None:
        self._runtime = runtime
        self._hub = hub
        self.sync = ChainSync(hub, runtime.chain, runtime.store, runtime.log, runtime.clock)
        counted = Counted(hub, runtime.metrics)
        self.home = ChainView(runtime, counted, runtime.chain, self.sync)
        self._peers: dict[str, PeerView] = {}

    async def pins(self) -> dict[str, Pin]:
        """The newest pin of each peer chain; withdrawn and expired ones too."""
        return await self._runtime.store.read(self._runtime.chain.pins)

    async def view(self, name: str = "") -> ChainView:
        """The chain of that name, the own one where it is empty. One that is not trusted any more
        can be looked at: what was asked there stays. Raises BankError for one never pinned.
        """
        if name in ("", self.home.name):
            return self.home
        pin = (await self.pins()).get(name)
        if pin is None:
            raise BankError(Code.CHAIN_UNKNOWN, "chain", chain=name)
        return self._peer(pin)

    async def views(self) -> list[ChainView]:
        """The own chain, then every peer chain that was ever pinned, by name."""
        pins = await self.pins()
        return [self.home, *(self._peer(pins[name]) for name in sorted(pins))]

    async def refresh(self) -> None:
        """Fetches what is new of all chains: raises NodeError and FederationError for the own one.
        A peer chain that is away is used as it was seen last, as long as that is allowed.
        """
        await self.home.sync()
        await self.refresh_peers()

    async def refresh_peers(self) -> None:
        """The same of the peer chains alone."""
        now = self._runtime.clock.now()
        trusted = [pin for pin in (await self.pins()).values() if pin.holds(now)]
        await asyncio.gather(*(self._refresh(self._peer(pin)) for pin in trusted))

    async def keep_peers(self) -> None:
        """Fetches for ever what is new of peer chains."""
        while True:
            try:
                await self.refresh_peers()
            except NodeError as error:
                _log.warning("peer chains not looked at", error=str(error))
            await asyncio.sleep(SYNC_SECONDS)

    async def _refresh(self, peer: PeerView) -> None:
        try:
            await peer.sync()
        except (NodeError, FederationError) as error:
            _log.warning("peer chain not up to date", chain=peer.name, error=str(error))

    def _peer(self, pin: Pin) -> PeerView:
        kept = self._peers.get(pin.peer)
        if kept is None or kept.pin.hash != pin.hash:
            kept = PeerView(self._runtime, self._hub, self._runtime.chain, pin)
            self._peers[pin.peer] = kept
        return kept
