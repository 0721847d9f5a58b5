from __future__ import annotations

import asyncio

import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from node.rpc.client import Channel
from node.rpc.errors import PartyUnavailable
from node.rpc.server import RpcServer, ServerLimits
from tests.node.rpc.parties import BANK, ECHO, HUB, SERVICE, TAX, Chain, channel, serving
from yinxin.v1.common_pb2 import Chunk

CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
INFO = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
Answer = health_pb2.HealthCheckResponse


async def test_health_says_of_each_service_whether_it_serves(chain: Chain) -> None:
    request = health_pb2.HealthCheckRequest(service=SERVICE)
    async with (
        serving(chain.files(TAX)) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        assert (await hub.unary(CHECK, request, Answer)).status == Answer.SERVING
        await server.set_serving(SERVICE, serving=False)
        assert (await hub.unary(CHECK, request, Answer)).status == Answer.NOT_SERVING
        whole = health_pb2.HealthCheckRequest()
        assert (await hub.unary(CHECK, whole, Answer)).status == Answer.SERVING


async def test_reflection_lists_the_services(chain: Chain) -> None:
    request = reflection_pb2.ServerReflectionRequest(list_services="*")
    async with (
        serving(chain.files(TAX)) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        call = hub._current().stream_stream(
            INFO,
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )([request], timeout=5)
        names = [s.name async for answer in call for s in answer.list_services_response.service]
    assert SERVICE in names


async def test_one_caller_cannot_take_all_calls_of_a_server(chain: Chain) -> None:
    """A call lasts as long as its caller likes: health can be watched for ever, by anyone."""
    request = health_pb2.HealthCheckRequest()

    async def watched(raw: Channel) -> list[object]:
        """As many as are let in of more than the server has."""
        calls = [
            raw._current().unary_stream(
                WATCH, health_pb2.HealthCheckRequest.SerializeToString, Answer.FromString
            )(request)
            for _ in range(10)
        ]
        first = await asyncio.gather(*(call.read() for call in calls), return_exceptions=True)
        return [call for call, answer in zip(calls, first, strict=True) if answer is not None]

    limits = ServerLimits(calls=8)
    async with (
        serving(chain.files(TAX), limits=limits) as server,
        channel(server.port, chain.files(BANK)) as greedy,
        channel(server.port, chain.files(HUB)) as other,
    ):
        held = await watched(greedy)
        with pytest.raises(PartyUnavailable) as caught:
            await greedy.unary(ECHO, Chunk(), Chunk)
        assert caught.value.party == TAX
        assert await other.unary(ECHO, Chunk(total=1), Chunk) == Chunk(total=1)
        for call in held:
            call.cancel()  # type: ignore[attr-defined]
        for _ in range(50):  # what it let go of, it has again
            try:
                await greedy.unary(ECHO, Chunk(), Chunk)
                break
            except PartyUnavailable:
                await asyncio.sleep(0.05)
        else:
            raise AssertionError


async def test_the_order_of_shutdown(chain: Chain) -> None:
    """Health first, then running calls finish, then what they depend on: the log last."""
    order: list[str] = []
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: Chunk, context: object) -> Chunk:
        entered.set()
        await go_on.wait()
        order.append("call done")
        return request

    async def pool() -> None:
        order.append("pool")

    async def log() -> None:
        order.append("log")

    async with (
        serving(chain.files(TAX), handlers={"Echo": slow}, stopped=[pool, log]) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        call = asyncio.create_task(hub.unary(ECHO, Chunk(total=5), Chunk))
        await entered.wait()
        watch = hub.download(WATCH, health_pb2.HealthCheckRequest(service=SERVICE), Answer)
        assert (await anext(watch)).status == Answer.SERVING
        stopping = asyncio.create_task(server.stop(grace=5))
        assert (await anext(watch)).status == Answer.NOT_SERVING
        assert order == []
        await watch.aclose()
        go_on.set()
        assert await call == Chunk(total=5)
        await stopping
        assert order == ["call done", "pool", "log"]


async def test_each_callback_runs_even_if_one_before_it_fails(chain: Chain) -> None:
    ran: list[str] = []

    async def broken() -> None:
        raise OSError("disk")

    async def log() -> None:
        ran.append("log")

    server: RpcServer
    with pytest.raises(OSError, match="disk"):
        async with serving(chain.files(TAX), stopped=[broken, log]) as server:
            assert server.port > 0
    assert ran == ["log"]
