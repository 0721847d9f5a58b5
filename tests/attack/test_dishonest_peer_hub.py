"""Hubs on the way to another chain that alter, withhold, replay, reorder, or answer for others.

Two real hubs over mutual TLS: csj enrols the firms and zsj's bank asks there through its own hub.
Either is made dishonest in turn. What the bank does is what its node does: the same source of the
chain's documents, the same checks of an answer (`federation.exchange.bank`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from inspect import isawaitable
from pathlib import Path
from typing import Any

import pytest

from federation.entries import Kind, entry
from federation.errors import FederationError, Reason, Refusal, SignatureInvalid
from federation.exchange.bank import AnswerRejected
from federation.exchange.hub import PermitDesk
from federation.exchange.messages import QueryReply
from federation.identity import SpiffeId
from federation.interchain.directory import Directory
from federation.interchain.routed import RoutedQuery, open_routed
from federation.permit import Permit
from federation.roster import Roster
from federation.signed import Signed, SigningKey, sign
from federation.withdrawal import make_withdrawal
from node.hub.peers import directories, routing
from node.hub.peers import service as peers
from node.hub.peers.service import PeersService
from node.hub.peers.state import peer_chain
from node.hub.service import HubService
from node.peers import following as source_module
from node.rpc.client import Channel
from node.rpc.convert import (
    logged_from_wire,
    logged_to_wire,
    reply_from_wire,
    signed_from_wire,
    signed_to_wire,
)
from node.rpc.errors import PartyUnavailable, RemoteFailure, RemoteRefusal
from support.chain import CHAIN, HUB, INSURANCE, NOW, REGULATOR, TAX, UNNAMED
from tests.node.hub.peers.world import (
    HOME_REGULATOR,
    PEARL,
    RIVAL,
    GuestChain,
    Two,
    ask,
    begin,
    following,
    hub_directories,
    route,
    seal_query,
    two_chains,
)
from yinxin.v1 import hub_pb2

Change = Callable[[Any], Any]
DAY = 86_400


def honest(reply: Any) -> Any:
    """Passes on what there is."""
    return reply


@dataclass
class Dishonest:
    """The two chains, and what either hub does to its replies, by method."""

    two: Two
    there: dict[str, Change] = field(default_factory=dict)
    home: dict[str, Change] = field(default_factory=dict)


@pytest.fixture(scope="module")
def guest_chain() -> GuestChain:
    return GuestChain()


@pytest.fixture
async def dishonest(
    tmp_path: Path, guest_chain: GuestChain, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Dishonest]:
    there: dict[str, Change] = {}
    home: dict[str, Change] = {}
    _wrap(monkeypatch, PeersService, there, "GetChain", "Query")
    _wrap(monkeypatch, HubService, home, "GetPeerChain", "RouteQuery")
    monkeypatch.setattr(directories, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(directories, "PATIENCE_SECONDS", 20.0)
    async with two_chains(tmp_path, guest_chain) as two:
        await two.install(guest_chain.pearls)
        yield Dishonest(two, there, home)


def _wrap(
    monkeypatch: pytest.MonkeyPatch, service: type, changes: dict[str, Change], *methods: str
) -> None:
    for name in methods:
        method = getattr(service, name)

        async def wrapped(
            self: Any, request: Any, context: Any, method: Any = method, name: str = name
        ) -> Any:
            reply = changes.get(name, honest)(await method(self, request, context))
            return await reply if isawaitable(reply) else reply

        monkeypatch.setattr(service, name, wrapped)


async def pearl_asks(two: Two, channel: Channel, number: int) -> tuple[Any, QueryReply]:
    query = begin(two, two.chain.firms[number])
    return query, await ask(channel, route(seal_query(two, query), two.chain.guests[PEARL]))


def opened(two: Two, query: Any, reply: QueryReply, number: int) -> Any:
    network, firm = two.abroad.network, two.chain.firms[number]
    return network.open(query, reply, two.chain.pearls, firm)


# --- answers ----------------------------------------------------------------------------------


def flip(reply: hub_pb2.QueryReply) -> hub_pb2.QueryReply:
    answer = reply.answers[UNNAMED.index(TAX)].answer
    answer.signature = answer.signature[:-1] + bytes([answer.signature[-1] ^ 1])
    return reply


def reorder(reply: hub_pb2.QueryReply) -> hub_pb2.QueryReply:
    return hub_pb2.QueryReply(permits=reply.permits, answers=reversed(reply.answers))


def withhold(reply: hub_pb2.QueryReply) -> hub_pb2.QueryReply:
    return hub_pb2.QueryReply(permits=reply.permits, answers=reply.answers[:-1])


class Replay:
    """Gives out the first reply it saw, whole or its answers alone, for every later query."""

    def __init__(self, *, permits: bool) -> None:
        self._permits = permits
        self._first: hub_pb2.QueryReply | None = None

    def __call__(self, reply: hub_pb2.QueryReply) -> hub_pb2.QueryReply:
        if self._first is None:
            self._first = reply
            return reply
        permits = self._first.permits if self._permits else reply.permits
        return hub_pb2.QueryReply(permits=permits, answers=self._first.answers)


ANSWERS: list[tuple[Callable[[], Change], SpiffeId]] = [
    (lambda: flip, TAX),
    (lambda: reorder, INSURANCE),
    (lambda: withhold, HUB),
    (lambda: Replay(permits=True), HUB),
    (lambda: Replay(permits=False), INSURANCE),
]


@pytest.mark.parametrize("who", ["there", "home"])
async def test_altered_answers_are_no_score(dishonest: Dishonest, who: str) -> None:
    """Each names the party whose part does not verify; before and after it a score comes."""
    two = dishonest.two
    changes = dishonest.there if who == "there" else dishonest.home
    method = "Query" if who == "there" else "RouteQuery"
    async with two.calling() as bank:
        for number, (make, party) in enumerate(ANSWERS, start=1):
            changes[method] = make()
            if isinstance(changes[method], Replay):
                await pearl_asks(two, bank, 0)
            query, reply = await pearl_asks(two, bank, number)
            with pytest.raises(AnswerRejected) as caught:
                opened(two, query, reply, number)
            assert caught.value.party == party
            changes[method] = honest
            query, reply = await pearl_asks(two, bank, number + len(ANSWERS))
            expected = two.chain.reference(
                two.chain.pearls, 1, two.chain.firms[number + len(ANSWERS)]
            )
            assert opened(two, query, reply, number + len(ANSWERS)) == expected
    # A reply that was given out again is no query that was routed.
    routed = [e.body["document"] for e in await two.routed()]
    assert len(set(routed)) == len(routed)


async def test_a_home_hub_answers_in_the_peers_place(dishonest: Dishonest) -> None:
    """It permits itself: under its own key, or under its own permit for what was asked."""
    two = dishonest.two

    def own(reply: hub_pb2.QueryReply) -> hub_pb2.QueryReply:
        logged = logged_from_wire(reply.permits[0])
        forged = Permit.parse(logged.document.payload).sign(two.home.hub_key)
        reply.permits[0].document.CopyFrom(signed_to_wire(forged))
        return reply

    dishonest.home["RouteQuery"] = own
    async with two.calling() as bank:
        query, reply = await pearl_asks(two, bank, 1)
    with pytest.raises(AnswerRejected) as caught:
        opened(two, query, reply, 1)
    assert caught.value.party == HUB


# --- permits that the home hub would log ------------------------------------------------------


def _permits(two: Two, reply: hub_pb2.QueryReply, **changes: Any) -> hub_pb2.QueryReply:
    """The reply with a permit that csj's hub signed and logged, but not what was asked for."""
    permit = Permit.parse(reply.permits[0].document.payload)
    other = permit.model_copy(update={"id": secrets.token_bytes(16), **changes})
    hub = two.there.hub
    raw = entry(Kind.PERMIT, NOW, document=other.hash)
    logged = hub.logged(other.sign(hub.identity.signing), raw)
    return hub_pb2.QueryReply(permits=[logged_to_wire(logged)], answers=reply.answers)


