"""Where logs are: announced to the hub, and told to those who may read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from federation.identity import Role, SpiffeId
from node.rpc.errors import PartyUnavailable, RemoteInvalid, RemoteRefusal
from support.chain import DELTA, DOMAIN, HARBOUR, HUB, NOW, REGULATOR, TAX, standard_chain
from tests.node.hub.test_service import get_chain
from tests.node.hub.world import HUB_METHODS, Node, World
from yinxin.v1 import hub_pb2


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, standard_chain())


async def announce(hub: Node, party: SpiffeId, address: str) -> None:
    async with hub.calling(party) as channel:
        request = hub_pb2.AnnounceLogRequest(address=address)
        await channel.unary(f"{HUB_METHODS}AnnounceLog", request, hub_pb2.AnnounceLogReply)


async def told(hub: Node, party: SpiffeId) -> dict[str, str]:
    async with hub.calling(party) as channel:
        return {log.member: log.address for log in (await get_chain(channel)).logs}


async def test_addresses_are_told_to_all_but_a_banks_to_other_banks(world: World) -> None:
    everyone = (HARBOUR, DELTA, REGULATOR, TAX)
    async with world.serving(TAX) as hub:
        for number, party in enumerate(everyone):
            await announce(hub, party, f"127.0.0.1:{7000 + number}")
        everything = {str(p): f"127.0.0.1:{7000 + n}" for n, p in enumerate(everyone)}
        for reader in (REGULATOR, TAX):
            assert await told(hub, reader) == everything
        own = dict(everything)
        del own[str(DELTA)]
        assert await told(hub, HARBOUR) == own


async def test_a_new_address_takes_the_place_of_the_old_one(world: World) -> None:
    async with world.serving(TAX) as hub:
        await announce(hub, TAX, "127.0.0.1:7000")
        await announce(hub, TAX, "tax.example:7001")
        assert await told(hub, REGULATOR) == {str(TAX): "tax.example:7001"}


@pytest.mark.parametrize("address", ["", "host", "host:port", "a b:1", "x" * 400 + ":1", "u@h:1"])
async def test_what_is_no_address_is_refused(world: World, address: str) -> None:
    async with world.serving(TAX) as hub:
        with pytest.raises(RemoteInvalid):
            await announce(hub, TAX, address)
        assert await told(hub, REGULATOR) == {}


async def test_whoever_is_no_member_announces_nothing(world: World) -> None:
    """Its TLS certificate is the chain's authority's; the regulator enrolled no such holder."""
    async with world.serving(TAX) as hub:
        with pytest.raises(RemoteRefusal):
            await announce(hub, SpiffeId(DOMAIN, Role.HOLDER, "stranger"), "127.0.0.1:7000")


async def test_calls_are_answered_by_a_hub_whose_log_is_witnessed_alone(world: World) -> None:
    """But for those by which its witnesses find each other, and it."""
    async with world.serving(TAX) as hub:
        publisher = hub.hub.transparency.publisher
        assert publisher.cosigned_size == 0
        world.clock.advance(hub.hub.config.tlog.grace + 1)
        await publisher.look()
        async with hub.calling(HARBOUR) as bank:
            await get_chain(bank)
            with pytest.raises(PartyUnavailable) as caught:
                await bank.unary(
                    f"{HUB_METHODS}GetKeys", hub_pb2.HubKeyRequest(), hub_pb2.HubKeyReply
                )
        assert caught.value.party == HUB
        await announce(hub, TAX, "127.0.0.1:7000")
        assert await told(hub, TAX) == {str(TAX): "127.0.0.1:7000"}
        assert await hub.entries("refusal") == []
        assert world.clock.now() > NOW
