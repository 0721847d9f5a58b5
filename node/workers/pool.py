"""A pool of worker processes: bounded, warmed before use, rebuilt when a worker dies."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from node.workers import worker
from node.workers.errors import PoolClosed, PoolFull, WorkerLost

Result = TypeVar("Result")

DEFAULT_QUEUE = 1024
DEFAULT_NICENESS = 5
JOBS_MODULE = "node.workers.jobs"


@dataclass(frozen=True)
class PoolState:
    """A pool at one moment; `peak_bytes` is the highest memory of any one worker so far."""

    workers: int
    running: int
    waiting: int
    lost: int
    peak_bytes: int


class WorkerPool:
    """Runs module-level functions in `workers` processes, one job at a time in each.

    A job is pure: it may be run again. All methods are for the event loop that called `start`.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        queue: int = DEFAULT_QUEUE,
        niceness: int = DEFAULT_NICENESS,
        module: str = JOBS_MODULE,
    ) -> None:
        """`workers` is the number of usable cores by default, `queue` the most jobs that wait.

        `module` is imported by each worker as it starts.
        """
        self._workers = workers or len(os.sched_getaffinity(0))
        self._queue = queue
        self._niceness = niceness
        self._module = module
        self._executor: ProcessPoolExecutor | None = None
        self._slots = asyncio.Semaphore(self._workers)
        self._running = 0
        self._waiting = 0
        self._lost = 0
        self._peak = 0

    async def start(self) -> None:
        """Starts and warms every worker. Raises WorkerLost when they do not come up."""
        if self._executor is None:
            self._executor = self._new_executor()
        await asyncio.gather(*(self.run(worker.settle) for _ in range(self._workers)))

    async def stop(self) -> None:
        """Lets running jobs finish, fails waiting ones with PoolClosed, ends the workers."""
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, wait=True)

    def kill(self) -> None:
        """Ends every worker at once, whatever runs: who waits for a result is told WorkerLost.
        Jobs are pure, so nothing is lost but time. `start` begins anew.
        """
        executor, self._executor = self._executor, None
        if executor is None:
            return
        # No public way before Python 3.14: `shutdown` lets a running job finish.
        for process in tuple((executor._processes or {}).values()):
            process.kill()
        executor.shutdown(wait=False)

    def state(self) -> PoolState:
        """For metrics."""
        return PoolState(self._workers, self._running, self._waiting, self._lost, self._peak)

    async def run(self, job: Callable[..., Result], *arguments: Any) -> Result:
        """The result of `job(*arguments)` in a worker; what it raises is raised here.

        Raises PoolFull at once when too many jobs wait, WorkerLost when a worker died meanwhile,
        PoolClosed. A cancelled caller does not interrupt a job that runs.
        """
        if self._slots.locked() and self._waiting >= self._queue:
            raise PoolFull(f"{self._waiting} jobs wait already; try later")
        return await self._run(job, arguments)

    async def _run(self, job: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            executor, future = self._submit(job, arguments)
        except BaseException:
            self._slots.release()
            raise
        self._running += 1
        # The worker is taken until the job is done, whoever still waits for it.
        wrapped = asyncio.wrap_future(future)
        wrapped.add_done_callback(self._free)
        result: Result
        try:
            result, peak = await asyncio.shield(wrapped)
        except BrokenProcessPool as error:
            self._replace(executor)
            raise WorkerLost(f"a worker died during {job.__name__}") from error
        self._peak = max(self._peak, peak)
        return result

    async def stream(
        self, job: Callable[..., Result], argument_lists: Iterable[tuple[Any, ...]]
    ) -> AsyncIterator[Result]:
        """Results of many jobs in the order given, with as many running as there are workers.

        Arguments are drawn as workers come free, so a long list never stands in the queue. The
        first error ends the stream; leaving it early lets the running jobs finish unseen. Takes
        its turn like other jobs, and is never told PoolFull.
        """
        ahead: deque[asyncio.Task[Result]] = deque()
        try:
            for arguments in argument_lists:
                if len(ahead) > self._workers:
                    yield await ahead.popleft()
                ahead.append(asyncio.ensure_future(self._run(job, arguments)))
            while ahead:
                yield await ahead.popleft()
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    def _submit(
        self, job: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> tuple[ProcessPoolExecutor, Future[tuple[Any, int]]]:
        for _ in range(2):
            executor = self._executor
            if executor is None:
                raise PoolClosed("the worker pool is not running")
            try:
                return executor, executor.submit(worker.call, job, arguments)
            except BrokenProcessPool:
                # Broken before this job was in it, so the job may simply go to the next one.
                self._replace(executor)
            except RuntimeError as error:
                raise PoolClosed("the worker pool is shutting down") from error
        raise WorkerLost("workers die as they start; see the node's standard error")

    def _free(self, done: asyncio.Future[Any]) -> None:
        self._running -= 1
        self._slots.release()
        if not done.cancelled():
            done.exception()  # seen, even if nobody waits any more

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        """A new executor in place of the broken one, once, whoever of its jobs notices first."""
        if self._executor is broken:
            self._lost += 1
            broken.shutdown(wait=False)
            self._executor = self._new_executor()

    def _new_executor(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._workers,
            mp_context=worker.WorkerContext(),
            initializer=worker.initialise,
            initargs=(self._niceness, self._module),
        )
