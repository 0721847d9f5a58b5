"""What a hub hands to a peer chain, what the hub there keeps of it, and until when it serves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from federation.authority import CertificateAuthority
from federation.canonical import b64
from federation.errors import Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.interchain.directory import Directory
from federation.membership import Member
from federation.signed import SigningKey
from federation.withdrawal import make_withdrawal
from node.chain.store import WITHDRAWAL
from node.config import load
from node.config.roles import HubConfig
from node.errors import IdentityFileError
from node.hub.main import build
from node.hub.peers.directories import PeerDirectories
from node.hub.peers.shares import PeerShares
from node.hub.published import roster_batches
from node.peers import PeerChannels, PeerTrust
from node.rpc.client import Channel
from node.rpc.errors import PartyUnavailable, RemoteRefusal
from node.rpc.identity import TooManyCalls
from node.runtime import running
from support.chain import CHAIN, HUB, NOW, REGULATOR
from support.people import Model
from tests.node.hub.peers.world import (
    BEGIN,
    HOME,
    PEARL,
    RIVAL,
    STRANGER,
    Abroad,
    GuestChain,
    Two,
    ask,
    begin,
    bundle,
    following,
    hub_directories,
    pin,
    route,
    seal_query,
)
from tests.node.hub.world import HUB_METHODS
from yinxin.v1 import hub_pb2

HOURS = 24


async def peer_chain(channel: Channel) -> hub_pb2.PeerChain:
    request = hub_pb2.PeerChainRequest(chain=CHAIN)
    return await channel.unary(f"{HUB_METHODS}GetPeerChain", request, hub_pb2.PeerChain)


async def withdraw(two: Two, model: Model) -> None:
    """Csj's regulator withdraws a model."""
    withdrawal = make_withdrawal(model.certificate, model.certificate.bank, NOW)
    signed = withdrawal.sign(two.chain.signing[REGULATOR])
    hub = two.there.hub
    await hub.store.run(lambda c: hub.chain.put_withdrawal(c, signed))


async def test_a_bank_gets_all_it_needs_and_verifies_it_itself(two: Two) -> None:
    pinned = await two.pin_abroad(number=2)
    async with two.calling() as bank, following(two, bank, pinned) as copy:
        await copy.copy.sync()
        members = await copy.members()
        assert members.hub.id == HUB
        assert [m.id for m in members.of(Role.HOLDER)] == sorted(two.chain.holders, key=str)
        assert members.require(PEARL, Role.BANK).id == PEARL
        roster = await copy.store.read(lambda c: copy.chain.roster(c, NOW))
        assert (roster.root, roster.size) == (two.chain.roster.root, two.chain.roster.size)
        epoch = await copy.store.read(lambda c: copy.chain.epoch(c, 1, NOW))
        assert epoch is not None
        assert epoch.opening.hash == two.chain.epochs[1].opening.hash


async def test_a_peer_chain_is_told_what_concerns_it(two: Two) -> None:
    """No bank of the chain, no log's address; guests, pins and withdrawals of its own alone."""
    await two.welcome(STRANGER)
    domain = "jjj.yinxin.example"
    authority = CertificateAuthority.create(domain, BEGIN)
    other = bundle("jjj", domain, SigningKey.generate(), authority)
    signed = pin(CHAIN, two.chain.signing[REGULATOR], "jjj", other)
    await two.there.hub.store.run(lambda c: two.there.hub.chain.put_pin(c, signed))
    for model in (two.chain.pearls, two.chain.alpha):
        await withdraw(two, model)
    async with two.calling() as bank:
        reply = await peer_chain(bank)
    state = hub_pb2.ChainState.FromString(reply.state)
    parties = {Member.parse(m.payload).id for m in state.members}
    assert parties == {HUB, REGULATOR, *two.chain.holders}
    assert list(state.logs) == []
    assert [str(PEARL).encode() in g.payload for g in state.guests] == [True, False]
    assert [str(RIVAL).encode() in g.payload for g in state.guests] == [False, True]
    assert [b'"peer":"zsj"' in p.payload for p in state.pins] == [True]
    assert [str(PEARL).encode() in w.payload for w in state.withdrawals] == [True]
    for secret in (b"harbour", b"delta", b"north", b'"jjj"'):  # chance writes jjj, not its quotes
        assert secret not in reply.state
    directory = Directory.parse(reply.directory.payload)
    assert (directory.chain, directory.audience, directory.issued) == (CHAIN, HOME, NOW)


async def test_what_is_kept_serves_while_the_peer_is_away_and_not_for_ever(two: Two) -> None:
    async with two.calling() as bank:
        first = await peer_chain(bank)
        await two.there.hub.servers[2].stop(0)
        two.home.clock.advance(HOURS * 3600)
        assert (await peer_chain(bank)) == first
        again = await after_a_restart(two).current(CHAIN)
        assert again.published.state == first.state
        batches = [
            batch async for batch in roster_batches(hub_directories(two).hub, again.chain, 0)
        ]
        assert len(batches) == 1
        two.home.clock.advance(1)
        query = seal_query(two, begin(two, two.chain.firms[0]), now=two.home.clock.now())
        for refused in (peer_chain(bank), ask(bank, route(query, two.chain.guests[PEARL]))):
            with pytest.raises(RemoteRefusal):
                await refused
        for call in (after_a_restart(two).current(CHAIN), hub_directories(two).current(CHAIN)):
            with pytest.raises(Refusal) as caught:
                await call
            assert caught.value.reason is Reason.STALE_DIRECTORY
    assert await two.reasons() == [Reason.STALE_DIRECTORY] * 2


