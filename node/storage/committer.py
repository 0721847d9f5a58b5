"""One writer thread that runs many units of work in one commit.

A commit costs a disk flush however little it holds. While one is under way, other units queue up,
and the next transaction takes them together, each within a savepoint of its own. Nobody hears of a
result or of a failure before the commit that makes it true: a unit that found a permit used may
have found it used by a unit that was not kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from node.errors import StorageBusy, StorageError, StorageUnavailable
from node.storage.engine import writing
from node.storage.failures import lost, storage_error
from node.storage.schema import storage_probe

T = TypeVar("T")
Unit = Callable[[Connection], T]
"""Work within a transaction: it executes statements, and neither commits nor waits for IO."""

_FIRST_PROBE_S = 0.05
_SLOWEST_PROBE_S = 2.0


@dataclass(frozen=True)
class _Job:
    unit: Unit[Any]
    future: Future[Any]


class _BatchLost(Exception):
    """A unit met an outage, so that the whole batch is rolled back."""


class GroupCommitter:
    """The only writer of a node's database. `start` it, `run` units, `stop` it."""

    def __init__(self, engine: Engine, *, batch: int = 256, waiting: int = 8192) -> None:
        """At most `batch` units share a commit; at most `waiting` units queue for one."""
        self._engine = engine
        self._batch = batch
        self._jobs: queue.Queue[_Job | None] = queue.Queue(maxsize=waiting)
        self._thread = threading.Thread(target=self._write, name="yinxin-writer", daemon=True)
        self._healthy = True
        self._stopping = threading.Event()
        # Between a look at `stopping` and a put, no other thread may put the end mark.
        self._gate = threading.Lock()
        self.commits = 0
        """Transactions committed so far."""
        self.units = 0
        """Units that were kept so far."""

    @property
    def healthy(self) -> bool:
        """Whether the last transaction reached the disk."""
        return self._healthy

    def start(self) -> None:
        """Starts the writer thread."""
        self._thread.start()

    def stop(self, timeout_s: float | None = None) -> None:
        """Refuses new units, finishes those that wait, and ends the thread.

        Raises StorageUnavailable when that takes longer than `timeout_s`.
        """
        with self._gate:
            first = not self._stopping.is_set()
            self._stopping.set()
        if not self._thread.is_alive():
            return
        if first:
            self._jobs.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise StorageUnavailable(f"the writer did not finish within {timeout_s} seconds")

    async def run(self, unit: Unit[T]) -> T:
        """Runs `unit` and returns its result once that is durable.

        An exception of the unit rolls back its own work alone and is raised here. Raises
        StorageConflict or StorageError when the database refuses a statement, StorageBusy when
        too many units wait, StorageUnavailable when the transaction was not confirmed: whether it
        happened is then unknown. A caller that is cancelled does not cancel a unit already begun.
        """
        return await asyncio.wrap_future(self._submit(unit))

    def run_blocking(self, unit: Unit[T]) -> T:
        """The same for a thread without an event loop, such as the command line's."""
        return self._submit(unit).result()

    def doubt(self) -> None:
        """Has the writer try a write, because a reader met an outage: nobody may be writing now.

        Returns at once; `healthy` tells what came of it.
        """
        if not self._healthy:
            return  # the writer tries already
        with contextlib.suppress(StorageUnavailable, StorageBusy):
            self._submit(_touch)

    def _submit(self, unit: Unit[T]) -> Future[T]:
        future: Future[T] = Future()
        with self._gate:
            if self._stopping.is_set() or not self._thread.is_alive():
                raise StorageUnavailable("the writer is not running; start the node")
            if not self._healthy:
                raise StorageUnavailable("the database cannot be written now; try again later")
            try:
                self._jobs.put_nowait(_Job(unit, future))
            except queue.Full:
                raise StorageBusy(
                    f"{self._jobs.maxsize} units of work wait for the database; try again later"
                ) from None
        return future

    def _write(self) -> None:
        ended = False
        while not ended:
            jobs, ended = self._take()
            if jobs:
                self._commit(jobs)
            if not self._healthy and not ended:
                ended = self._recover()
        self._refuse_waiting()

    def _take(self) -> tuple[list[_Job], bool]:
        """The next batch, and whether the end mark was among the queue's items."""
        jobs: list[_Job] = []
        item = self._jobs.get()
        while item is not None:
            # A caller that gave up before its unit began gets no unit.
            if item.future.set_running_or_notify_cancel():
                jobs.append(item)
            if len(jobs) >= self._batch:
                return jobs, False
            try:
                item = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _commit(self, jobs: list[_Job]) -> None:
        outcomes: list[tuple[_Job, object, BaseException | None]] = []
        try:
            with writing(self._engine) as connection:
                for job in jobs:
                    outcomes.append((job, *_attempt(connection, job.unit)))
        except (StorageError, _BatchLost) as error:
            self._fail(jobs, error)
            return
        self.commits += 1
        for job, result, failure in outcomes:
            if failure is None:
                self.units += 1
                job.future.set_result(result)
            else:
                job.future.set_exception(failure)

    def _fail(self, jobs: list[_Job], error: StorageError | _BatchLost) -> None:
        if isinstance(error, _BatchLost | StorageUnavailable):
            self._healthy = False
        cause = error.__cause__ if isinstance(error, _BatchLost) else error
        for job in jobs:
            # One exception each: a shared one would collect the tracebacks of all callers.
            failure = StorageUnavailable(f"the transaction was not confirmed: {cause}")
            failure.__cause__ = cause
            job.future.set_exception(failure)

    def _recover(self) -> bool:
        """Refuses what waits and probes until a write succeeds; true when told to stop."""
        delay = _FIRST_PROBE_S
        while True:
            self._refuse_waiting()
            if self._stopping.is_set():
                return True
            if self._probe():
                self._healthy = True
                return False
            self._stopping.wait(delay)
            delay = min(2 * delay, _SLOWEST_PROBE_S)

    def _probe(self) -> bool:
        try:
            with writing(self._engine) as connection:
                _touch(connection)
        except StorageError:
            return False
        return True

    def _refuse_waiting(self) -> None:
        while True:
            try:
                item = self._jobs.get_nowait()
            except queue.Empty:
                return
            if item is not None and item.future.set_running_or_notify_cancel():
                item.future.set_exception(
                    StorageUnavailable("the database cannot be written now; try again later")
                )


def _touch(connection: Connection) -> None:
    connection.execute(storage_probe.update().values(writes=storage_probe.c.writes + 1))


def _attempt(
    connection: Connection, unit: Unit[T]
) -> tuple[T | None, None] | tuple[None, BaseException]:
    """Runs a unit in a savepoint: its result, or the exception that rolled it back.

    An error of the savepoint itself is raised, and fails the batch. The statements are written
    out because SQLAlchemy does not return to a savepoint whose release failed, as it does on
    PostgreSQL when a unit hides an error of the database.
    """
    connection.exec_driver_sql("SAVEPOINT yinxin_unit")
    try:
        result = unit(connection)
        connection.exec_driver_sql("RELEASE SAVEPOINT yinxin_unit")
    except BaseException as error:
        # Whatever a unit raises belongs to its caller; the writer thread has to live on.
        failure = error
        if isinstance(error, SQLAlchemyError):
            failure = storage_error(error)
            failure.__cause__ = error
        elif isinstance(error, OSError):
            failure = lost(error)
            failure.__cause__ = error
        if isinstance(failure, StorageUnavailable):
            raise _BatchLost from failure
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT yinxin_unit")
        connection.exec_driver_sql("RELEASE SAVEPOINT yinxin_unit")
        return None, failure
    return result, None
