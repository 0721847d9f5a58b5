"""What the hub's service for members publishes and relays, and to whom."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from federation.entries import Kind, check_logged
from federation.epoch import Manifest
from federation.identity import SpiffeId
from federation.roster import RosterBatch
from federation.signed import verify
from node.chain.store import ROSTER_TYPE
from node.hub import publication
from node.rpc.client import Channel
from node.rpc.convert import logged_from_wire, signed_from_wire, signed_to_wire
from node.rpc.errors import (
    PartyUnavailable,
    RemoteError,
    RemoteFailure,
    RemoteInvalid,
    RemoteRefusal,
)
from support.chain import (
    CHAIN,
    COURT,
    DAY,
    DELTA,
    HARBOUR,
    HUB,
    INSURANCE,
    NOW,
    POWER,
    REGULATOR,
    TAX,
    UNNAMED,
)
from tests.node.hub.world import HUB_METHODS, Node, World, upload
from yinxin.v1 import common_pb2, hub_pb2


async def get_chain(channel: Channel) -> hub_pb2.ChainState:
    request = hub_pb2.GetChainRequest()
    return await channel.unary(f"{HUB_METHODS}GetChain", request, hub_pb2.ChainState)


async def submit(channel: Channel, manifest: Any) -> common_pb2.Receipt:
    method = f"{HUB_METHODS}SubmitManifest"
    return await channel.unary(method, signed_to_wire(manifest), common_pb2.Receipt)


async def keys(channel: Channel, digest: bytes, epoch: int = 1) -> hub_pb2.HubKeyReply:
    request = hub_pb2.HubKeyRequest(
        request=common_pb2.KeyRequest(certificate_hash=digest, epoch=epoch)
    )
    return await channel.unary(f"{HUB_METHODS}GetKeys", request, hub_pb2.HubKeyReply)


async def prepare(
    channel: Channel, digest: bytes, holder: SpiffeId, deadline: float | None = None
) -> list[common_pb2.Table]:
    request = hub_pb2.HubPrepareRequest(
        holder=str(holder),
        request=common_pb2.PrepareRequest(certificate_hash=digest, epoch=1, buckets=[0, 0, 0]),
    )
    method = f"{HUB_METHODS}Prepare"
    stream = channel.download(method, request, common_pb2.Table, deadline)
    return [table async for table in stream]


async def install(channel: Channel, requests: AsyncIterator[hub_pb2.InstallModelRequest]) -> bytes:
    method = f"{HUB_METHODS}InstallModel"
    reply = await channel.upload(method, requests, hub_pb2.InstallModelReply)
    return bytes(reply.certificate_hash)


# --- what is published ----------------------------------------------------------------------------


async def test_the_chain_as_members_see_it(world: World) -> None:
    chain = world.chain
    async with world.serving(TAX) as node:
        for party in (HARBOUR, TAX, REGULATOR):
            async with node.calling(party) as channel:
                state = await get_chain(channel)
        credentials = tuple(map(signed_from_wire, state.members))
        assert credentials == chain.members.credentials()
        assert list(state.catalogues) == [chain.catalogue.to_json().encode()]
        assert (state.roster_rows, state.roster_batches) == (chain.roster.size, 1)
        for number, epoch in zip((1, 2), state.epochs, strict=True):
            descriptor, manifests, opening = chain.epoch_documents[number]
            assert signed_from_wire(epoch.descriptor) == descriptor
            assert signed_from_wire(epoch.opening) == opening
            assert {signed_from_wire(m) for m in epoch.manifests} == set(manifests)
        world.clock.advance(DAY)  # both epochs are closed: nobody can use them any more
        async with node.calling(TAX) as channel:
            assert list((await get_chain(channel)).epochs) == []


async def test_an_announced_epoch_comes_without_manifests_and_opening(world: World) -> None:
    async with world.serving(TAX) as node, node.calling(TAX) as channel:
        made = await node.hub.store.run(lambda c: publication.announce(node.hub, c, NOW, NOW + DAY))
        await submit(channel, manifest_for(world, made.epoch, made.hash, TAX))
        epoch = (await get_chain(channel)).epochs[-1]
        assert signed_from_wire(epoch.descriptor).payload == made.payload()
        assert (len(epoch.manifests), epoch.HasField("opening")) == (0, False)


async def test_the_roster_comes_batch_by_batch(world: World) -> None:
    async with world.serving(TAX) as node, node.calling(TAX) as channel:
        stranger = world.chain.stranger.uscc
        await node.hub.store.run(lambda c: publication.enrol(node.hub, c, [stranger]))

        async def batches(start: int) -> list[RosterBatch]:
            request = hub_pb2.GetRosterRequest(from_batch=start)
            method = f"{HUB_METHODS}GetRoster"
            public = world.chain.signing[HUB].public
            stream = channel.download(method, request, common_pb2.Signed)
            raw = [verify(signed_from_wire(m), public, ROSTER_TYPE) async for m in stream]
            return [RosterBatch.from_json(one) for one in raw]

        first, second = await batches(0)
        assert set(first.codes) == {firm.uscc for firm in world.chain.firms}
        assert (second.codes, second.first_row) == ((stranger,), 24)
        assert await batches(1) == [second]
        assert await batches(2) == []
        assert await batches(2**32 - 1) == []


@pytest.mark.parametrize(
    ("method", "callers"),
    [
        ("GetChain", (HARBOUR, TAX, REGULATOR)),
        ("GetRoster", (HARBOUR, TAX, REGULATOR)),
        ("SubmitManifest", (TAX,)),
        ("InstallModel", (HARBOUR,)),
        ("GetKeys", (HARBOUR,)),
        ("Prepare", (HARBOUR,)),
        ("Query", (HARBOUR,)),
    ],
)
async def test_who_may_call_what(world: World, method: str, callers: tuple[SpiffeId, ...]) -> None:
    parties = (HUB, HARBOUR, TAX, REGULATOR)
    async with world.serving(TAX) as node:
        for party in parties:
            async with node.calling(party) as channel:
                try:
                    await empty_call(channel, method)
                except RemoteError as error:
                    # Who is let in is told what is wrong with an empty request.
                    assert party in callers or isinstance(error, RemoteRefusal)
        # Whoever may not call is refused before anybody looks at the request.
        refused = [e.body for e in await node.entries("refusal") if e.body["caller"] == ""]
        assert len(refused) == len(parties) - len(callers)
        assert {body["reason"] for body in refused} == {"foreign_certificate"}


async def empty_call(channel: Channel, method: str) -> None:
    name = f"{HUB_METHODS}{method}"
    if method == "InstallModel":
        await install(channel, nothing_sent())
    elif method in ("GetRoster", "Prepare"):
        async for _ in channel.download(name, common_pb2.Table(), common_pb2.Signed):
            break
    else:
        await channel.unary(name, common_pb2.Table(), common_pb2.Signed)


async def test_a_certificate_without_membership_gets_no_further_than_publications(
    world: World,
) -> None:
    """The authority still vouches for it, and the regulator no longer: it may not query."""
    stranger = SpiffeId(HARBOUR.trust_domain, HARBOUR.role, "bay")
    async with world.serving(*UNNAMED) as node, node.calling(stranger) as channel:
        await node.install(world.chain.alpha)
        query = world.network.begin(world.chain.alpha, world.chain.consent(world.chain.firms[0]))
        with pytest.raises(RemoteRefusal):
            await node.query(channel, query)
        with pytest.raises(RemoteRefusal):
            await keys(channel, world.chain.alpha.certificate.hash)
        assert await node.reasons() == ["foreign_certificate"] * 2


# --- manifests ------------------------------------------------------------------------------------


def manifest_for(
    world: World, number: int, announced: bytes, holder: SpiffeId, **changes: Any
) -> Any:
    fields: dict[str, Any] = {
        "chain": CHAIN,
        "epoch": number,
        "descriptor": announced,
        "holder": holder,
        "as_of": "2027-01-14",
        "rows": world.chain.roster.size,
        "data_hash": secrets.token_bytes(32),
    }
    manifest = Manifest.model_validate(fields | changes)
    return manifest.sign(world.chain.holders[holder].signing)


async def announced(node: Node) -> tuple[int, bytes]:
    made = await node.hub.store.run(lambda c: publication.announce(node.hub, c, NOW, NOW + DAY))
    return made.epoch, made.hash


async def test_a_manifest_is_kept_logged_and_receipted(world: World) -> None:
    async with world.serving(TAX) as node, node.calling(TAX) as channel:
        number, descriptor = await announced(node)
        signed = manifest_for(world, number, descriptor, TAX)
        receipt = await submit(channel, signed)
        logged = logged_from_wire(
            common_pb2.Logged(
                document=signed_to_wire(signed), entry=receipt.entry, promise=receipt.promise
            )
        )
        public = world.chain.signing[HUB].public
        recorded = check_logged(logged, Kind.MANIFEST, HUB, public, NOW)
        assert (recorded.body["holder"], recorded.body["epoch"]) == (str(TAX), number)
        assert recorded in await node.entries(Kind.MANIFEST)
        # Sent again, after the answer was lost: the same manifest, and a receipt.
        again = await submit(channel, signed)
        assert again.entry == receipt.entry
        kept = await node.hub.store.read(lambda c: node.hub.chain.documents(c, "manifest", number))
        assert kept == (signed,)


async def test_a_holder_has_one_manifest_an_epoch(world: World) -> None:
    async with world.serving(TAX) as node, node.calling(TAX) as channel:
        number, descriptor = await announced(node)
        first = manifest_for(world, number, descriptor, TAX)
        await submit(channel, first)
        with pytest.raises(RemoteRefusal):
            await submit(channel, manifest_for(world, number, descriptor, TAX))
        assert await node.reasons() == ["conflict"]
        kept = await node.hub.store.read(lambda c: node.hub.chain.documents(c, "manifest", number))
        assert kept == (first,)


async def test_a_holder_speaks_for_itself_alone(world: World) -> None:
    async with world.serving(TAX) as node, node.calling(TAX) as channel:
        number, descriptor = await announced(node)
        with pytest.raises(RemoteRefusal):  # the other's own signature
            await submit(channel, manifest_for(world, number, descriptor, POWER))
        forged = Manifest.parse(manifest_for(world, number, descriptor, POWER).payload)
        with pytest.raises(RemoteRefusal):  # the other's name, signed by the caller
            await submit(channel, forged.sign(world.chain.holders[TAX].signing))
        assert await node.reasons() == ["unverified", "conflict"]
        assert await node.entries(Kind.MANIFEST) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"epoch": 9}, "not_open"),
        ({"epoch": 2**53 - 1}, "not_open"),
        ({"descriptor": bytes(32)}, "conflict"),
        ({"rows": 23}, "conflict"),
        ({"chain": "zsj"}, "wrong_chain"),
    ],
)
async def test_a_manifest_has_to_fit_what_was_announced(
    world: World, changes: dict[str, Any], reason: str
) -> None:
    async with world.serving(TAX) as node, node.calling(TAX) as channel:
        number, descriptor = await announced(node)
        with pytest.raises(RemoteError):
            await submit(channel, manifest_for(world, number, descriptor, TAX, **changes))
        assert await node.reasons() == [reason]


async def test_after_the_opening_only_what_is_kept_already_is_receipted(world: World) -> None:
    async with world.serving(TAX, POWER) as node, node.calling(TAX) as tax:
        number, descriptor = await announced(node)
        signed = manifest_for(world, number, descriptor, TAX)
        await submit(tax, signed)
        members = await node.hub.members()
        opening = await node.hub.store.run(
            lambda c: publication.open_epoch(node.hub, c, number, members)
        )
        assert [m.holder for m in opening.manifests] == [TAX]
        async with node.calling(POWER) as power:
            with pytest.raises(RemoteError, match="closed"):
                await submit(power, manifest_for(world, number, descriptor, POWER))
        assert (await submit(tax, signed)).entry
        assert await node.reasons() == ["closed"]


# --- models ---------------------------------------------------------------------------------------


async def test_a_model_reaches_its_holder_and_is_remembered(world: World) -> None:
    model = world.chain.alpha
    async with world.serving(*UNNAMED) as node, node.calling(HARBOUR) as bank:
        for holder in UNNAMED:
            sent = await install(bank, upload(model, holder, model.bundles[holder]))
            assert sent == model.certificate.hash
            assert world.holders[holder].installed == [(sent, model.bundles[holder])]
        kept = await node.hub.store.read(lambda c: node.hub.chain.certificate(c, sent, NOW))
        assert kept == model.certificate
        (entry,) = await node.entries(Kind.INSTALLED)
        assert entry.body["bank"] == str(HARBOUR)


Upload = Callable[[World], AsyncIterator[hub_pb2.InstallModelRequest]]


async def nothing_sent() -> AsyncIterator[hub_pb2.InstallModelRequest]:
    for message in ():
        yield message


async def no_header() -> AsyncIterator[hub_pb2.InstallModelRequest]:
    yield hub_pb2.InstallModelRequest(bundle=common_pb2.Chunk(total=1, sha256=bytes(32)))


@pytest.mark.parametrize(
    ("make", "error", "reason"),
    [
        (lambda w: upload(w.chain.rival, TAX, b""), RemoteRefusal, "foreign_certificate"),
        (lambda w: upload(w.chain.alpha, COURT, b""), RemoteRefusal, "wrong_audience"),
        (lambda w: nothing_sent(), RemoteInvalid, "malformed"),
        (lambda w: no_header(), RemoteInvalid, "malformed"),
    ],
    ids=["another bank's", "no participant", "nothing", "no header"],
)
async def test_what_is_no_upload_of_the_callers_is_refused_by_the_hub(
    world: World, make: Upload, error: type[RemoteError], reason: str
) -> None:
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        with pytest.raises(error) as caught:
            await install(bank, make(world))
        assert caught.value.party == HUB
        assert await node.reasons() == [reason]
        assert not any(stub.installed for stub in world.holders.values())
        assert await node.entries(Kind.INSTALLED) == []


@pytest.mark.parametrize("fault", ["truncated", "down", "not running", "another bundle"])
async def test_a_model_that_does_not_arrive_is_not_remembered(world: World, fault: str) -> None:
    model = world.chain.alpha
    bundle = model.bundles[POWER if fault == "another bundle" else TAX]
    error: type[RemoteError] = {
        "truncated": RemoteFailure, "another bundle": RemoteRefusal,
    }.get(fault, PartyUnavailable)  # fmt: skip
    async with world.serving(TAX) as node, node.calling(HARBOUR) as bank:
        world.holders[TAX].down = fault == "down"
        if fault == "not running":
            await node.holders[TAX].stop(0)
        with pytest.raises(error) as caught:
            await install(bank, upload(model, TAX, bundle, cut=1 if fault == "truncated" else None))
        assert caught.value.party == TAX
        assert world.holders[TAX].installed == []
        digest = model.certificate.hash
        assert await node.hub.store.read(lambda c: node.hub.chain.certified(c, digest)) is None
        assert await node.entries(Kind.INSTALLED) == []


# --- relays ---------------------------------------------------------------------------------------


async def test_every_participants_statement_comes_in_order(world: World) -> None:
    model = world.chain.alpha
    async with world.serving(*UNNAMED) as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        reply = await keys(bank, model.certificate.hash)
        epoch = world.chain.epochs[1]
        expected = [world.chain.statement(h, model, epoch) for h in model.certificate.holders]
        assert [logged_from_wire(one) for one in reply.statements] == expected


async def test_tables_come_as_the_holder_sends_them(world: World) -> None:
    model = world.chain.alpha
    async with world.serving(*UNNAMED) as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        tables = await prepare(bank, model.certificate.hash, POWER)
        assert [table.holder for table in tables] == [str(POWER)] * 3


Relay = Callable[[Channel, bytes], Awaitable[object]]


async def _tables(channel: Channel, digest: bytes) -> object:
    return await prepare(channel, digest, INSURANCE)


@pytest.mark.parametrize("relay", [keys, _tables], ids=["keys", "tables"])
async def test_a_relay_is_for_the_models_own_bank(world: World, relay: Relay) -> None:
    model = world.chain.alpha
    digest = model.certificate.hash
    async with world.serving(*UNNAMED) as node, node.calling(DELTA) as other:
        with pytest.raises(RemoteRefusal):
            await relay(other, digest)
        await node.install(model)
        with pytest.raises(RemoteRefusal):
            await relay(other, digest)
        assert await node.reasons() == ["uncertified_model", "foreign_certificate"]
        async with node.calling(HARBOUR) as bank:
            world.holders[INSURANCE].down = True
            with pytest.raises(PartyUnavailable) as caught:
                await relay(bank, digest)
            assert caught.value.party == INSURANCE


async def test_tables_of_a_holder_that_takes_no_part_are_refused(world: World) -> None:
    model = world.chain.alpha
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        with pytest.raises(RemoteRefusal) as caught:
            await prepare(bank, model.certificate.hash, COURT)
        assert caught.value.party == HUB
        assert await node.reasons() == ["wrong_audience"]
        with pytest.raises(RemoteInvalid):
            await bank_prepare_nonsense(bank, model.certificate.hash)


async def bank_prepare_nonsense(bank: Channel, digest: bytes) -> None:
    request = hub_pb2.HubPrepareRequest(
        holder="tax", request=common_pb2.PrepareRequest(certificate_hash=digest)
    )
    async for _ in bank.download(f"{HUB_METHODS}Prepare", request, common_pb2.Table):
        pass


async def test_a_holder_that_hangs_while_preparing_is_named_in_time(world: World) -> None:
    model = world.chain.alpha
    async with world.serving(*UNNAMED) as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        await prepare(bank, model.certificate.hash, TAX)
        world.holders[TAX].hangs = True
        with pytest.raises(PartyUnavailable) as caught:
            await prepare(bank, model.certificate.hash, TAX, deadline=2.0)
        assert caught.value.party == TAX


async def test_a_bank_that_hangs_up_lets_the_holder_go(world: World) -> None:
    model = world.chain.alpha
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async with world.serving(*UNNAMED) as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        world.holders[TAX].before = wait
        with pytest.raises(PartyUnavailable):
            await prepare(bank, model.certificate.hash, TAX, deadline=0.5)
        async with asyncio.timeout(5):
            while not ended:
                await asyncio.sleep(0.02)


async def test_a_certificate_of_members_that_left_is_not_relayed_for(world: World) -> None:
    model = world.chain.alpha
    async with world.serving(*UNNAMED) as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        await keys(bank, model.certificate.hash)
        side = world.chain.holders[TAX]
        renewed = world.chain.holder_member(side).model_copy(
            update={"signing": secrets.token_bytes(32), "not_before": NOW}
        )
        signed = renewed.sign(world.chain.signing[REGULATOR])
        await node.hub.store.run(lambda c: node.hub.chain.put_member(c, signed))
        with pytest.raises(RemoteRefusal):
            await keys(bank, model.certificate.hash)
        assert await node.reasons() == ["foreign_certificate"]
