"""What a bank asks of another chain: through its own hub to the one that enrols the firm."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from typing import Any

import pytest

from federation.errors import Reason
from federation.identity import SpiffeId
from federation.permit import Permit
from node.errors import StorageUnavailable
from node.hub.peers.shares import PeerShares
from node.rpc.convert import signed_from_wire
from node.rpc.errors import PartyUnavailable, RemoteRefusal
from support.chain import CHAIN, HUB, POWER, TAX, UNNAMED
from tests.node.hub.peers.world import (
    HOME_HUB,
    PEARL,
    RIVAL,
    Two,
    ask,
    begin,
    hub_directories,
    route,
    seal_query,
)
from tests.node.hub.world import HUB_METHODS, nothing, upload
from yinxin.v1 import common_pb2, hub_pb2


async def test_a_record_of_another_chain_is_the_one_of_the_reference(two: Two) -> None:
    chain, model, firm = two.chain, two.chain.pearls, two.chain.firms[3]
    await two.install(model)
    query = begin(two, firm, uses=1)
    async with two.calling() as bank:
        reply = await ask(bank, route(seal_query(two, query), chain.guests[PEARL]))
        opened = two.abroad.network.open(query, reply, model, firm)
        assert opened == chain.reference(model, 1, firm)
        (permit,) = [Permit.parse(one.document.payload) for one in reply.permits]
        (entry,) = await two.routed()
        assert entry.body["bank"] == str(PEARL)
        assert entry.body["chain"] == permit.chain == CHAIN
        # An answer that was lost is asked for again: the same permit, no use, no second entry.
        again = await ask(bank, route(seal_query(two, query), chain.guests[PEARL]))
    assert [p.document for p in again.permits] == [p.document for p in reply.permits]
    assert two.abroad.network.open(query, again, model, firm) == opened
    assert len(await two.there.entries("permit")) == len(await two.routed()) == 1
    assert await two.kept() == 1


async def test_model_keys_and_tables_go_the_same_way(two: Two) -> None:
    chain, model, network = two.chain, two.chain.pearls, two.abroad.network
    request = common_pb2.KeyRequest(certificate_hash=model.certificate.hash, epoch=1)
    keys = hub_pb2.HubKeyRequest(request=request, chain=CHAIN)
    tables = hub_pb2.HubPrepareRequest(
        holder=str(TAX),
        request=common_pb2.PrepareRequest(
            certificate_hash=model.certificate.hash, epoch=1, buckets=[0]
        ),
        chain=CHAIN,
    )
    async with two.calling() as bank:
        with pytest.raises(RemoteRefusal):
            await bank.unary(f"{HUB_METHODS}GetKeys", keys, hub_pb2.HubKeyReply)
        for holder in UNNAMED:
            parts = upload(model, holder, model.bundles[holder])
            reply = await bank.upload(
                f"{HUB_METHODS}InstallModel", parts, hub_pb2.InstallModelReply
            )
            assert reply.certificate_hash == model.certificate.hash
        assert [two.abroad.holders[h].installed for h in UNNAMED] == [
            [(model.certificate.hash, model.bundles[h])] for h in UNNAMED
        ]
        stated = await bank.unary(f"{HUB_METHODS}GetKeys", keys, hub_pb2.HubKeyReply)
        assert [signed_from_wire(s.document) for s in stated.statements] == [
            chain.statement(h, model, chain.epochs[1]).document for h in UNNAMED
        ]
        stream = bank.download(f"{HUB_METHODS}Prepare", tables, common_pb2.Table)
        assert [(t.holder, t.bucket) async for t in stream] == [(str(TAX), 0)]
        # Nobody else at home has the model, and at home alone there is none of that hash.
        keys.chain = ""
        with pytest.raises(RemoteRefusal):
            await bank.unary(f"{HUB_METHODS}GetKeys", keys, hub_pb2.HubKeyReply)
    keys.chain = CHAIN
    async with two.calling(RIVAL) as other:
        with pytest.raises(RemoteRefusal):
            await other.unary(f"{HUB_METHODS}GetKeys", keys, hub_pb2.HubKeyReply)
        with pytest.raises(RemoteRefusal):
            parts = upload(model, TAX, model.bundles[TAX])
            await other.upload(f"{HUB_METHODS}InstallModel", parts, hub_pb2.InstallModelReply)
    assert await two.reasons() == [
        Reason.UNCERTIFIED_MODEL,
        Reason.UNCERTIFIED_MODEL,
        Reason.FOREIGN_CERTIFICATE,
        Reason.FOREIGN_CERTIFICATE,
    ]
    (installed,) = await two.there.entries("model-installed")
    assert installed.body["bank"] == str(PEARL)
    assert network.seen == {}


async def test_the_home_hub_learns_who_asks_and_where_and_nothing_of_the_firm(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, model = two.chain, two.chain.pearls
    await two.install(model)
    sent: list[bytes] = []
    channel = await hub_directories(two).channels.hub(CHAIN)
    unary = channel.unary

    async def watched(method: str, request: Any, *more: Any) -> Any:
        sent.append(request.SerializeToString())
        return await unary(method, request, *more)

    monkeypatch.setattr(channel, "unary", watched)
    async with two.calling() as bank:
        for number, reference in ((4, ""), (5, "r" * 64)):
            query = begin(two, chain.firms[number])
            asked = two.abroad.network.begin(
                model, chain.consent(chain.firms[number], bank=PEARL), reference=reference
            )
            request = route(seal_query(two, asked), chain.guests[PEARL])
            before = len(sent)
            await ask(bank, request)
            raw = request.SerializeToString()
            assert raw in sent[before:]
            for secret in (
                asked.request.consent.encode(),
                asked.request.consent.split(".")[1].encode(),
                query.code,
                asked.request.blindings[0].proof,
                asked.request.blindings[0].blinded,
                model.certificate.hash,
            ):
                assert secret not in raw
    sizes = {len(raw) for raw in sent if len(raw) > 1000}
    assert len(sizes) == 1
    kept = b"".join(p.read_bytes() for p in two.home.folder.rglob("zsj-hub/**/*") if p.is_file())
    for entry in await two.routed():
        assert set(entry.body) == {"document", "bank", "chain"}
    for number in (4, 5):
        # The roster of the chain is public, and the hub keeps it for its banks.
        code = chain.firms[number].uscc.encode()
        assert kept.count(code) == kept.count(b'"' + code + b'"')


async def test_nothing_is_handed_over_before_it_is_logged(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two.install(two.chain.pearls)
    query = begin(two, two.chain.firms[6], uses=1)

    def full(*_: object) -> None:
        raise StorageUnavailable("no space is left on the disk")

    async with two.calling() as bank:
        with monkeypatch.context() as patch:
            patch.setattr(two.here.log, "append", full)
            with pytest.raises(PartyUnavailable) as caught:
                await ask(bank, route(seal_query(two, query), two.chain.guests[PEARL]))
            assert caught.value.party == HOME_HUB
        assert await two.routed() == []
        assert await two.kept() == 0
        reply = await ask(bank, route(seal_query(two, query), two.chain.guests[PEARL]))
    assert len(reply.permits) == len(await two.routed()) == 1


async def test_who_is_down_in_the_other_chain_is_named(two: Two) -> None:
    key = two.chain.guests[PEARL]
    await two.install(two.chain.pearls)
    query = begin(two, two.chain.firms[7])
    async with two.calling() as bank:
        two.abroad.holders[POWER].down = True
        with pytest.raises(PartyUnavailable) as caught:
            await ask(bank, route(seal_query(two, query), key))
        assert caught.value.party == POWER
        two.abroad.holders[POWER].down = False
        await two.there.hub.servers[2].stop(0)
        with pytest.raises(PartyUnavailable) as caught:
            await ask(bank, route(seal_query(two, query), key))
        assert caught.value.party == HUB
    assert await two.routed() == []
    assert await two.reasons() == []  # an outage is nobody's refusal


async def test_what_a_party_of_the_other_chain_refuses_is_told_as_its_own(two: Two) -> None:
    two.abroad.network.ledger(TAX).stopped_banks.add(PEARL)
    await two.install(two.chain.pearls)
    async with two.calling() as bank:
        query = begin(two, two.chain.firms[8])
        with pytest.raises(RemoteRefusal) as caught:
            await ask(bank, route(seal_query(two, query), two.chain.guests[PEARL]))
    assert caught.value.party == TAX
    assert await two.reasons() == await two.there.reasons() == []


async def test_a_bank_that_takes_its_share_leaves_the_others_theirs(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call a bank, here; pearl's waits for a holder, rival asks all the same."""
    hold = PeerShares.hold

    def narrow(self: PeerShares, where: str, bank: SpiffeId) -> AbstractContextManager[None]:
        self.one = 1
        return hold(self, where, bank)

    monkeypatch.setattr(PeerShares, "hold", narrow)
    chain, waits = two.chain, asyncio.Event()
    reached = asyncio.Event()

    async def wait() -> None:
        reached.set()
        await waits.wait()

    for model in (chain.pearls, chain.rivals):
        await two.install(model)
    pearls, rivals = begin(two, chain.firms[0]), begin(two, chain.firms[1], chain.rivals)
    async with two.calling(PEARL) as pearl, two.calling(RIVAL) as rival:
        two.abroad.holders[TAX].before = wait
        held = asyncio.create_task(ask(pearl, route(seal_query(two, pearls), chain.guests[PEARL])))
        await reached.wait()
        two.abroad.holders[TAX].before = nothing
        with pytest.raises(PartyUnavailable) as caught:
            await ask(pearl, route(seal_query(two, pearls), chain.guests[PEARL]))
        assert caught.value.party == HOME_HUB
        request = route(seal_query(two, rivals, RIVAL), chain.guests[RIVAL])
        assert (await ask(rival, request)).answers
        waits.set()
        assert (await held).answers


async def test_calls_that_run_end_soon_after_the_pin(two: Two) -> None:
    """What was asked before the chain was withdrawn is not waited for."""
    await two.install(two.chain.pearls)
    two.abroad.holders[TAX].hangs = True
    query = begin(two, two.chain.firms[0])
    async with two.calling() as bank:
        asked = ask(bank, route(seal_query(two, query), two.chain.guests[PEARL]))
        held = asyncio.create_task(asked)
        async with asyncio.timeout(20):
            while not two.abroad.holders[TAX].requests:
                await asyncio.sleep(0.01)
        await two.pin_abroad(number=2, state="withdrawn")
        await hub_directories(two).look()
        with pytest.raises(PartyUnavailable):
            await held
    assert await two.routed() == []
