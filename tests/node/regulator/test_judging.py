"""Policy in a worker beside a serving node: turns, limits, and no process left behind."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from federation.entries import Kind
from federation.policy import PolicyReport
from node.regulator.errors import DeskBusy, PolicyTimeout
from node.regulator.judging import MOST_OF_A_BANK, PolicyWorker, Queue
from node.rpc.errors import PartyUnavailable, RemoteRefusal
from node.workers import policy
from node.workers.errors import PoolClosed
from support.enrolled import DELTA, HARBOUR, HOLDERS, KINDS, REGULATOR, Homes, certifying
from support.small import small_catalogue, small_scorecard
from tests.node.regulator.test_certification import ask, entries, sealed
from tests.node.workers import slow
from yinxin.v1 import regulator_pb2

CARD = small_scorecard("gamma", [(holder, KINDS[holder.name]) for holder in HOLDERS])


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    return Homes(tmp_path)


@pytest.fixture
async def worker(homes: Homes) -> AsyncIterator[PolicyWorker]:
    config: Any = homes.config(REGULATOR)
    made = PolicyWorker(config)
    yield made
    await made.close()


OTHERS: set[int] = set()
"""Children that other tests of this process have, such as the chain of a session."""


@pytest.fixture(autouse=True)
def _others() -> None:
    OTHERS.clear()
    OTHERS.update(judging())


def judging() -> list[int]:
    """This process's workers that live."""
    found = []
    for process in psutil.Process().children():
        if process.pid in OTHERS:
            continue
        with contextlib.suppress(psutil.NoSuchProcess):
            ended = process.status() == psutil.STATUS_ZOMBIE
            if not ended and "resource_tracker" not in " ".join(process.cmdline()):
                found.append(process.pid)
    return found


async def gone(before: int) -> None:
    async with asyncio.timeout(10):
        while len(judging()) > before:
            await asyncio.sleep(0.02)


async def test_a_report_comes_from_another_process(worker: PolicyWorker) -> None:
    assert judging() == []
    report = await worker.judge(CARD, small_catalogue(), [])
    assert report.passed and {item.rule for item in report.items} == {"a", "b", "c", "d"}
    assert len(judging()) == 1
    await worker.close()
    await gone(0)


async def test_the_event_loop_is_free_while_policy_is_applied(
    worker: PolicyWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "apply_policy", slow.one_second)
    judged = asyncio.ensure_future(worker.judge(CARD, small_catalogue(), []))
    longest, last = 0.0, time.monotonic()
    while not judged.done():
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert isinstance(judged.result(), PolicyReport)
    assert longest < 0.5


