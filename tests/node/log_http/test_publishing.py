"""Logs of several members that witness each other over mutual TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from federation.merkle import leaf_hash, root_of, verify_inclusion
from federation.tlog.checkpoint import (
    cosigners,
    open_checkpoint,
    origin_of,
    quorum_of,
    witnesses_of,
)
from federation.tlog.proof import verify_proof
from federation.tlog.tiles import TileReader, bundles_of, tiles_for_root
from node.errors import Unwitnessed
from node.log.http.server import LogServer
from support.enrolled import HARBOUR, HOLDERS, HUB, REGULATOR
from tests.node.log_http.world import GRACE, QUICK, LogWorld, enrolled, until

WITNESSES = (REGULATOR, HUB, *HOLDERS)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LogWorld]:
    with enrolled(tmp_path) as found:
        yield found


async def test_every_members_log_is_cosigned_by_its_witnesses(world: LogWorld) -> None:
    async with world.running(*WITNESSES, HARBOUR):
        members = await world.members[HUB].runtime.members()
        for member in world.members.values():
            index = await member.append(3)
            checkpoint = await member.cosigned(index + 1)
            witnesses = witnesses_of(members, member.id)
            assert len(witnesses) == (5 if member.id == HARBOUR else 4)
            found = cosigners(member.checkpoint()[1], witnesses)
            assert len(found) >= quorum_of(len(witnesses))
            assert checkpoint.size == await member.runtime.log.size()


async def test_regulator_reads_a_whole_log_and_its_tiles_give_the_root(world: LogWorld) -> None:
    async with world.running(*WITNESSES):
        hub = world.members[HUB]
        last = await hub.append(700)
        checkpoint = await hub.cosigned(last + 1)
        async with world.client(REGULATOR, HUB) as client:
            raw = await client.checkpoint()
            public = hub.runtime.identity.signing.public
            assert open_checkpoint(raw, origin_of(HUB), public)[0] == checkpoint
            tiles = {
                (t.level, t.number): await client.tile(t.level, t.number, t.width)
                for t in tiles_for_root(checkpoint.size)
            }
            assert root_of(checkpoint.size, TileReader(tiles)) == checkpoint.root
            entries = [
                one
                for index, width in bundles_of(checkpoint.size)
                for one in await client.bundle(index, width)
            ]
            assert await client.attachments(0) == {}
        assert entries == [one.entry async for one in hub.runtime.log.iterate(0, checkpoint.size)]


async def test_proofs_that_are_asked_for_at_once_share_a_checkpoint(world: LogWorld) -> None:
    slow = QUICK | {"YINXIN__TLOG__PERIOD": "30"}
    async with world.running(*WITNESSES, environment=slow):
        hub = world.members[HUB]
        members = await hub.runtime.members()
        await hub.cosigned(0)
        indices = [await hub.append() for _ in range(20)]
        proofs = await asyncio.gather(*(hub.publisher.prove(i, 10.0) for i in indices))
        sizes = set()
        for index, proof in zip(indices, proofs, strict=True):
            raw = (await hub.runtime.log.get(index)).entry
            public = hub.runtime.identity.signing.public
            found = verify_proof(proof, raw, HUB, public, witnesses_of(members, HUB))
            sizes.add(found.size)
        assert len(sizes) <= 2 and min(sizes) >= indices[0]


async def test_a_witness_that_is_away_and_one_that_hangs_hold_nothing_up(world: LogWorld) -> None:
    """Of four witnesses of the hub, three are a quorum."""
    hanging = await asyncio.start_server(lambda reader, writer: reader.read(), "127.0.0.1", 0)
    away, *present = HOLDERS
    async with hanging, world.running(HUB, REGULATOR, *present):
        world.addresses[away] = f"127.0.0.1:{hanging.sockets[0].getsockname()[1]}"
        hub = world.members[HUB]
        for _ in range(3):
            index = await hub.append()
            proof = await hub.publisher.prove(index, 4.0)
            assert proof
        world.addresses[away] = "127.0.0.1:9"
        await hub.cosigned(await hub.append() + 1)


WRONG = (
    (200, b"yes\n"),
    (200, b""),
    (200, "\u2014 csj.yinxin.example/holder/tax-1 AAAAAAAA\n".encode()),
    (409, b"1000000\n"),
    (409, b"many\n"),
    (422, b""),
    (403, b""),
)


async def test_a_witness_that_answers_wrongly_holds_nothing_up(world: LogWorld) -> None:
    """It is told of, and the others are a quorum, whatever it answers."""
    asked = 0
    wrong, *present = HOLDERS

    async def answer(request: Request) -> Response:
        nonlocal asked
        asked += 1
        status, body = WRONG[asked % len(WRONG)]
        return Response(body, status)

    app = Starlette(routes=[Route("/add-checkpoint", answer, methods=["POST"])])
    server = LogServer(app, "127.0.0.1:0", world.homes.tls(wrong), wrong, 1.0)
    serving = asyncio.create_task(server.serve())
    async with world.running(HUB, REGULATOR, *present):
        world.addresses[wrong] = f"127.0.0.1:{server.port}"
        hub = world.members[HUB]
        await hub.cosigned(await hub.append() + 1)
        await until(lambda: asked >= len(WRONG))
        assert hub.publisher.disagreeing == 1
        assert await hub.publisher.prove(await hub.append(), 10.0)
        assert hub.publisher.answers
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


async def test_gate_closes_after_the_grace_and_opens_again(world: LogWorld) -> None:
    async with world.running(HUB, REGULATOR):
        hub = world.members[HUB]
        hub.publisher.require()
        await hub.append()
        await until(lambda: hub.publisher.size > 0)
        world.clock.advance(GRACE)
        await hub.publisher.look()
        hub.publisher.require()  # as old as the grace, and not older
        world.clock.advance(1)
        with pytest.raises(Unwitnessed):
            hub.publisher.require()
        with pytest.raises(Unwitnessed):
            await hub.publisher.prove(0, 0.2)
        async with world.running(*HOLDERS[:2]):
            await until(lambda: hub.publisher.answers)
            assert hub.publisher.cosigned_size == await hub.runtime.log.size()


async def test_gate_is_closed_from_the_start_when_the_log_was_left_uncosigned(
    world: LogWorld,
) -> None:
    async with world.member(HUB) as hub:
        await hub.append()
    world.clock.advance(GRACE + 1)
    async with world.member(HUB) as hub:
        assert not hub.publisher.answers
        async with world.running(REGULATOR, *HOLDERS):
            await until(lambda: hub.publisher.answers)
    async with world.member(HUB) as hub:  # what was cosigned then still is
        assert hub.publisher.answers
        assert hub.publisher.cosigned_size == await hub.runtime.log.size()


async def test_a_proof_of_tiles_is_one_of_the_entry(world: LogWorld) -> None:
    async with world.running(*WITNESSES):
        hub = world.members[HUB]
        index = await hub.append(300)
        checkpoint = await hub.cosigned(index + 1)
        path = await hub.runtime.transparency.tree.prove(index, checkpoint.size)
        raw = (await hub.runtime.log.get(index)).entry
        verify_inclusion(leaf_hash(raw), index, checkpoint.size, path, checkpoint.root)
