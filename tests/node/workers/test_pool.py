from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest

import node.rpc  # noqa: F401  # before grpc
from node.workers.errors import JobFailed, PoolClosed, PoolFull, WorkerError, WorkerLost
from node.workers.pool import WorkerPool
from tests.node.workers import probes

ROOT = Path(__file__).parents[3]


LIGHT = "tests.node.workers.probes"  # where the mathematics is not needed, workers start faster


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    made = WorkerPool(2, niceness=3, module=LIGHT)
    await made.start()
    yield made
    await made.stop()


async def test_jobs_run_in_other_processes_and_return(pool: WorkerPool) -> None:
    assert await pool.run(probes.double, 21) == 42
    pids = set(await asyncio.gather(*(pool.run(probes.pause, 0.1) for _ in range(4))))
    assert len(pids) == 2
    assert os.getpid() not in pids


async def test_a_worker_has_no_grpc_and_stays_small() -> None:
    import grpc

    pool = WorkerPool(1)
    await pool.start()
    assert grpc.__name__ in sys.modules
    found = set(await pool.run(probes.loaded))
    assert {"scoring", "tenseal", "rbcl", "numpy"} <= found
    unwanted = {"grpc", "google", "polars", "pyarrow", "pandas", "sqlalchemy", "fastapi", "typer",
                "pydantic", "pytest", "structlog", "prometheus_client"}  # fmt: skip
    assert unwanted & found == set()
    assert await pool.run(probes.resident) < 80e6
    await pool.stop()


async def test_a_worker_is_polite_and_survives_control_c(pool: WorkerPool) -> None:
    own = os.nice(0)
    niceness, ignores, parent = await pool.run(probes.setup)
    assert (niceness, ignores, parent) == (own + 3, True, "MainProcess")
    assert await pool.run(probes.interrupted) == "alive"


@pytest.mark.parametrize("death", [probes.die, probes.crash])
async def test_a_killed_worker_fails_what_ran_and_nothing_else(
    pool: WorkerPool, death: Callable[[], None]
) -> None:
    running = asyncio.create_task(pool.run(probes.pause, 20))
    await asyncio.sleep(0.1)
    killer = asyncio.create_task(pool.run(death))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(pool.run(probes.double, n)) for n in range(20)]
    for lost in (running, killer):
        with pytest.raises(WorkerLost):
            await lost
    assert await asyncio.gather(*waiting) == [2 * n for n in range(20)]
    assert pool.state().lost == 1
    pids = set(await asyncio.gather(*(pool.run(probes.pause, 0.1) for _ in range(4))))
    assert len(pids) == 2


async def test_a_worker_that_dies_idle_costs_no_job(pool: WorkerPool) -> None:
    pid = await pool.run(probes.pause, 0)
    os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.3)
    assert await pool.run(probes.double, 4) == 8


async def test_the_queue_is_bounded() -> None:
    small = WorkerPool(1, queue=2, module=LIGHT)
    await small.start()
    tasks = [asyncio.create_task(small.run(probes.pause, 0.2)) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert (small.state().running, small.state().waiting) == (1, 2)
    with pytest.raises(PoolFull, match="2 jobs wait"):
        await small.run(probes.double, 1)
    # A stream is never turned away: it holds at most one job more than there are workers.
    assert [n async for n in small.stream(probes.double, [(1,), (2,)])] == [2, 4]
    await asyncio.gather(*tasks)
    assert (small.state().running, small.state().waiting) == (0, 0)
    await small.stop()


async def test_a_stream_keeps_order_and_draws_arguments_as_it_goes(pool: WorkerPool) -> None:
    drawn: list[int] = []

    def numbers() -> Iterator[tuple[int]]:
        for number in range(40):
            drawn.append(number)
            yield (number,)

    results = []
    async for result in pool.stream(probes.double, numbers()):
        results.append(result)
        assert len(drawn) <= len(results) + 3
    assert results == [2 * n for n in range(40)]


async def test_an_error_of_a_job_is_the_callers(pool: WorkerPool) -> None:
    with pytest.raises(KeyError, match="lost"):
        await pool.run(probes.fail, "lost")
    with pytest.raises(JobFailed, match="Awkward: field: bad"):
        await pool.run(probes.fail, "awkward")
    with pytest.raises(KeyError):
        _ = [n async for n in pool.stream(probes.fail, [("x",)] * 5)]
    assert await pool.run(probes.double, 1) == 2
    assert pool.state().lost == 0


async def test_a_cancelled_caller_leaves_the_slot_taken_until_the_job_ends() -> None:
    single = WorkerPool(1, module=LIGHT)
    await single.start()
    task = asyncio.create_task(single.run(probes.pause, 0.4))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert single.state().running == 1
    begin = time.monotonic()
    await single.run(probes.double, 1)
    assert time.monotonic() - begin > 0.15
    await single.stop()


async def test_a_stopped_pool_runs_nothing() -> None:
    pool = WorkerPool(1, module=LIGHT)
    with pytest.raises(PoolClosed):
        await pool.run(probes.double, 1)
    await pool.start()
    pid = await pool.run(probes.pause, 0)
    running = asyncio.create_task(pool.run(probes.double, 1))
    waiting = asyncio.create_task(pool.run(probes.double, 1))
    await asyncio.sleep(0)
    await pool.stop()
    assert await running == 2
    with pytest.raises(WorkerError):
        await waiting
    assert not psutil.pid_exists(pid)


async def test_peak_memory_is_the_workers_own(pool: WorkerPool) -> None:
    before = pool.state().peak_bytes
    assert 5e6 < before < 80e6
    await pool.run(probes.memory, 80_000_000)
    assert pool.state().peak_bytes > before + 50e6


SERVING = """
import asyncio, os, sys
import node.rpc
import grpc, grpc.aio
from node.workers.errors import WorkerLost
from node.workers.pool import WorkerPool
from tests.node.workers import probes

async def echo(request, context):
    return request

async def main():
    server = grpc.aio.server()
    handler = grpc.method_handlers_generic_handler(
        "T", {"E": grpc.unary_unary_rpc_method_handler(echo)})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    pool = WorkerPool(2)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/T/E")
        done = asyncio.Event()
        answered = 0
        async def load():
            nonlocal answered
            while not done.is_set():
                assert await call(b"x", timeout=5) == b"x"
                answered += 1
        loads = [asyncio.create_task(load()) for _ in range(4)]
        await pool.start()
        for _ in range(3):
            try:
                await pool.run(probes.die)
            except WorkerLost:
                pass
            assert await pool.run(probes.double, 1) == 2
            assert "grpc" not in await pool.run(probes.loaded)
        done.set()
        await asyncio.gather(*loads)
        await pool.stop()
    await server.stop(0)
    print(answered)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_workers_start_and_are_replaced_while_grpc_serves(tmp_path: Path) -> None:
    """The order "workers first, then gRPC" is not needed: spawn carries nothing over."""
    program = tmp_path / "serving.py"
    program.write_text(SERVING)
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
    assert "fork" not in done.stderr.lower()


ORPHANING = """
import asyncio
from node.workers.pool import WorkerPool
from tests.node.workers import probes

async def main():
    pool = WorkerPool(2)
    await pool.start()
    print(*set(await asyncio.gather(*(pool.run(probes.pause, 0.1) for _ in range(4)))), flush=True)
    await pool.run(probes.pause, 60)

asyncio.run(main())
"""


def test_workers_end_with_a_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", ORPHANING], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    workers = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=5)
    assert alive == []
