"""What the two hubs refuse between chains, and with which reason in whose log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from federation.entries import CLOCK_SKEW
from federation.errors import Reason
from federation.identity import Role, SpiffeId
from federation.interchain.routed import ROUTED_SECONDS, route_query
from federation.signed import Signed, SigningKey
from node.hub import publication
from node.rpc.client import Channel
from node.rpc.convert import signed_to_wire
from node.rpc.errors import PartyUnavailable, RemoteError, RemoteRefusal
from support.chain import CHAIN, DAY, HARBOUR, HUB, NOW, TAX
from tests.node.hub.peers.world import (
    HOME,
    HOME_HUB,
    HOME_REGULATOR,
    PEARL,
    RIVAL,
    STRANGER,
    THIRD,
    THIRD_DOMAIN,
    THIRD_HUB,
    Authority,
    Two,
    ask,
    begin,
    route,
    seal_query,
)
from tests.node.hub.world import HUB_METHODS, upload
from yinxin.v1 import common_pb2, hub_pb2

PEERS = "/yinxin.v1.Peers/"


async def refused(two: Two, channel: Channel, request: hub_pb2.RouteQueryRequest) -> None:
    """A routed query that fails, told as a refusal and no more."""
    with pytest.raises(RemoteRefusal):
        await ask(channel, request)
    assert await two.routed() == []
    assert await two.there.entries("permit") == []


# --- at home: what a bank asks ----------------------------------------------------------------


async def test_what_the_home_hub_does_not_pass_on(two: Two) -> None:
    """Each is refused before the hub there hears of it."""
    key, rivals = two.chain.guests[PEARL], two.chain.guests[RIVAL]
    await two.install(two.chain.pearls)
    query = begin(two, two.chain.firms[0])
    pearls = seal_query(two, query)
    later = NOW + ROUTED_SECONDS + CLOCK_SKEW
    cases: list[tuple[SpiffeId, hub_pb2.RouteQueryRequest, str]] = [
        # To a chain that is not pinned, back to the own one, to another hub than the pinned.
        (PEARL, route(seal_query(two, query, chain=THIRD, hub=THIRD_HUB), key), "unknown_chain"),
        (PEARL, route(seal_query(two, query, chain=HOME, hub=HOME_HUB), key), "wrong_chain"),
        (PEARL, route(seal_query(two, query, home=CHAIN, chain=HOME), key), "wrong_chain"),
        (PEARL, route(seal_query(two, query, hub=THIRD_HUB), key), "wrong_audience"),
        # Too late, too early.
        (PEARL, route(seal_query(two, query, now=NOW - later + NOW), key), "expired"),
        (PEARL, route(seal_query(two, query, now=NOW + CLOCK_SKEW + 1), key), "expired"),
        # Another bank's query, as it was seen; in another's name; of a bank of that chain.
        (RIVAL, route(pearls, key), "unverified"),
        (RIVAL, route(pearls, rivals), "wrong_bank"),
        (RIVAL, route(seal_query(two, query, bank=HARBOUR), rivals), "wrong_bank"),
    ]
    async with two.calling(PEARL) as pearl, two.calling(RIVAL) as rival:
        for caller, request, _ in cases:
            await refused(two, pearl if caller == PEARL else rival, request)
    assert await two.reasons() == [reason for *_, reason in cases]
    assert await two.there.reasons() == []


async def test_a_chain_is_not_asked_once_its_pin_is_withdrawn_or_over(two: Two) -> None:
    key = two.chain.guests[PEARL]
    await two.install(two.chain.pearls)
    query = begin(two, two.chain.firms[0], uses=3)
    peer = hub_pb2.PeerChainRequest(chain=CHAIN)
    async with two.calling() as bank:
        await ask(bank, route(seal_query(two, query), key))  # connections are up
        await two.pin_abroad(number=2, state="withdrawn")
        calls: list[Callable[[], Any]] = [
            lambda: ask(bank, route(seal_query(two, query), key)),
            lambda: bank.unary(f"{HUB_METHODS}GetPeerChain", peer, hub_pb2.PeerChain),
            lambda: anext(
                bank.download(
                    f"{HUB_METHODS}GetPeerRoster",
                    hub_pb2.PeerRosterRequest(chain=CHAIN),
                    common_pb2.Signed,
                )
            ),
        ]
        for call in calls:
            with pytest.raises(RemoteRefusal):
                await call()
        await two.pin_abroad(number=3, not_after=NOW + DAY)
        assert (await ask(bank, route(seal_query(two, query), key))).permits
        two.home.clock.advance(DAY)
        with pytest.raises(RemoteRefusal):
            await ask(bank, route(seal_query(two, query, now=NOW + DAY), key))
    assert await two.reasons() == [Reason.UNKNOWN_CHAIN] * 4


async def test_certificates_that_a_bank_cannot_bring_to_another_chain(two: Two) -> None:
    chain = two.chain
    foreign = SigningKey.generate()
    forged = chain.pearls.certificate.sign(foreign)
    async with two.calling() as bank:

        async def install(signed: Signed, holder: SpiffeId = TAX) -> None:
            parts = upload(chain.pearls, holder, b"")
            header = (await anext(parts)).header
            header.certificate.CopyFrom(signed_to_wire(signed))

            async def once() -> Any:
                yield hub_pb2.InstallModelRequest(header=header)

            with pytest.raises(RemoteError):
                await bank.upload(f"{HUB_METHODS}InstallModel", once(), hub_pb2.InstallModelReply)

        await install(forged)  # of a regulator that nobody pinned
        await install(chain.rivals.signed)  # another bank's
        await install(chain.alpha.signed)  # a bank's of that chain
        await install(chain.pearls.signed, SpiffeId(THIRD_DOMAIN, Role.HOLDER, "tax"))
    assert await two.reasons() == [
        "unverified",
        Reason.FOREIGN_CERTIFICATE,
        Reason.FOREIGN_CERTIFICATE,
        Reason.WRONG_AUDIENCE,
    ]
    assert not any(stub.installed for stub in two.abroad.holders.values())


async def test_a_bank_that_is_no_member_at_home_any_more_asks_nowhere(two: Two) -> None:
    """It is a guest there still, and has a certificate for TLS."""
    home, here, key = two.home, two.here, two.chain.guests[PEARL]
    await two.install(two.chain.pearls)
    over = home.member(PEARL, key.public, not_before=NOW - 1, not_after=NOW)
    await here.store.run(lambda c: publication.add_member(here, c, over, ""))
    digest = two.chain.pearls.certificate.hash
    keys = hub_pb2.HubKeyRequest(
        request=common_pb2.KeyRequest(certificate_hash=digest, epoch=1), chain=CHAIN
    )
    async with two.calling() as bank:
        request = route(seal_query(two, begin(two, two.chain.firms[0])), key)
        await refused(two, bank, request)
        with pytest.raises(RemoteRefusal):
            await bank.unary(f"{HUB_METHODS}GetKeys", keys, hub_pb2.HubKeyReply)
        with pytest.raises(RemoteRefusal):
            parts = upload(two.chain.pearls, TAX, two.chain.pearls.bundles[TAX])
            await bank.upload(f"{HUB_METHODS}InstallModel", parts, hub_pb2.InstallModelReply)
    assert await two.reasons() == [Reason.FOREIGN_CERTIFICATE] * 3
    assert await two.there.reasons() == []


# --- there: what a peer's hub asks ------------------------------------------------------------


async def test_a_hub_answers_for_its_own_chain_alone(two: Two) -> None:
    """Asked for a third chain, or back for the caller's: nothing is passed on."""
    digest = two.chain.pearls.certificate.hash
    keys = common_pb2.KeyRequest(certificate_hash=digest, epoch=1)
    tables = common_pb2.PrepareRequest(certificate_hash=digest, epoch=1, buckets=[0])
    await two.install(two.chain.pearls)
    async with two.hub_calling() as hub:
        for chain in (THIRD, HOME, ""):
            with pytest.raises(RemoteRefusal):
                request = hub_pb2.PeerChainRequest(chain=chain)
                await hub.unary(f"{PEERS}GetChain", request, hub_pb2.PeerChain)
            with pytest.raises(RemoteRefusal):
                rows = hub_pb2.PeerRosterRequest(chain=chain)
                await anext(hub.download(f"{PEERS}GetRoster", rows, common_pb2.Signed))
            with pytest.raises(RemoteRefusal):
                wanted = hub_pb2.HubKeyRequest(request=keys, chain=chain)
                await hub.unary(f"{PEERS}GetKeys", wanted, hub_pb2.HubKeyReply)
            with pytest.raises(RemoteRefusal):
                prepare = hub_pb2.HubPrepareRequest(holder=str(TAX), request=tables, chain=chain)
                await anext(hub.download(f"{PEERS}Prepare", prepare, common_pb2.Table))
    assert await two.there.reasons() == [Reason.WRONG_CHAIN] * 12


