"""The certificate authority of a chain changes while two chains call each other without a pause."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cryptography import x509

from federation.interchain.bundle import TrustBundle
from node.peers import PeerChannels
from node.regulator.peers.authorities import add_authority, retire_authority, switch_authority
from node.regulator.peers.pinning import rotate_pin
from tests.node.peers.places import Node, Place
from tests.node.rpc.parties import ECHO
from yinxin.v1.common_pb2 import Chunk

CALLERS = 3


class Load:
    """Calls of one node to another, over a connection that stays and over new ones."""

    def __init__(self, node: Node, chain: str) -> None:
        self.node, self.chain = node, chain
        self.calls, self.failures = 0, list[Exception]()
        self.going = True

    async def run(self, fresh: bool) -> None:
        while self.going:
            channels = self.node.channels
            if fresh:
                channels = PeerChannels(self.node.regulator, self.node.trust)
            try:
                channel = await channels.regulator(self.chain)
                await channel.unary(ECHO, Chunk(), Chunk, 10.0)
                self.calls += 1
            except Exception as error:
                self.failures.append(error)
            if fresh:
                await channels.close()
                self.node.regulator.closing.remove(channels.close)
            await asyncio.sleep(0.01)

    async def more(self) -> None:
        """Until there were some more calls, in vain or not."""
        wanted = self.calls + len(self.failures) + 4 * CALLERS
        while self.calls + len(self.failures) < wanted:
            await asyncio.sleep(0.02)


async def test_no_call_fails_while_the_authority_changes(tmp_path: Path) -> None:
    async with Place(tmp_path, "csj").serving() as csj, Place(tmp_path, "zsj").serving() as zsj:
        await csj.pin(zsj)
        await zsj.pin(csj)
        loads = [Load(csj, "zsj"), Load(zsj, "csj")]
        tasks = [
            asyncio.create_task(load.run(fresh=number == 0))
            for load in loads
            for number in range(CALLERS)
        ]
        first = own_certificate(zsj)
        for load in loads:
            await load.more()
        both = await add_authority(zsj.regulator)
        await rotate_pin(csj.regulator, "zsj", both)
        for load in loads:
            await load.more()
        await switch_authority(zsj.regulator)
        assert own_certificate(zsj).issuer == first.issuer  # by name the same, and another one:
        assert own_certificate(zsj) != first
        # A channel looks for a new certificate of its own once a second.
        await asyncio.sleep(1.1)
        for load in loads:
            await load.more()
        last = await retire_authority(zsj.regulator)
        await rotate_pin(csj.regulator, "zsj", last)
        for load in loads:
            await load.more()
            load.going = False
        await asyncio.gather(*tasks)
        assert [load.failures for load in loads] == [[], []]
        assert all(load.calls > 8 * CALLERS for load in loads)
        known = await csj.trust.require("zsj")
        assert known.bundle.spiffe_sequence == 3
        assert known.bundle.keys == TrustBundle.parse(both.payload).keys[1:]


def own_certificate(node: Node) -> x509.Certificate:
    return x509.load_pem_x509_certificate(node.place.config().tls.certificate.read_bytes())
