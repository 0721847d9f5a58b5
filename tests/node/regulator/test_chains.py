"""Regulators that pin each other: their bundles, what both log, and what the hub is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from federation.entries import Entry, read_entry
from federation.errors import DocumentError, Reason, Refusal, SignatureInvalid
from federation.identity import Role, SpiffeId
from federation.interchain.bundle import TrustBundle
from federation.interchain.guest import make_guest
from federation.membership import Member
from federation.signed import SigningKey
from node.chain import ChainStore, ChainSync
from node.chain.store import GUEST
from node.cli.hub import app as hub_app
from node.cli.regulator import app
from node.clock import FixedClock
from node.config import HubConfig, PeerConfig
from node.enrolment import Grant, HomeSettings, init_home, join_home
from node.enrolment.home import read_request_file
from node.hub.publication import add_member
from node.identity import read_trust_root
from node.log import QueryLog
from node.regulator import membership
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator, record_own
from node.regulator.peers.authorities import add_authority, retire_authority, switch_authority
from node.regulator.peers.delivery import METHOD, PeerDelivery, delivered
from node.regulator.peers.listing import peer_views
from node.regulator.peers.own import newest, publish
from node.regulator.peers.pinning import pin_chain, record_pin_of_us, withdraw_chain
from node.regulator.peers.service import PeerDesk, open_peers, serve_peers
from node.rpc.convert import signed_to_wire
from node.rpc.errors import RemoteRefusal
from node.runtime import Runtime
from node.storage import Store
from support.enrolled import HARBOUR, HOLDERS, HUB, REGULATOR, Homes, hub_serving, regulating
from tests.node.peers.places import Place
from yinxin.v1 import hub_pb2, peers_pb2

DAY = 86_400
HISTORY = "/yinxin.v1.RegulatorPeers/History"


@dataclass
class Office:
    """A regulator with its real service for peers; `look` is one look at all of them."""

    place: Place
    regulator: Regulator
    desk: PeerDesk

    async def look(self) -> None:
        await self.desk.watch.look()

    async def heard(self) -> None:
        """Looks until the peer is heard: a connection that failed is not tried again at once."""
        await self.look()
        while (await self.view()).problem:
            await asyncio.sleep(0.05)
            await self.look()

    async def pin(self, other: Office) -> None:
        bundle = await publish(other.regulator)
        await pin_chain(self.regulator, bundle, TrustBundle.parse(bundle.payload).fingerprint())

    async def told(self, *kinds: str) -> list[tuple[str, object, object, object]]:
        """Kind, who pins, who is pinned, and number of the entries about pins."""
        entries = [read_entry(one.entry) async for one in self.regulator.log.iterate()]
        return [
            (e.kind.value, e.body["chain"], e.body["peer"], e.body["number"])
            for e in entries
            if e.kind.value in (kinds or ("chain-pinned", "chain-withdrawn"))
        ]

    async def bundles(self) -> list[Entry]:
        entries = [read_entry(one.entry) async for one in self.regulator.log.iterate()]
        return [one for one in entries if one.kind == "bundle-published"]

    async def view(self, number: int = 0) -> Any:
        return (await self.regulator.store.read(lambda c: peer_views(self.regulator, c)))[number]


@asynccontextmanager
async def offices(base: Path, *names: str) -> AsyncIterator[list[Office]]:
    """Regulators that serve their peers, and look when they are told to."""
    async with AsyncExitStack() as stack:
        found = []
        for name in names:
            place = Place(base, name)
            regulator = await stack.enter_async_context(place.running())
            desk = open_peers(regulator)
            serve_peers(regulator, desk)
            for task in regulator.tasks:
                task.close()
            regulator.tasks.clear()
            (server,) = regulator.servers
            await server.start()
            stack.push_async_callback(server.stop, 0)
            await publish(regulator)
            found.append(Office(place, regulator, desk))
        yield found


async def test_every_change_of_trust_stands_in_the_logs_of_both_sides(tmp_path: Path) -> None:
    async with offices(tmp_path, "csj", "zsj") as (csj, zsj):
        await csj.pin(zsj)
        await csj.look()  # zsj has pinned nobody: its listener takes nothing from csj
        assert (await csj.view()).problem and (await csj.view()).heard is None
        await zsj.pin(csj)
        for office in (csj, zsj):
            await office.heard()
            await office.look()  # the same again is nothing new
        both = [("chain-pinned", "csj", "zsj", 1), ("chain-pinned", "zsj", "csj", 1)]
        assert sorted(await csj.told()) == sorted(await zsj.told()) == both
        view = await csj.view()
        assert view.heard == csj.place.now and view.problem == "" and not view.delivered
        assert view.theirs.holds(csj.place.now)

        await withdraw_chain(zsj.regulator, "csj", "for a test")
        await csj.look()  # zsj answers nothing else any more, but this it still tells
        assert (await csj.told())[-1] == ("chain-withdrawn", "zsj", "csj", 2)
        assert (await csj.view()).theirs.reason == "for a test"
        channel = await csj.desk.channels.regulator("zsj")
        with pytest.raises(RemoteRefusal):
            await channel.unary(HISTORY, peers_pb2.HistoryRequest(), peers_pb2.HistoryReply)
        with pytest.raises(Refusal):
            await zsj.desk.watch.hear("csj")


async def test_bundles_follow_the_configuration_and_rotate_by_themselves(tmp_path: Path) -> None:
    async with offices(tmp_path, "csj", "zsj") as (csj, zsj):
        await csj.pin(zsj)
        await zsj.pin(csj)
        first = await publish(zsj.regulator)
        assert await publish(zsj.regulator) == first
        second = await publish(zsj.regulator, anew=True)
        assert TrustBundle.parse(second.payload).spiffe_sequence == 2
        await csj.look()
        assert (await csj.view()).bundle.spiffe_sequence == 2
        assert [number for *_, number in await csj.told()] == [1, 2, 1]
        for place in (csj.place, zsj.place):
            place.clock.advance(46 * DAY)  # in the second half of 90 days
        third = TrustBundle.parse((await publish(zsj.regulator)).payload)
        assert third.spiffe_sequence == 3
        assert [one.body["sequence"] for one in await zsj.bundles()] == [1, 2, 3]
        await csj.look()
        assert (await csj.view()).pin.not_after == third.yinxin_not_after


async def test_a_regulator_answers_for_certification_and_audit_where_they_are(
    tmp_path: Path,
) -> None:
    async with offices(tmp_path, "csj", "zsj") as (csj, zsj):
        await csj.pin(zsj)
        await zsj.pin(csj)
        channel = await csj.desk.channels.regulator("zsj")
        with pytest.raises(RemoteRefusal):
            await channel.unary(HISTORY, peers_pb2.HistoryRequest(), peers_pb2.HistoryReply)


async def test_a_pin_of_us_is_of_us(tmp_path: Path) -> None:
    async with offices(tmp_path, "csj", "zsj", "jjj") as (csj, zsj, jjj):
        await csj.pin(zsj)
        await zsj.pin(jjj)
        peer = await csj.desk.trust.require("zsj")
        kept = await zsj.regulator.store.read(zsj.regulator.chain.pins)
        signed = kept["jjj"].sign(zsj.regulator.identity.signing)
        with pytest.raises(Refusal) as raised:
            await record_pin_of_us(csj.regulator, peer, signed)
        assert raised.value.reason is Reason.WRONG_CHAIN
        # Somebody who calls himself csj, whom zsj pinned for us.
        own = await csj.regulator.store.read(lambda c: newest(csj.regulator, c))
        assert own is not None
        key = jjj.regulator.identity.signing
        bundle = own[1].model_copy(update={"yinxin_signing": key.public}).sign(key)
        pin = kept["jjj"].model_copy(
            update={"peer": "csj", "bundle": bundle.to_json(), "not_after": own[1].yinxin_not_after}
        )
        with pytest.raises(DocumentError, match="another key"):
            await record_pin_of_us(csj.regulator, peer, pin.sign(zsj.regulator.identity.signing))
        assert await csj.told() == [("chain-pinned", "csj", "zsj", 1)]


async def test_without_addresses_there_is_no_bundle(tmp_path: Path) -> None:
    place = Place(tmp_path, "csj")
    config = place.folder / "node.toml"
    text = config.read_text()
    config.write_text(text.replace('hub = "127.0.0.1:9"', ""))
    async with place.running() as regulator:
        with pytest.raises(RegulatorError, match=r"^peers\.hub"):
            await publish(regulator)


async def test_a_look_that_fails_is_told_and_keeps_what_is_pinned(tmp_path: Path) -> None:
    async with offices(tmp_path, "csj", "zsj") as (csj, zsj):
        await csj.pin(zsj)
        await zsj.pin(csj)
        await csj.heard()
        await zsj.regulator.servers[0].stop(0)
        await csj.look()
        view = await csj.view()
        assert "unavailable" in view.problem and view.heard == csj.place.now
        assert view.pin.state_at(csj.place.now) == "pinned"


async def test_what_is_pinned_reaches_hub_and_members(tmp_path: Path) -> None:
    homes = Homes(tmp_path / "csj")
    zsj = Place(tmp_path, "zsj")
    async with regulating(homes) as regulator, zsj.running() as peer:
        await homes.enrol(regulator, HUB, HARBOUR, HOLDERS[0])
        await record_own(regulator)
        bundle = await publish(peer)
        pin = await pin_chain(regulator, bundle, TrustBundle.parse(bundle.payload).fingerprint())
        bank = Member(
            chain="zsj",
            id=SpiffeId(zsj.domain, Role.BANK, "delta"),
            kind="",
            title={"zh": "甲", "en": "a"},
            signing=SigningKey.generate().public,
            agreement=b"",
            sealing=b"s" * 32,
            named=False,
            not_before=homes.now - 1,
            not_after=homes.now + DAY,
        )
        guest = make_guest("csj", bank, b"c" * 32, pin, homes.now)
        signed = guest.sign(regulator.identity.signing)
        await regulator.store.run(lambda c: regulator.chain.put_guest(c, signed))
        async with hub_serving(homes) as hub:
            await publish_members(homes, hub)
            port = hub.servers[0].port
            async with homes.channel(REGULATOR, HUB, port) as channel:
                delivery = PeerDelivery(regulator, channel)
                await delivery.deliver()
                await delivery.deliver()  # nothing is left
                done = await regulator.store.read(lambda c: delivered(regulator, c))
                assert done == {pin.hash, guest.hash}
                withdrawn = await withdraw_chain(regulator, "zsj", "over")
                assert withdrawn.hash not in done
                seen = await states(homes, port)
                assert [len(state.pins) for state in seen.values()] == [1, 1]
                assert [len(state.guests) for state in seen.values()] == [0, 1]  # no bank is told
                await delivery.deliver()
                altered = guest.model_copy(update={"not_after": guest.not_after + 1})
                forged = hub_pb2.PeerDocuments(
                    guests=[signed_to_wire(altered.sign(SigningKey.generate()))]
                )
                with pytest.raises(RemoteRefusal):
                    await channel.unary(METHOD, forged, hub_pb2.PeerReceipts)
            async with homes.channel(HARBOUR, HUB, port) as channel:
                with pytest.raises(RemoteRefusal):  # the regulator's alone
                    await channel.unary(METHOD, hub_pb2.PeerDocuments(), hub_pb2.PeerReceipts)
            entries = [read_entry(one.entry).kind.value async for one in hub.log.iterate()]
            kinds = ("chain-pinned", "chain-withdrawn", "guest")
            assert [kind for kind in entries if kind in kinds] == [
                "chain-pinned",
                "guest",
                "chain-withdrawn",
            ]
            await holder_follows(homes, port, tmp_path / "holder")
            config = str(homes.folder(HUB) / "node.toml")
            command = ["chains", "--json", "--config", config]
            listed = await asyncio.to_thread(CliRunner().invoke, hub_app, command)
            (known,) = json.loads(listed.stdout)["chains"]
            assert (known["chain"], known["state"], known["reason"]) == ("zsj", "withdrawn", "over")


async def publish_members(homes: Homes, hub: Runtime[HubConfig]) -> None:
    for party in (REGULATOR, HUB, HARBOUR, HOLDERS[0]):
        credential = homes.identity(party).credential
        address = "127.0.0.1:9" if party.role is Role.HOLDER else ""
        await hub.store.run(
            lambda c, s=credential, a=address: add_member(hub, c, s, a)  # type: ignore[misc]
        )


async def states(homes: Homes, port: int) -> dict[SpiffeId, hub_pb2.ChainState]:
    """What the hub publishes to a bank and to a holder."""
    found = {}
    for party in (HARBOUR, HOLDERS[0]):
        async with homes.channel(party, HUB, port) as channel:
            found[party] = await channel.unary(
                "/yinxin.v1.Hub/GetChain", hub_pb2.GetChainRequest(), hub_pb2.ChainState
            )
    return found


async def holder_follows(homes: Homes, port: int, folder: Path) -> None:
    """A holder keeps pins and guests, and logs neither; after the withdrawal nobody is a guest."""
    store = Store.open(f"sqlite:///{folder}.sqlite")
    try:
        chain, log = ChainStore(store, homes.root), QueryLog(store)
        clock = FixedClock(homes.now)
        async with homes.channel(HOLDERS[0], HUB, port) as channel:
            await ChainSync(channel, chain, store, log, clock).sync()
        pins = await store.read(chain.pins)
        assert pins["zsj"].state == "withdrawn" and pins["zsj"].number == 2
        assert len(await store.read(lambda c: chain.documents(c, GUEST))) == 1
        members = await store.read(lambda c: chain.members(c, homes.now))
        with pytest.raises(Refusal):
            members.require(SpiffeId("zsj.yinxin.example", Role.BANK, "delta"), Role.BANK)
        assert [one async for one in log.iterate()] == []
    finally:
        store.close()


async def test_the_authority_changes_in_steps_that_leave_nobody_behind(tmp_path: Path) -> None:
    async with offices(tmp_path, "csj", "zsj") as (csj, zsj):
        await csj.pin(zsj)
        await zsj.pin(csj)
        await zsj.look()
        regulator = zsj.regulator
        folder = tmp_path / "tax"
        root = zsj.place.root
        settings = HomeSettings(hub=PeerConfig(name="hub", address="127.0.0.1:9"))
        title = {"zh": "甲", "en": "a"}
        init_home(
            Role.HOLDER,
            folder,
            name="tax",
            trust_root=root,
            title=title,
            settings=settings,
            kind="tax",
        )
        request = read_request_file(folder / "request.json")

        async def enrol() -> None:
            zsj.place.clock.advance(1)
            grant = await membership.enrol(regulator, request, days=30)
            again = Grant.from_json(grant.to_json())
            join_home(folder, again, zsj.place.clock.now())

        await enrol()
        for step in (switch_authority, retire_authority):
            with pytest.raises(RegulatorError, match="authority: "):
                await step(regulator)
        both = TrustBundle.parse((await add_authority(regulator)).payload)
        assert (both.spiffe_sequence, len(both.keys)) == (2, 2)
        with pytest.raises(RegulatorError, match="two already"):
            await add_authority(regulator)
        with pytest.raises(RegulatorError, match=r"holder/tax.*csj \(bundle 1\)"):
            await switch_authority(regulator)
        await csj.look()
        await zsj.look()
        await enrol()  # still by the first authority, and now with both
        authorities = (folder / "keys/authority.pem").read_bytes()
        assert authorities == both.authorities_pem()
        await switch_authority(regulator)
        with pytest.raises(RegulatorError, match="holder/tax have certificates"):
            await retire_authority(regulator)
        await enrol()
        last = TrustBundle.parse((await retire_authority(regulator)).payload)
        assert (last.spiffe_sequence, last.keys) == (3, both.keys[1:])
        assert read_trust_root(folder / "trust.json") == root
        new = read_trust_root(zsj.place.folder / "trust.json")
        assert new.authority.encode() == last.authorities_pem()
        await enrol()
        assert (folder / "keys/authority.pem").read_bytes() == last.authorities_pem()


async def test_a_grants_bundle_is_the_own_regulators(tmp_path: Path) -> None:
    async with offices(tmp_path, "csj", "zsj") as (csj, zsj):
        own, other = await publish(csj.regulator), await publish(zsj.regulator)
        root, credential = csj.place.root, csj.regulator.identity.credential
        grant = Grant(credential, b"", own)
        assert grant.authorities(root) == root.authority.encode()
        with pytest.raises(SignatureInvalid):
            Grant(credential, b"", other).authorities(root)
        moved = TrustBundle.parse(own.payload).model_copy(update={"yinxin_chain": "jjj"})
        forged = moved.sign(csj.regulator.identity.signing)
        with pytest.raises(DocumentError, match="is of chain jjj"):
            Grant(credential, b"", forged).authorities(root)


def test_by_command(tmp_path: Path) -> None:
    csj, zsj = Place(tmp_path, "csj"), Place(tmp_path, "zsj")
    file = tmp_path / "bundle.json"

    def run(place: Place, *arguments: str, code: int = 0) -> Any:
        config = ["--config", str(place.folder / "node.toml"), "--json"]
        result = CliRunner().invoke(app, ["chains", *arguments, *config])
        if code:
            return result.exception
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    shown = run(zsj, "bundle", "--out", str(file))
    assert shown["chain"] == "zsj" and shown["sequence"] == 1
    assert run(csj, "list") == {"chains": []}
    wrong = run(csj, "pin", str(file), "--fingerprint", "0" * 64, code=1)
    assert isinstance(wrong, RegulatorError) and shown["fingerprint"] not in str(wrong)
    assert run(csj, "pin", str(file), "--fingerprint", shown["fingerprint"])["number"] == 1
    (one,) = run(csj, "list")["chains"]
    assert (one["state"], one["fingerprint"]) == ("pinned", shown["fingerprint"])
    assert not one["hub_has_it"] and not one["trusts_us"] and one["heard"] is None
    assert run(zsj, "rotate")["sequence"] == 2
    assert run(zsj, "rotate", "--authority")["authorities"] == 2
    assert run(zsj, "rotate", "--switch")["sequence"] == 3
    assert run(zsj, "rotate", "--retire")["authorities"] == 1
    assert isinstance(run(zsj, "rotate", "--switch", "--retire", code=1), RegulatorError)
    gone = run(csj, "withdraw", "zsj", "--reason", "over")
    assert (gone["state"], gone["reason"]) == ("withdrawn", "over")
    assert "已撤销" in text(csj, "zh") and "withdrawn" in text(csj, "en")
    assert isinstance(run(csj, "withdraw", "jjj", "--reason", "x", code=1), RegulatorError)


def text(place: Place, lang: str) -> str:
    config = str(place.folder / "node.toml")
    result = CliRunner().invoke(app, ["chains", "list", "--lang", lang, "--config", config])
    return result.stdout
