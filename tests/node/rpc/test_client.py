from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from federation.errors import Reason, Refusal
from node.rpc import failures
from node.rpc.client import ChannelLimits
from node.rpc.errors import PartyUnavailable, RemoteError, RemoteInvalid, RemoteRefusal
from node.rpc.server import MAX_MESSAGE_BYTES, ServerLimits
from tests.node.rpc.parties import DOWN, ECHO, FAST, HUB, TAX, UP, Chain, channel, serving
from yinxin.v1.common_pb2 import Chunk


async def sleep(request: Chunk, context: object) -> Chunk:
    await asyncio.sleep(30)
    return request


async def test_no_answer_in_time_is_unavailability_of_the_party(chain: Chain) -> None:
    async with (
        serving(chain.files(TAX), handlers={"Echo": sleep}) as server,
        channel(server.port, chain.files(HUB), limits=ChannelLimits(deadline=0.2)) as hub,
    ):
        begin = time.monotonic()
        with pytest.raises(PartyUnavailable) as caught:
            await hub.unary(ECHO, Chunk(), Chunk)
        assert caught.value.party == TAX
        with pytest.raises(PartyUnavailable):
            await hub.unary(ECHO, Chunk(), Chunk, deadline=0.1)
        assert time.monotonic() - begin < 5


async def test_a_party_that_is_down_fails_fast_and_is_found_again(chain: Chain) -> None:
    tax, hub = chain.files(TAX), chain.files(HUB)
    async with serving(tax) as server:
        port = server.port
        caller = channel(port, hub)
        await caller.unary(ECHO, Chunk(), Chunk)
    begin = time.monotonic()
    with pytest.raises(PartyUnavailable) as caught:
        await caller.unary(ECHO, Chunk(), Chunk)
    assert caught.value.party == TAX
    assert time.monotonic() - begin < 2
    async with serving(tax, address=f"127.0.0.1:{port}"):
        await caller.ready(5)
        await caller.unary(ECHO, Chunk(), Chunk)
    await caller.close()


async def test_ready_names_the_party_that_does_not_come(chain: Chain) -> None:
    async with channel(1, chain.files(HUB)) as hub:
        with pytest.raises(PartyUnavailable, match="holder/tax"):
            await hub.ready(0.3)


async def test_a_server_that_stops_in_mid_call_gives_an_error_that_names_it(chain: Chain) -> None:
    async with (
        serving(chain.files(TAX), handlers={"Echo": sleep}) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        call = asyncio.create_task(hub.unary(ECHO, Chunk(), Chunk, deadline=20))
        await asyncio.sleep(0.2)
        await server.stop(0)
        with pytest.raises(PartyUnavailable) as caught:
            await call
        assert caught.value.party == TAX


async def test_messages_above_the_limit_are_refused_by_either_side(chain: Chain) -> None:
    big = Chunk(data=bytes(MAX_MESSAGE_BYTES + 1))
    wide = ChannelLimits(message_bytes=64 * 1024 * 1024)
    async with serving(chain.files(TAX)) as server:
        async with channel(server.port, chain.files(HUB)) as hub:
            with pytest.raises(RemoteInvalid):
                await hub.unary(ECHO, big, Chunk)
            await hub.unary(ECHO, Chunk(data=bytes(1024 * 1024)), Chunk)
        async with channel(server.port, chain.files(HUB), limits=wide) as hub:
            with pytest.raises(RemoteInvalid):
                await hub.unary(ECHO, big, Chunk)


async def test_calls_above_the_servers_bound_are_turned_away(chain: Chain) -> None:
    limits = ServerLimits(calls=1)
    async with (
        serving(chain.files(TAX), handlers={"Echo": sleep}, limits=limits) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        first = asyncio.create_task(hub.unary(ECHO, Chunk(), Chunk))
        await asyncio.sleep(0.2)
        with pytest.raises(PartyUnavailable):
            await hub.unary(ECHO, Chunk(), Chunk)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


async def test_streams_go_both_ways_and_can_be_left_early(chain: Chain) -> None:
    left = asyncio.Event()

    async def endless(request: Chunk, context: object) -> AsyncIterator[Chunk]:
        try:
            while True:
                yield Chunk(total=1)
                await asyncio.sleep(0)
        finally:
            left.set()

    async def letters() -> AsyncIterator[Chunk]:
        for letter in b"abc":
            yield Chunk(data=bytes([letter]))

    async with (
        serving(chain.files(TAX), handlers={"Down": endless}) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        assert (await hub.upload(UP, letters(), Chunk)).data == b"abc"
        async with aclosing(hub.download(DOWN, Chunk(), Chunk)) as answers:
            async for _ in answers:
                break
        await asyncio.wait_for(left.wait(), 5)


async def test_an_error_while_uploading_is_the_callers_own(chain: Chain) -> None:
    async def broken() -> AsyncIterator[Chunk]:
        yield Chunk(data=b"a")
        raise KeyError("disk")

    async with (
        serving(chain.files(TAX)) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        with pytest.raises(KeyError, match="disk"):
            await hub.upload(UP, broken(), Chunk)


async def refuse(requests: AsyncIterator[Chunk], context: object) -> Chunk:
    async for _ in requests:
        raise Refusal(Reason.WRONG_AUDIENCE, "not for us")
    raise AssertionError


async def kinds_of_error(chain: Chain) -> set[type[RemoteError]]:
    """What a client hears that is refused while it still sends."""

    async def long() -> AsyncIterator[Chunk]:
        for _ in range(60):
            yield Chunk(data=bytes(60_000))

    kinds = set()
    async with (
        serving(chain.files(TAX), handlers={"Up": refuse}) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        for _ in range(150):
            with pytest.raises(RemoteError) as caught:
                await hub.upload(UP, long(), Chunk)
            kinds.add(caught.type)
    return kinds


async def test_a_refusal_in_mid_upload_is_heard_as_what_it_is(chain: Chain) -> None:
    assert await kinds_of_error(chain) == {RemoteRefusal}


async def test_a_server_that_does_not_read_on_is_unavailable_at_worst(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(requests: object) -> None:
        return None

    monkeypatch.setattr(failures, "_drain", at_once)
    assert await kinds_of_error(chain) <= {RemoteRefusal, PartyUnavailable}


async def test_closing_a_channel_under_a_call_is_not_a_cancellation(chain: Chain) -> None:
    async with serving(chain.files(TAX), handlers={"Echo": sleep}) as server:
        hub = channel(server.port, chain.files(HUB))
        call = asyncio.create_task(hub.unary(ECHO, Chunk(), Chunk))
        await asyncio.sleep(0.2)
        await hub.close()
        with pytest.raises(PartyUnavailable):
            await call


async def test_a_running_stream_survives_a_change_of_certificate(chain: Chain) -> None:
    hub_files = chain.files(HUB)
    go_on = asyncio.Event()

    async def slow(request: Chunk, context: object) -> AsyncIterator[Chunk]:
        yield Chunk(total=1)
        await go_on.wait()
        yield Chunk(total=2)

    async with (
        serving(chain.files(TAX), handlers={"Down": slow}) as server,
        channel(server.port, hub_files, limits=FAST) as hub,
    ):
        stream = hub.download(DOWN, Chunk(), Chunk)
        assert (await anext(stream)).total == 1
        before = hub._raw
        chain.files(HUB)  # a new key and certificate in the same files
        await hub.unary(ECHO, Chunk(), Chunk)
        assert hub._raw is not before
        go_on.set()
        assert (await anext(stream)).total == 2
        await stream.aclose()