def after_a_restart(two: Two) -> PeerDirectories:
    trust = PeerTrust(two.here.store, two.here.chain, two.here.clock)
    return PeerDirectories(two.here, trust, PeerChannels(two.here, trust))


async def test_a_peer_that_never_answered_is_named(two: Two) -> None:
    await two.there.hub.servers[2].stop(0)
    async with two.calling() as bank:
        with pytest.raises(PartyUnavailable) as caught:
            await peer_chain(bank)
    assert caught.value.party == HUB


async def test_each_change_is_logged_once_and_each_directory_is_new(two: Two) -> None:
    async with two.calling() as bank:
        first = await peer_chain(bank)
        two.abroad.clock.advance(1)
        two.home.clock.advance(1)
        second = await peer_chain(bank)
        assert second.state == first.state
        assert Directory.parse(second.directory.payload).issued == NOW + 1
        await withdraw(two, two.chain.pearls)
        third = await peer_chain(bank)
        assert third.state != first.state
    entries = [e for e in await two.home_entries() if e.kind == "directory"]
    directories = [Directory.parse(one.directory.payload) for one in (first, third)]
    assert [e.body["document"] for e in entries] == [b64(d.hash) for d in directories]
    assert [e.body["rows"] for e in entries] == [two.chain.roster.size] * 2


async def test_a_withdrawn_model_of_another_chain_is_passed_on_no_more(two: Two) -> None:
    model = two.chain.pearls
    await two.install(model)
    await withdraw(two, model)
    directories = hub_directories(two)
    followed = await directories.current(CHAIN, fetch=True)
    kept = await two.here.store.read(lambda c: followed.chain.documents(c, WITHDRAWAL))
    assert len(kept) == 1
    with pytest.raises(Refusal) as caught:
        await two.here.store.read(
            lambda c: followed.chain.certificate(c, model.certificate.hash, NOW)
        )
    assert caught.value.reason is Reason.WITHDRAWN_MODEL


async def test_peers_are_followed_by_themselves_and_their_health_is_measured(two: Two) -> None:
    directories = hub_directories(two)

    def told() -> bytes:
        return generate_latest(two.here.metrics.registry)

    async def until(text: bytes) -> None:
        async with asyncio.timeout(20):
            while text not in told():
                await asyncio.sleep(0.02)

    await directories.look()
    await until(b'yinxin_peer_reached{chain="csj"} 1.0')
    issued = f'yinxin_peer_directory_issued_seconds{{chain="csj"}} {float(NOW)!r}'.encode()
    assert issued.replace(b"1800000000.0", b"1.8e+09") in told()
    await two.there.hub.servers[2].stop(0)
    await directories.look()
    await until(b'yinxin_peer_reached{chain="csj"} 0.0')
    await two.pin_abroad(number=2, state="withdrawn", address="127.0.0.1:9")
    await directories.look()
    assert b'chain="csj"' not in told()


def test_no_bank_takes_the_share_of_all() -> None:
    shares = PeerShares(64)
    assert (shares.one, shares.all) == (4, 12)  # of the 16 that the peer allows this hub
    banks = [SpiffeId("zsj.yinxin.example", Role.BANK, f"b{n}") for n in range(4)]
    held = [shares.hold(CHAIN, bank) for bank in banks[:3] for _ in range(shares.one)]
    for one in held[: shares.one]:
        one.__enter__()
    with pytest.raises(TooManyCalls), shares.hold(CHAIN, banks[0]):
        pass
    with shares.hold("jjj", banks[0]), shares.hold(CHAIN, banks[1]):
        pass  # it is of one chain, and of one bank
    for one in held[shares.one :]:
        one.__enter__()
    with pytest.raises(TooManyCalls), shares.hold(CHAIN, banks[3]):
        pass
    for one in held:
        one.__exit__(None, None, None)
    with shares.hold(CHAIN, banks[3]):
        pass
    assert PeerShares(1).one == PeerShares(1).all == 1


async def test_a_hub_to_which_no_query_can_be_sealed_takes_no_peers(
    tmp_path: Path, guest_chain: GuestChain
) -> None:
    abroad = Abroad(tmp_path, guest_chain)
    text = (abroad.home / "node.toml").read_text().replace('sealing_key = "sealing.key"\n', "")
    path = abroad.home / "bare.toml"
    path.write_text(text)
    path.chmod(0o600)
    plain = guest_chain.member(HUB, guest_chain.signing[HUB].public)
    credential = plain.sign(guest_chain.signing[REGULATOR])
    (abroad.home / "member.json").write_bytes(credential.to_json())
    async with running(load(HubConfig, path, {}), workers=1, clock=abroad.clock) as hub:
        with pytest.raises(IdentityFileError, match="sealing_key"):
            await build(hub)
        for task in hub.tasks:
            task.close()