async def test_a_peers_hub_acts_for_guests_of_its_own_chain_alone(two: Two) -> None:
    chain = two.chain
    third = chain.certify("stranger", STRANGER)
    await two.welcome(STRANGER)
    async with two.hub_calling() as hub:
        for model in (third, chain.alpha):  # a bank of a third chain, and one of that chain
            await two.there.install(model)
            request = hub_pb2.HubKeyRequest(
                request=common_pb2.KeyRequest(certificate_hash=model.certificate.hash, epoch=1),
                chain=CHAIN,
            )
            with pytest.raises(RemoteRefusal):
                await hub.unary(f"{PEERS}GetKeys", request, hub_pb2.HubKeyReply)
            with pytest.raises(RemoteRefusal):
                parts = upload(model, TAX, model.bundles[TAX])
                await hub.upload(f"{PEERS}InstallModel", parts, hub_pb2.InstallModelReply)
    # The stranger's own chain is not pinned there: it is no guest at all.
    assert await two.there.reasons() == [Reason.FOREIGN_CERTIFICATE] * 4
    assert not any(stub.installed for stub in two.abroad.holders.values())


async def test_a_peers_hub_asks_nothing_in_a_banks_name(two: Two) -> None:
    chain = two.chain
    await two.install(chain.pearls)
    query = begin(two, chain.firms[1])
    pearls = seal_query(two, query)
    own, key = two.home.hub_key, chain.guests[PEARL]
    forged = pearls.sign(own)
    forged = Signed(forged.payload_type, forged.payload, key.key_id, forged.signature)
    unsigned = Signed(forged.payload_type, forged.payload, key.key_id, b"")
    third = seal_query(two, query, bank=STRANGER, home=THIRD)
    rivals = pearls.model_copy(update={"bank": RIVAL})
    cases: list[tuple[Signed, str]] = [
        (pearls.sign(own), "foreign_certificate"),  # signed by the hub: no guest's key
        (forged, "unverified"),
        (unsigned, "unverified"),
        (third.sign(chain.guests[STRANGER]), "foreign_certificate"),  # of a third chain
        (rivals.sign(chain.guests[RIVAL]), "unverified"),  # another bank's, sealed as it was
        (seal_query(two, query, home=THIRD).sign(key), "wrong_chain"),
        (seal_query(two, query, chain=THIRD).sign(key), "wrong_chain"),  # to be passed on
        (seal_query(two, query, hub=THIRD_HUB).sign(key), "wrong_audience"),  # another hub's
        (seal_query(two, query, bank=HARBOUR).sign(key), "wrong_bank"),
        (seal_query(two, query, now=NOW - ROUTED_SECONDS - CLOCK_SKEW).sign(key), "expired"),
    ]
    async with two.hub_calling() as hub:
        for signed, _ in cases:
            request = hub_pb2.RouteQueryRequest(query=signed_to_wire(signed))
            with pytest.raises(RemoteRefusal):
                await hub.unary(f"{PEERS}Query", request, hub_pb2.QueryReply)
    assert await two.there.reasons() == [reason for _, reason in cases]
    assert await two.there.entries("permit") == []


