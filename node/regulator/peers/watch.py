"""Hearing of peer chains: their newest bundles, which are pinned by themselves, and their pins of
this chain, so that every change stands in the logs of both sides.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Connection, delete, insert, select

from federation.errors import FederationError, Refusal
from node.errors import NodeError
from node.peers import PeerChannels, PeerTrust
from node.regulator.membership import Regulator
from node.regulator.peers.own import publish
from node.regulator.peers.pinning import record_pin_of_us, rotate_pin
from node.regulator.tables import regulator_peers
from node.rpc.convert import signed_from_wire
from yinxin.v1 import peers_pb2

_log = structlog.get_logger(__name__)

METHOD: Final = "/yinxin.v1.RegulatorPeers/GetBundle"
MOST_PROBLEM: Final = 200


@dataclass
class PeerWatch:
    """Looks at all trusted chains every `peers.period`, and keeps the own bundle up to date."""

    regulator: Regulator
    trust: PeerTrust
    channels: PeerChannels

    async def keep(self) -> None:
        """Looks until cancelled; a failure is logged and looked at again."""
        while True:
            try:
                await publish(self.regulator)
                await self.look()
            except (NodeError, FederationError) as error:
                _log.warning("peer chains not looked at", error=str(error))
            await asyncio.sleep(self.regulator.config.peers.period)

    async def look(self) -> None:
        """Hears of every trusted chain once, each whatever becomes of the others. Raises
        StorageError.
        """
        await asyncio.gather(*(self._hear(chain) for chain in await self.trust.trusted()))

    async def _hear(self, chain: str) -> None:
        problem = ""
        try:
            await self.hear(chain)
        except (NodeError, FederationError) as error:
            said = error.detail if isinstance(error, Refusal) else str(error)
            problem = said[:MOST_PROBLEM]
            _log.warning("regulator of a peer chain not heard", chain=chain, error=problem)
        await self.regulator.store.run(lambda c: self._note(c, chain, problem))

    async def hear(self, chain: str) -> None:
        """One look at a chain. Raises NodeError or FederationError for what it does not say, or
        what is not to be believed.
        """
        peer = await self.trust.require(chain)
        channel = await self.channels.regulator(chain)
        reply = await channel.unary(METHOD, peers_pb2.BundleRequest(), peers_pb2.BundleReply)
        pin = await rotate_pin(self.regulator, chain, signed_from_wire(reply.bundle))
        if pin is not None:
            sequence = pin.trust().spiffe_sequence
            _log.info("bundle of a peer chain rotated", chain=chain, sequence=sequence)
        for signed in reply.pins:
            await record_pin_of_us(self.regulator, peer, signed_from_wire(signed))

    def _note(self, connection: Connection, chain: str, problem: str) -> None:
        row = regulator_peers.c.chain == chain
        heard = heard_of(connection).get(chain, (None, ""))[0]
        connection.execute(delete(regulator_peers).where(row))
        now = heard if problem else self.regulator.clock.now()
        connection.execute(insert(regulator_peers).values(chain=chain, heard=now, problem=problem))


def heard_of(connection: Connection) -> dict[str, tuple[int | None, str]]:
    """When each chain's regulator last answered, and why it did not since; empty when it did."""
    rows = connection.execute(select(regulator_peers))
    return {row.chain: (row.heard, row.problem) for row in rows}
