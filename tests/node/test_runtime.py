"""A node's life: start, refusals in the log before anybody hears of them, health, the end."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

import node.runtime
from federation.entries import Kind
from node.clock import FixedClock
from node.config import HubConfig
from node.errors import NodeError, StorageUnavailable
from node.hub import publication
from node.hub.main import build
from node.rpc.client import Channel
from node.rpc.errors import PartyUnavailable, RemoteRefusal
from node.rpc.server import RpcServer
from node.runtime import Runtime, running
from node.storage import Store
from node.workers.pool import WorkerPool
from support.chain import HARBOUR, HUB, NOW, UNNAMED, standard_chain
from tests.node.hub.test_service import get_chain, keys
from tests.node.hub.world import Node, World, publish

Status = health_pb2.HealthCheckResponse.ServingStatus


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, standard_chain())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node.runtime, "HEALTH_SECONDS", 0.02)
    monkeypatch.setattr(node.runtime, "SystemClock", lambda: FixedClock(NOW))


class Process:
    """A hub as `serve` runs it, in this process."""

    def __init__(self, world: World, config: HubConfig | None = None) -> None:
        self.world = world
        self.config = config or world.config
        self.hub: Any = None
        self.started = asyncio.Event()
        self.events: list[str] = []
        self.task: asyncio.Task[None] | None = None

    async def build(self, hub: Runtime[HubConfig]) -> None:
        await hub.store.run(lambda c: publish(self.world, hub, c))
        await build(hub)
        self.hub = hub
        hub.tasks.append(self._tell())

    async def _tell(self) -> None:
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.events.append("task ended")

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Node]:
        self.task = asyncio.create_task(node.runtime._serve(self.config, self.build, None))
        waiting = asyncio.create_task(self.started.wait())
        await asyncio.wait({self.task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self.task.done():
            await self.task
        try:
            yield Node(self.world, self.hub, {})
        finally:
            if not self.task.done():
                self.end()
            async with asyncio.timeout(20):
                await self.task

    def end(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


async def health(channel: Channel) -> int:
    answer = await channel.unary(
        "/grpc.health.v1.Health/Check",
        health_pb2.HealthCheckRequest(),
        health_pb2.HealthCheckResponse,
        2.0,
    )
    return int(answer.status)


async def until_health(channel: Channel, status: int) -> None:
    async with asyncio.timeout(10):
        while await health(channel) != status:
            await asyncio.sleep(0.02)


async def test_parts_start_in_order_and_end_in_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Process(world)
    told = process.events

    def note(owner: Any, name: str, event: str) -> None:
        honest = getattr(owner, name)

        def noted(*arguments: Any, **more: Any) -> Any:
            told.append(event)
            return honest(*arguments, **more)

        monkeypatch.setattr(owner, name, noted)

    note(Store, "open", "database")
    note(Store, "close", "database closed")
    note(WorkerPool, "start", "workers")
    note(WorkerPool, "stop", "workers ended")
    note(RpcServer, "start", "server")
    note(RpcServer, "stop", "server ended")
    note(Channel, "close", "channel closed")
    async with process.serving() as hub:
        hub.hub.channel(UNNAMED[0], "127.0.0.1:9")
    assert told == [
        "database", "workers", "server", "server",
        "server ended", "server ended", "task ended", "channel closed",
        "workers ended", "database closed",
    ]  # fmt: skip


async def test_sigterm_lets_running_calls_finish_and_takes_no_more(world: World) -> None:
    process, party = Process(world), UNNAMED[0]
    model, gate = world.chain.alpha, asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        servers = {h: await stack.enter_async_context(world.holder(h)) for h in UNNAMED}
        hub = await stack.enter_async_context(process.serving())
        for holder, server in servers.items():
            await world.reach(hub.hub, holder, server)
        await hub.install(model)
        bank = await stack.enter_async_context(hub.calling(HARBOUR))
        reached = asyncio.Event()

        async def wait() -> None:
            reached.set()
            await gate.wait()

        world.holders[party].before = wait
        asking = asyncio.create_task(keys(bank, model.certificate.hash))
        await reached.wait()
        process.end()
        await asyncio.sleep(0.3)
        assert not asking.done() and process.task is not None and not process.task.done()
        with pytest.raises(PartyUnavailable):
            async with hub.calling(HARBOUR) as late:
                await late.ready(0.5)
        gate.set()
        assert len((await asking).statements) == len(UNNAMED)
        async with asyncio.timeout(10):
            await process.task
    with pytest.raises(NodeError):
        await hub.hub.store.run(lambda c: None)


async def test_health_follows_the_database(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(world)
    async with process.serving() as hub, hub.calling(HARBOUR) as bank:
        assert await health(bank) == Status.SERVING
        committer = hub.hub.store.committer
        disk = {"full": True}
        monkeypatch.setattr(committer, "_probe", lambda: not disk["full"])
        committer._healthy = False  # as after a write that did not reach the disk
        await until_health(bank, Status.NOT_SERVING)
        with pytest.raises(StorageUnavailable):
            await hub.hub.store.run(lambda c: None)
        disk["full"] = False
        committer._healthy = True
        await until_health(bank, Status.SERVING)
        await get_chain(bank)


async def test_a_task_that_fails_ends_the_node_with_its_error(world: World) -> None:
    process = Process(world)

    async def broken() -> None:
        await process.started.wait()
        raise NodeError("the hub's clock has stopped; wind it up")

    honest = process.build

    async def with_broken(hub: Runtime[HubConfig]) -> None:
        await honest(hub)
        hub.tasks.append(broken())

    process.build = with_broken  # type: ignore[method-assign]
    with pytest.raises(NodeError, match="wind it up"):
        async with process.serving():
            assert process.task is not None
            await asyncio.wait({process.task}, timeout=10)
    assert process.events == ["task ended"]


async def test_a_node_that_cannot_listen_says_so_and_lets_go_of_everything(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        config = world.config.model_copy(update={"listen": address})
        with pytest.raises(NodeError, match="is the port in use"):
            async with Process(world, config).serving():
                pass
    async with world.state() as hub:  # the database is free again
        await hub.store.run(lambda c: None)


async def test_what_a_role_would_do_and_never_began_ends_with_its_parts(world: World) -> None:
    async with world.state() as hub:
        await hub.store.run(lambda c: publish(world, hub, c))
        await build(hub)
        assert hub.tasks
    states = {inspect.getcoroutinestate(task) for task in hub.tasks}
    assert states == {inspect.CORO_CLOSED}


async def test_metrics_are_served_for_the_operator(world: World) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    metrics = world.config.metrics.model_copy(update={"listen": address})
    config = world.config.model_copy(update={"metrics": metrics})

    def fetch(path: str = "metrics") -> str:
        with urllib.request.urlopen(f"http://{address}/{path}", timeout=5) as answer:
            return str(answer.read().decode())

    async with Process(world, config).serving() as hub, hub.calling(HARBOUR) as bank:
        await get_chain(bank)
        await asyncio.to_thread(_ready_while_it_can_take_calls, hub.hub, fetch)
        with pytest.raises(RemoteRefusal):
            await keys(bank, bytes(32))
        text = await asyncio.to_thread(fetch)
        size = await hub.hub.log.size()
    assert 'yinxin_node{role="hub"} 1.0' in text
    assert "\nyinxin_leads 1.0" in text
    assert 'reason="uncertified_model"' in text
    for name in ("checkpoint_size", "cosigned_size", "checkpoint_age_seconds"):
        assert f"\nyinxin_log_{name} " in text
    assert any(line == f"yinxin_log_entries {float(size)}" for line in text.splitlines())
    assert str(HARBOUR) not in text
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(fetch)


def _ready_while_it_can_take_calls(hub: Runtime[HubConfig], fetch: Callable[[str], str]) -> None:
    """What a balancer asks: not whether the log is witnessed, for that is no other process's."""
    assert fetch("ready") == "ready\n"
    publisher, committer = hub.transparency.publisher, hub.store.committer
    publisher._fault = "entry 1: is another one"
    assert fetch("ready") == "ready\n"
    publisher._fault = ""
    for name, wrong in (("_healthy", False), ("ending", True), ("alive_at", float("-inf"))):
        owner = committer if name == "_healthy" else hub
        kept = getattr(owner, name)
        setattr(owner, name, wrong)
        with pytest.raises(urllib.error.HTTPError, match="503"):
            # The loop may have its turn in between, and is alive then.
            for _ in range(100 if name == "alive_at" else 1):
                fetch("ready")
                setattr(owner, name, wrong)
        setattr(owner, name, kept)