async def test_a_query_that_is_played_again_costs_no_use_and_ends_with_its_time(two: Two) -> None:
    """What the hub at home saw of a bank's query, it can send again, for a minute and a half."""
    await two.install(two.chain.pearls)
    query = begin(two, two.chain.firms[2], uses=1)
    request = route(seal_query(two, query), two.chain.guests[PEARL])
    async with two.calling() as bank, two.hub_calling() as hub:
        reply = await ask(bank, request)
        again = await hub.unary(f"{PEERS}Query", request, hub_pb2.QueryReply)
        assert [p.document.payload for p in again.permits] == [
            p.document.payload for p in reply.permits
        ]
        two.abroad.clock.advance(ROUTED_SECONDS + CLOCK_SKEW)
        with pytest.raises(RemoteRefusal):
            await hub.unary(f"{PEERS}Query", request, hub_pb2.QueryReply)
    assert len(await two.there.entries("permit")) == 1
    assert await two.there.reasons() == [Reason.EXPIRED]


async def test_what_was_sealed_has_to_be_a_query(two: Two) -> None:
    junk = route_query(
        b"\xff\xff",
        request_id=bytes(16),
        home=HOME,
        chain=CHAIN,
        bank=PEARL,
        hub=HUB,
        sealing=two.chain.sealing[HUB].public,
        now=NOW,
    )
    async with two.calling() as bank:
        await refused(two, bank, route(junk, two.chain.guests[PEARL]))
    assert await two.there.reasons() == ["malformed"]
    assert await two.reasons() == []


