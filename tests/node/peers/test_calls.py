"""Calls between chains over real mutual TLS: who is let in, and when that ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from federation.errors import Refusal
from federation.identity import Role, SpiffeId
from federation.interchain.bundle import TrustBundle
from node.errors import NodeError
from node.peers import home_chain
from node.regulator.peers.pinning import pin_chain, rotate_pin, withdraw_chain
from node.rpc.errors import PartyUnavailable, RemoteRefusal
from tests.node.peers.places import Node, Place, Unbound, calling
from tests.node.rpc.parties import DOWN, ECHO
from yinxin.v1.common_pb2 import Chunk


@asynccontextmanager
async def chains(base: Path, *names: str) -> AsyncIterator[list[Node]]:
    """Serving nodes of these chains, which pin nobody."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Place(base, name).serving()) for name in names]


async def pinned(*nodes: Node) -> None:
    """Each pins each other."""
    for one in nodes:
        for other in nodes:
            if one is not other:
                await one.pin(other)


async def refused(node: Node, channel_reason: str) -> None:
    assert (await node.reasons())[-1] == channel_reason


async def test_two_chains_that_pinned_each_other_call_each_other(tmp_path: Path) -> None:
    async with chains(tmp_path, "csj", "zsj") as (csj, zsj):
        await pinned(csj, zsj)
        assert await csj.call("zsj") == 7
        assert await zsj.call("csj") == 7
        assert zsj.place.callers == [(csj.place.id, "csj")]
        hub = csj.place.files(csj.place.hub, zsj.place.root.authority.encode())
        async with calling(hub, zsj.place) as channel:
            assert (await channel.unary(ECHO, Chunk(total=3), Chunk)).total == 3
            with pytest.raises(RemoteRefusal):  # a method for regulators
                [_ async for _ in channel.download(DOWN, Chunk(total=1), Chunk)]
        assert zsj.place.callers[1:] == [(csj.place.hub, "csj")]


async def test_nobody_is_let_in_or_called_by_default(tmp_path: Path) -> None:
    async with chains(tmp_path, "csj", "zsj") as (csj, zsj):
        assert await csj.trust.trusted() == {}
        with pytest.raises(Refusal, match="unknown_chain"):
            await csj.call("zsj")
        await csj.pin(zsj)  # the one side alone: csj would call, zsj takes nothing
        with pytest.raises((RemoteRefusal, PartyUnavailable)):
            await csj.call("zsj")
        # Nor are members of the own chain, whose authority stands in where nobody is pinned.
        own = zsj.place.files(zsj.place.hub, zsj.place.root.authority.encode())
        async with calling(own, zsj.place) as channel:
            with pytest.raises(RemoteRefusal):
                await channel.unary(ECHO, Chunk(), Chunk)
        await refused(zsj, "unknown_chain")
        assert zsj.place.callers == []