def _unpromised(two: Two, reply: hub_pb2.QueryReply) -> hub_pb2.QueryReply:
    other = _permits(two, reply)
    reply.permits[0].promise.CopyFrom(other.permits[0].promise)
    return reply


def _resigned(two: Two, reply: hub_pb2.QueryReply) -> hub_pb2.QueryReply:
    document = signed_from_wire(reply.permits[0].document)
    key = SigningKey.generate()
    forged = Permit.parse(document.payload).sign(key)
    reply.permits[0].document.CopyFrom(signed_to_wire(forged))
    return reply


def _many(two: Two, reply: hub_pb2.QueryReply) -> hub_pb2.QueryReply:
    return hub_pb2.QueryReply(permits=[reply.permits[0]] * 257, answers=reply.answers)


PERMITS: list[tuple[Callable[[Two, hub_pb2.QueryReply], hub_pb2.QueryReply], str]] = [
    (lambda _, r: hub_pb2.QueryReply(answers=r.answers), "bad_permit"),
    (lambda two, r: _permits(two, r, bank=RIVAL), "bad_permit"),
    (lambda two, r: _permits(two, r, chain="jjj"), "bad_permit"),
    (_resigned, "bad_permit"),
    (_unpromised, "bad_promise"),
    (lambda _, r: hub_pb2.QueryReply(permits=[r.permits[0]] * 2, answers=r.answers), "bad_permit"),
    (_many, "bad_permit"),
]