async def test_a_guest_is_one_until_its_credential_or_its_chains_pin_ends(two: Two) -> None:
    """The connection between the hubs stays up all the while."""
    key, chain = two.chain.guests[PEARL], two.chain
    await two.install(chain.pearls)
    query = begin(two, chain.firms[3], uses=3)
    request = route(seal_query(two, query), key)
    async with two.calling() as bank:
        await ask(bank, request)
        await two.welcome(PEARL, not_before=NOW - 1, not_after=NOW)  # replaced: it is over
        with pytest.raises(RemoteRefusal):
            await ask(bank, request)
        await two.welcome(PEARL, not_before=NOW)
        await ask(bank, request)
        await two.pin_home(number=2, state="withdrawn")
        with pytest.raises(RemoteRefusal) as caught:
            await ask(bank, request)
        assert caught.value.party == HUB
        await two.pin_home(number=3)
        await ask(bank, request)
    assert await two.there.reasons() == [Reason.FOREIGN_CERTIFICATE, Reason.UNKNOWN_CHAIN]
    assert await two.reasons() == []


async def test_a_firm_that_the_chain_does_not_enrol_is_refused_there(two: Two) -> None:
    await two.install(two.chain.pearls)
    query = begin(two, two.chain.stranger)
    async with two.calling() as bank:
        await refused(two, bank, route(seal_query(two, query), two.chain.guests[PEARL]))
    assert await two.there.reasons() == [Reason.UNKNOWN_ENTERPRISE]
    assert await two.reasons() == []
    assert not any(stub.requests for stub in two.abroad.holders.values())


async def test_a_consent_has_to_name_the_chain_that_is_asked(two: Two) -> None:
    await two.install(two.chain.pearls)
    query = begin(two, two.chain.firms[4], chains=(HOME,))
    async with two.calling() as bank:
        await refused(two, bank, route(seal_query(two, query), two.chain.guests[PEARL]))
    assert await two.there.reasons() == [Reason.WRONG_CHAIN]


async def test_nobody_else_speaks_to_a_hubs_address_for_peers(two: Two) -> None:
    request = hub_pb2.PeerChainRequest(chain=CHAIN)
    stranger = Authority(two.abroad.folder / "jjj-tls", THIRD_DOMAIN)
    async with two.hub_calling(THIRD_HUB, stranger) as hub:
        with pytest.raises(PartyUnavailable):  # TLS knows no authority of that chain
            await hub.unary(f"{PEERS}GetChain", request, hub_pb2.PeerChain)
    for party in (PEARL, HOME_REGULATOR):  # of the peer chain, but not its hub
        async with two.hub_calling(party) as channel:
            with pytest.raises(RemoteRefusal):
                await channel.unary(f"{PEERS}GetChain", request, hub_pb2.PeerChain)
    assert await two.there.reasons() == [Reason.FOREIGN_CERTIFICATE] * 2