@pytest.mark.parametrize("party", ["jjj", "zsj", "bank"])
async def test_an_authority_of_one_chain_vouches_for_no_other(
    tmp_path: Path, party: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authority of csj, without constraints, issues for jjj's hub, for zsj's own hub, or for a
    bank: TLS accepts it, as csj is pinned, and the call is refused.
    """
    rogue = Unbound("csj.yinxin.example", Place(tmp_path / "clock", "x").now)
    async with chains(tmp_path, "csj", "zsj", "jjj") as (csj, zsj, jjj):
        csj.place.config().authority_certificate.write_bytes(rogue.pem)
        await pinned(csj, zsj, jjj)
        claimed = {
            "jjj": jjj.place.hub,
            "zsj": zsj.place.hub,
            "bank": SpiffeId(csj.place.domain, Role.BANK, "harbour"),
        }[party]
        files = csj.place.files(claimed, zsj.place.root.authority.encode(), rogue)
        async with calling(files, zsj.place) as channel:
            with pytest.raises(RemoteRefusal):
                await channel.unary(ECHO, Chunk(), Chunk)
        expected = {"zsj": "unknown_chain"}.get(party, "foreign_certificate")
        await refused(zsj, expected)
        if party == "jjj":  # and without the second look it is jjj's hub
            monkeypatch.setattr(TrustBundle, "require_issued", lambda *_: None)
            async with calling(files, zsj.place) as channel:
                await channel.unary(ECHO, Chunk(), Chunk)
            assert zsj.place.callers == [(jjj.place.hub, "jjj")]


async def test_withdrawing_ends_the_calls_of_a_connection_that_is_open(tmp_path: Path) -> None:
    async with chains(tmp_path, "csj", "zsj") as (csj, zsj):
        await pinned(csj, zsj)
        channel = await csj.channels.regulator("zsj")
        await channel.unary(ECHO, Chunk(), Chunk)
        await withdraw_chain(zsj.regulator, "csj", "its hub answers for foreign firms")
        with pytest.raises(RemoteRefusal):
            await channel.unary(ECHO, Chunk(), Chunk)
        await refused(zsj, "unknown_chain")
        with pytest.raises(Refusal, match="unknown_chain"):
            await zsj.call("csj")


async def test_a_pin_that_is_over_lets_nobody_in(tmp_path: Path) -> None:
    async with chains(tmp_path, "csj", "zsj") as (csj, zsj):
        await pinned(csj, zsj)
        channel = await csj.channels.regulator("zsj")
        await channel.unary(ECHO, Chunk(), Chunk)
        zsj.place.clock.advance(91 * 86_400)
        with pytest.raises(RemoteRefusal):
            await channel.unary(ECHO, Chunk(), Chunk)
        await refused(zsj, "unknown_chain")


async def test_a_server_of_another_chains_authority_is_not_called(tmp_path: Path) -> None:
    """Who answers at zsj's address with a certificate for it that csj's or jjj's authority made."""
    rogue = Unbound("jjj.yinxin.example", Place(tmp_path / "clock", "x").now)
    async with chains(tmp_path, "csj", "zsj") as (csj, zsj):
        await pinned(csj, zsj)
        files = zsj.place.files(zsj.place.id, zsj.place.root.authority.encode(), rogue)
        tls = zsj.place.config().tls
        tls.certificate.write_bytes(files.certificates.read_bytes())
        tls.key.write_bytes(files.private_key.read_bytes())
        with pytest.raises(PartyUnavailable):
            await csj.call("zsj")
        assert zsj.place.callers == []


def test_the_callers_chain_is_known_in_a_call_alone() -> None:
    with pytest.raises(NodeError, match="home_chain"):
        home_chain()


async def test_pinning_by_another_fingerprint_lets_nobody_in(tmp_path: Path) -> None:
    async with chains(tmp_path, "csj", "zsj") as (csj, zsj):
        with pytest.raises(Refusal) as raised:
            await pin_chain(zsj.regulator, await csj.bundle(), "0" * 64)
        assert "another fingerprint" in raised.value.detail
        assert await zsj.trust.trusted() == {}


async def test_a_channel_goes_where_the_newest_bundle_says(tmp_path: Path) -> None:
    async with chains(tmp_path, "csj", "zsj") as (csj, zsj):
        await pinned(csj, zsj)
        first = await csj.channels.regulator("zsj")
        assert await csj.channels.regulator("zsj") is first
        last = TrustBundle.parse((await zsj.bundle()).payload)
        moved = last.model_copy(
            update={"spiffe_sequence": 2, "yinxin_regulator_address": "127.0.0.1:9"}
        )
        bundle = moved.sign(zsj.regulator.identity.signing)
        await rotate_pin(csj.regulator, "zsj", bundle)
        second = await csj.channels.regulator("zsj")
        assert (first.address, second.address) == (zsj.place.address, "127.0.0.1:9")
        assert (await csj.channels.hub("zsj")).party == zsj.place.hub
        await withdraw_chain(csj.regulator, "zsj", "over")
        for ask in (csj.channels.regulator, csj.channels.hub):
            with pytest.raises(Refusal, match="unknown_chain"):
                await ask("zsj")