async def test_a_second_process_on_the_same_file_does_not_serve(world: World) -> None:
    async with Process(world).serving():
        with pytest.raises(NodeError, match="another process of this node serves"):
            async with running(world.config, serving=True):
                pass
        async with running(world.config):
            """A command works beside it."""


async def test_a_refusal_is_in_the_log_before_the_caller_hears_of_it(world: World) -> None:
    async with world.serving(UNNAMED[0]) as hub, hub.calling(HARBOUR) as bank:
        gate = threading.Event()
        # The writer is busy: nothing can be written until the gate opens.
        busy = asyncio.create_task(hub.hub.store.run(lambda c: gate.wait(20)))
        await asyncio.sleep(0.1)
        asking = asyncio.create_task(keys(bank, bytes(32)))
        await asyncio.sleep(0.5)
        assert not asking.done()
        gate.set()
        with pytest.raises(RemoteRefusal) as caught:
            await asking
        (entry,) = await hub.entries(Kind.REFUSAL)
        assert entry.body == {
            "reason": "uncertified_model",
            "caller": str(HARBOUR),
            "method": "GetKeys",
            "reference": caught.value.reference,
        }
        await busy


async def test_a_refusal_that_no_log_holds_is_not_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.serving(UNNAMED[0]) as hub, hub.calling(HARBOUR) as bank:

        def full(*_: object) -> None:
            raise StorageUnavailable("no space is left on the disk")

        with monkeypatch.context() as patch:
            patch.setattr(hub.hub.log, "append", full)
            with pytest.raises(PartyUnavailable) as caught:
                await keys(bank, bytes(32))
            assert caught.value.party == HUB
        assert await hub.entries(Kind.REFUSAL) == []
        async with asyncio.timeout(10):
            while not hub.hub.store.healthy:
                await asyncio.sleep(0.02)
        with pytest.raises(RemoteRefusal):
            await keys(bank, bytes(32))
        assert len(await hub.entries(Kind.REFUSAL)) == 1