@pytest.mark.parametrize("end", ["time", "cancel", "close"])
async def test_a_judgement_that_nobody_waits_for_ends_its_process(
    worker: PolicyWorker, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(policy, "apply_policy", slow.endless)
    await worker._pool.start()
    assert len(judging()) == 1
    if end == "time":
        monkeypatch.setattr(worker, "_seconds", 0.3)
    judged = asyncio.ensure_future(worker.judge(CARD, small_catalogue(), []))
    await asyncio.sleep(0.2)
    if end == "time":
        with pytest.raises(PolicyTimeout, match=r"certification\.seconds"):
            await judged
    elif end == "cancel":
        judged.cancel()
        with pytest.raises(asyncio.CancelledError):
            await judged
    else:
        await worker.close()
        judged.cancel()
        await asyncio.gather(judged, return_exceptions=True)
    await gone(0)
    # The next one is judged all the same, by a new process.
    monkeypatch.setattr(policy, "apply_policy", slow.one_second)
    monkeypatch.setattr(worker, "_seconds", 60)
    assert await worker.judge(CARD, small_catalogue(), [])


async def test_turns_come_in_order_and_places_are_told() -> None:
    queue, told, done = Queue(8), [], []
    gates = {bank: asyncio.Event() for bank in (HARBOUR, DELTA)}

    async def one(bank: Any) -> None:
        async with queue.turn(bank, lambda ahead: told.append((bank, ahead))):
            await gates[bank].wait()
            done.append(bank)

    tasks = [asyncio.ensure_future(one(bank)) for bank in gates]
    await asyncio.sleep(0)
    assert told == [(HARBOUR, 0), (HARBOUR, 0), (DELTA, 1)]
    assert queue.banks == (HARBOUR, DELTA)
    gates[DELTA].set()
    await asyncio.sleep(0)
    assert done == []
    gates[HARBOUR].set()
    await asyncio.gather(*tasks)
    assert done == [HARBOUR, DELTA] and told[-1] == (DELTA, 0)


async def test_a_full_desk_refuses_at_once_and_no_bank_fills_it() -> None:
    queue, gate = Queue(1), asyncio.Event()

    async def one(bank: Any) -> None:
        async with queue.turn(bank, lambda _: None):
            await gate.wait()

    tasks = [asyncio.ensure_future(one(HARBOUR)) for _ in range(MOST_OF_A_BANK)]
    await asyncio.sleep(0)
    for bank in (HARBOUR, DELTA):
        with pytest.raises(DeskBusy):
            await one(bank)
    tasks[1].cancel()  # one that waits gives its place back
    await asyncio.gather(tasks[1], return_exceptions=True)
    other = asyncio.ensure_future(one(DELTA))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(tasks[0], other)
    spacious, held = Queue(8), asyncio.Event()

    async def hold() -> None:
        async with spacious.turn(HARBOUR, lambda _: None):
            await held.wait()

    tasks = [asyncio.ensure_future(hold()) for _ in range(MOST_OF_A_BANK)]
    await asyncio.sleep(0)
    with pytest.raises(DeskBusy):
        await hold()
    held.set()
    await asyncio.gather(*tasks)


async def test_a_bank_hears_of_progress_and_others_are_served_meanwhile(
    homes: Homes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "apply_policy", slow.one_second)
    monkeypatch.setattr("node.regulator.replies.PROGRESS_SECONDS", 0.1)
    method, reply = "/yinxin.v1.Regulator/Certify", regulator_pb2.CertifyReply
    parts: list[str | None] = []
    async with certifying(homes) as (_, port), homes.channel(HARBOUR, REGULATOR, port) as channel:
        request = regulator_pb2.CertifyRequest(submission=sealed(homes))
        async for part in channel.download(method, request, reply):
            if not parts:
                await _asks_for_anything(homes, port)
            parts.append(part.WhichOneof("part"))
    first = parts.index("result")
    assert first >= 3 and set(parts[:first]) == {"progress"}
    assert set(parts[first + 1 :]) == {"bundle"}


async def _asks_for_anything(homes: Homes, port: int) -> None:
    async with asyncio.timeout(0.8), homes.channel(DELTA, REGULATOR, port) as channel:
        with pytest.raises(RemoteRefusal):
            await channel.unary(
                "/yinxin.v1.Regulator/WithdrawModel",
                regulator_pb2.WithdrawRequest(certificate_hash=bytes(32)),
                regulator_pb2.WithdrawReply,
            )


async def test_a_bank_that_hangs_up_frees_the_desk(
    homes: Homes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "apply_policy", slow.endless)
    async with certifying(homes) as (regulator, port):
        before = len(judging())
        raw = sealed(homes)
        with pytest.raises(TimeoutError):
            async with (
                asyncio.timeout(1.5),
                homes.channel(HARBOUR, REGULATOR, port) as channel,
            ):
                await ask(channel, raw)
        await gone(before)
        monkeypatch.undo()
        async with homes.channel(HARBOUR, REGULATOR, port) as channel:
            result, _ = await ask(channel, raw)
        assert result.HasField("certificate")
        assert len(await entries(regulator, Kind.CERTIFIED)) == 1


async def test_a_node_that_stops_leaves_no_judgement_behind(
    homes: Homes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "apply_policy", slow.endless)
    begin = time.monotonic()
    async with certifying(homes) as (_, port):
        channel = homes.channel(HARBOUR, REGULATOR, port)
        asked = asyncio.ensure_future(ask(channel, sealed(homes)))
        await asyncio.sleep(1.5)
    with pytest.raises((PartyUnavailable, PoolClosed)):
        await asked
    await channel.close()
    await gone(0)
    assert time.monotonic() - begin < 20