async def test_permits_that_are_not_about_the_bank_are_not_logged_as_routed(
    dishonest: Dishonest,
) -> None:
    """The home hub's log would accuse its bank of what another one asked, or fill up."""
    two = dishonest.two
    async with two.calling() as bank:
        for number, (change, _) in enumerate(PERMITS):
            dishonest.there["Query"] = lambda reply, change=change: change(two, reply)
            with pytest.raises(RemoteFailure) as caught:
                await pearl_asks(two, bank, number)
            assert caught.value.party == HUB
    assert await two.reasons() == [reason for _, reason in PERMITS]
    refusals = [e for e in await two.home_entries() if e.kind == "refusal"]
    assert {e.body["caller"] for e in refusals} == {str(HUB)}
    assert await two.routed() == []


async def test_without_that_check_a_bank_is_accused_of_anothers_query(
    dishonest: Dishonest, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = dishonest.two

    def unread(reply: hub_pb2.QueryReply, *_: object) -> list[Signed]:
        return [signed_from_wire(permit.document) for permit in reply.permits]

    monkeypatch.setattr(routing, "_read_permits", unread)
    dishonest.there["Query"] = lambda reply: _permits(two, reply, bank=RIVAL)
    async with two.calling() as bank:
        await pearl_asks(two, bank, 0)
    (routed,) = await two.routed()
    assert routed.body["bank"] == str(PEARL)


# --- blame ------------------------------------------------------------------------------------


@pytest.mark.parametrize("defended", [True, False])
async def test_blaming_a_party_of_the_banks_own_chain(
    dishonest: Dishonest, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    if not defended:

        @asynccontextmanager
        async def calling(self: Any, peer: Any, bank: SpiffeId) -> AsyncIterator[Channel]:
            yield await self.directories.channels.hub(peer.trusted.pin.peer)

        monkeypatch.setattr(routing.PeerRoutes, "_calling", calling)

    def blame(reply: Any) -> Any:
        raise PartyUnavailable(HOME_REGULATOR)

    dishonest.there["Query"] = blame
    async with dishonest.two.calling() as bank:
        kind = RemoteFailure if defended else PartyUnavailable
        with pytest.raises(kind) as caught:
            await pearl_asks(dishonest.two, bank, 0)
    assert caught.value.party == (HUB if defended else HOME_REGULATOR)


async def test_withholding_the_reply_altogether(dishonest: Dishonest) -> None:
    """The home hub waits for it a share of the bank's time: the bank is not to blame that one."""
    two = dishonest.two

    async def never(reply: Any) -> Any:
        await asyncio.Event().wait()

    query = begin(two, two.chain.firms[0])
    request = route(seal_query(two, query), two.chain.guests[PEARL])
    async with two.calling() as bank:
        first = await ask(bank, request)  # every connection is up
        dishonest.there["Query"] = never
        with pytest.raises(PartyUnavailable) as caught:
            await ask(bank, request, 2.0)
        assert caught.value.party == HUB
        dishonest.there["Query"] = honest
        again = await ask(bank, request)
    assert [p.document for p in first.permits] == [p.document for p in again.permits]


# --- a query in the bank's name ---------------------------------------------------------------


@pytest.mark.parametrize("defended", [True, False])
async def test_a_home_hub_that_got_hold_of_a_consent_asks_in_the_banks_name(
    dishonest: Dishonest, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    """It knows consent, model and how to seal: what it lacks is the bank's key."""
    two = dishonest.two
    if not defended:

        def unverified(signed: Signed, signing: bytes, **more: Any) -> bytes:
            key = SigningKey.generate()
            return open_routed(RoutedQuery.parse(signed.payload).sign(key), key.public, **more)

        monkeypatch.setattr(peers, "open_routed", unverified)
    made = seal_query(two, begin(two, two.chain.firms[0])).sign(two.home.hub_key)
    key_id = two.chain.guests[PEARL].key_id
    forged = Signed(made.payload_type, made.payload, key_id, made.signature)
    request = hub_pb2.RouteQueryRequest(query=signed_to_wire(forged))
    async with two.hub_calling() as hub:
        try:
            reply = await hub.unary("/yinxin.v1.Peers/Query", request, hub_pb2.QueryReply)
        except RemoteRefusal:
            assert defended
        else:
            assert not defended
            assert reply_from_wire(reply).permits
    assert len(await two.there.entries("permit")) == (0 if defended else 1)


# --- directories: what the home hub hands on --------------------------------------------------


async def withdraw(two: Two) -> None:
    certificate = two.chain.pearls.certificate
    withdrawal = make_withdrawal(certificate, certificate.bank, NOW)
    signed, hub = withdrawal.sign(two.chain.signing[REGULATOR]), two.there.hub
    await hub.store.run(lambda c: hub.chain.put_withdrawal(c, signed))


def hide_withdrawals(reply: hub_pb2.PeerChain) -> hub_pb2.PeerChain:
    state = hub_pb2.ChainState.FromString(reply.state)
    state.ClearField("withdrawals")
    raw = state.SerializeToString(deterministic=True)
    return hub_pb2.PeerChain(state=raw, directory=reply.directory)


def unread_directory(signed: Signed, *_: object) -> Directory:
    """What is believed without the checks."""
    return Directory.parse(signed.payload)


@pytest.mark.parametrize("defended", [True, False])
async def test_a_state_with_something_left_out(
    dishonest: Dishonest, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    """The home hub hides that a model is withdrawn. Nothing left in the state is forged."""
    two = dishonest.two
    await withdraw(two)
    pinned = await two.pin_abroad(number=2)
    dishonest.home["GetPeerChain"] = hide_withdrawals
    digest = two.chain.pearls.certificate.hash
    async with two.calling() as bank, following(two, bank, pinned) as copy:
        if defended:
            with pytest.raises(Refusal) as caught:
                await copy.copy.sync()
            assert caught.value.reason is Reason.CONFLICT
            dishonest.home["GetPeerChain"] = honest
            await copy.copy.sync()
        else:
            with monkeypatch.context() as patch:
                patch.setattr(source_module, "read_directory", unread_directory)
                await copy.copy.sync()
        hidden = await copy.store.read(lambda c: copy.chain.withdrawal(c, digest)) is None
    assert hidden is not defended


@pytest.mark.parametrize("defended", [True, False])
async def test_an_old_state_after_a_new_one(
    dishonest: Dishonest, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    """Rolling back what a bank has seen, signed as it once was."""
    two = dishonest.two
    pinned = await two.pin_abroad(number=2)
    seen: list[hub_pb2.PeerChain] = []

    def oldest(reply: hub_pb2.PeerChain) -> hub_pb2.PeerChain:
        seen.append(reply)
        return seen[0]

    async with two.calling() as bank, following(two, bank, pinned) as copy:
        dishonest.home["GetPeerChain"] = oldest
        await copy.copy.sync()
        dishonest.home["GetPeerChain"] = honest
        for clock in (two.abroad.clock, two.home.clock):
            clock.advance(60)
        await copy.copy.sync()
        assert copy.source.published is not None
        assert copy.source.published.directory.issued == NOW + 60
        dishonest.home["GetPeerChain"] = oldest
        if defended:
            with pytest.raises(Refusal) as caught:
                await copy.copy.sync()
            assert caught.value.reason is Reason.STALE_DIRECTORY
        else:
            with monkeypatch.context() as patch:
                patch.setattr(source_module, "read_directory", unread_directory)
                await copy.copy.sync()
        issued = copy.source.published.directory.issued
    assert issued == (NOW + 60 if defended else NOW)


async def test_what_is_withheld_gets_stale(dishonest: Dishonest) -> None:
    """The home hub goes on giving out what it once had."""
    two = dishonest.two
    pinned = await two.pin_abroad(number=2)
    kept: list[hub_pb2.PeerChain] = []

    def first(reply: hub_pb2.PeerChain) -> hub_pb2.PeerChain:
        kept.append(reply)
        return kept[0]

    dishonest.home["GetPeerChain"] = first
    async with two.calling() as bank, following(two, bank, pinned) as copy:
        await copy.copy.sync()
        for clock in (two.abroad.clock, two.home.clock):
            clock.advance(DAY + 1)
        with pytest.raises(Refusal) as caught:
            await copy.copy.sync()
    assert caught.value.reason is Reason.STALE_DIRECTORY


async def test_a_chain_of_the_home_hubs_own_making(dishonest: Dishonest) -> None:
    """It signs members, directory and all: under its own regulator's key, or its own."""
    two = dishonest.two
    pinned = await two.pin_abroad(number=2)

    def members(reply: hub_pb2.PeerChain) -> hub_pb2.PeerChain:
        state = hub_pb2.ChainState.FromString(reply.state)
        for member in state.members:
            key = two.home.regulator
            forged = sign(member.payload_type, member.payload, key)
            member.CopyFrom(signed_to_wire(forged))
        raw = state.SerializeToString(deterministic=True)
        return hub_pb2.PeerChain(state=raw, directory=reply.directory)

    def directory(reply: hub_pb2.PeerChain) -> hub_pb2.PeerChain:
        made = Directory.parse(reply.directory.payload).sign(two.home.hub_key)
        return hub_pb2.PeerChain(state=reply.state, directory=signed_to_wire(made))

    async with two.calling() as bank, following(two, bank, pinned) as copy:
        for change in (members, directory):
            dishonest.home["GetPeerChain"] = change
            with pytest.raises(SignatureInvalid):
                await copy.copy.sync()
        assert await copy.store.read(copy.chain.epoch_numbers) == ()


# --- directories: what the peer's hub says ----------------------------------------------------


def _directory(two: Two, reply: hub_pb2.PeerChain, **changes: Any) -> hub_pb2.PeerChain:
    made = Directory.parse(reply.directory.payload).model_copy(update=changes)
    signed = made.sign(two.there.hub.identity.signing)
    return hub_pb2.PeerChain(state=reply.state, directory=signed_to_wire(signed))


CONTRADICTIONS: list[tuple[dict[str, Any], Reason]] = [
    ({"audience": "jjj"}, Reason.WRONG_AUDIENCE),
    ({"chain": "jjj"}, Reason.WRONG_CHAIN),
    ({"issued": NOW - 1}, Reason.STALE_DIRECTORY),
    ({"issued": NOW - 2 * DAY}, Reason.STALE_DIRECTORY),
    ({"issued": NOW + 3600}, Reason.NOT_YET_VALID),
    ({"state": bytes(32)}, Reason.CONFLICT),
    ({"roster_root": bytes(32)}, Reason.CONFLICT),
    ({"roster_rows": 23}, Reason.CONFLICT),
    ({"batches": 0}, Reason.CONFLICT),
]


async def test_directories_that_contradict_what_the_peers_hub_said_before(
    dishonest: Dishonest,
) -> None:
    """Signed by the hub itself. The home hub keeps what it had, and goes on serving that."""
    two, kept = dishonest.two, hub_directories(dishonest.two)
    before = await kept.current(CHAIN, fetch=True)
    for changes, reason in CONTRADICTIONS:
        dishonest.there["GetChain"] = lambda reply, c=changes: _directory(two, reply, **c)
        with pytest.raises(Refusal) as caught:
            await kept._pull(kept._followed[CHAIN])
        assert caught.value.reason is reason
        after = await kept.current(CHAIN, fetch=True)
        assert after.published == before.published
    assert len([e for e in await two.home_entries() if e.kind == "directory"]) == 1


async def test_a_directory_that_was_made_for_another_chain_is_not_handed_on(
    dishonest: Dishonest,
) -> None:
    """What csj tells jjj names jjj's guests: given to zsj, its own are left out."""
    two = dishonest.two
    there = two.there.hub
    other = await there.store.read(lambda c: peer_chain(there, c, "jjj", "jjj.yinxin.example"))
    kept = hub_directories(two)
    await kept.current(CHAIN, fetch=True)
    dishonest.there["GetChain"] = lambda _: other
    with pytest.raises(Refusal) as caught:
        await kept._pull(kept._followed[CHAIN])
    assert caught.value.reason is Reason.WRONG_AUDIENCE


# --- firms of others --------------------------------------------------------------------------


async def test_answering_for_a_firm_that_the_chain_does_not_enrol(
    dishonest: Dishonest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer's hub lets anything through; the bank has the roster, and asks nothing."""
    two, stranger = dishonest.two, dishonest.two.chain.stranger
    examine = PermitDesk.examine

    class Everybody(Roster):
        def row(self, uscc: Any, size: int | None = None) -> int:
            return 0

    def lenient(self: PermitDesk, *arguments: Any) -> Any:
        request, bank, certificate, epoch, _, now = arguments
        return examine(self, request, bank, certificate, epoch, Everybody(CHAIN), now)

    monkeypatch.setattr(PermitDesk, "examine", lenient)
    pinned = await two.pin_abroad(number=2)
    query = begin(two, stranger)
    async with two.calling() as bank, following(two, bank, pinned) as copy:
        reply = await ask(bank, route(seal_query(two, query), two.chain.guests[PEARL]))
        assert len(reply.answers) == len(UNNAMED)  # it did answer
        await copy.copy.sync()
        roster = await copy.store.read(lambda c: copy.chain.roster(c, NOW))
        with pytest.raises(FederationError) as caught:
            roster.row(stranger.uscc)
    assert isinstance(caught.value, Refusal)
    assert caught.value.reason is Reason.UNKNOWN_ENTERPRISE