async def test_what_another_node_failed_at_is_no_refusal_of_this_one(world: World) -> None:
    async with world.serving(UNNAMED[0]) as hub, hub.calling(HARBOUR) as bank:
        await hub.install(world.chain.alpha)
        world.holders[UNNAMED[0]].down = True
        with pytest.raises(PartyUnavailable):
            await keys(bank, world.chain.alpha.certificate.hash)
        assert await hub.entries(Kind.REFUSAL) == []


async def test_a_command_works_beside_the_serving_node(world: World) -> None:
    """Its change is seen by the next call: nothing is cached but what cannot change."""
    async with world.serving(UNNAMED[0]) as hub, hub.calling(HARBOUR) as bank:
        before = await get_chain(bank)
        async with running(world.config, workers=1, clock=world.clock) as command:
            stranger = world.chain.stranger.uscc
            await command.store.run(lambda c: publication.enrol(command, c, [stranger]))
        after = await get_chain(bank)
        assert (before.roster_rows, after.roster_rows) == (24, 25)


async def test_a_node_of_another_identity_does_not_start(world: World) -> None:
    """Its TLS certificate is another party's."""
    files = world.tls.files(UNNAMED[0])
    tls = world.config.tls.model_copy(
        update={"certificate": files.certificates, "key": files.private_key}
    )
    config = world.config.model_copy(update={"tls": tls})
    with pytest.raises(NodeError, match=r"certificate is for spiffe.*insurance-1"):
        async with Process(world, config).serving():
            pass
