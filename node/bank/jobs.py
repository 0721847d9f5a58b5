"""Long work that the REST interface starts and reports on: one running job a model and epoch.

Jobs live as long as the process. What they have prepared is durable, so one that is lost is simply
started again.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import structlog

from federation.epoch import OpenEpoch
from federation.errors import FederationError
from node.bank.bank import Bank
from node.bank.errors import BankError
from node.bank.problems import Problem, problem_of
from node.bank.records import Model
from node.bank.texts import Code
from node.errors import NodeError
from scoring.errors import ScoringError

KEPT_JOBS = 256

_log = structlog.get_logger(__name__)


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass
class Job:
    """One preparation; `done` and `total` are buckets, `bytes` what was fetched."""

    id: str
    certificate: str
    epoch: int
    state: JobState = JobState.WAITING
    done: int = 0
    total: int = 0
    bytes: int = 0
    problem: Problem | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def running(self) -> bool:
        """Whether it is not over yet."""
        return self.state in {JobState.WAITING, JobState.RUNNING}

    def to_dict(self, language: str) -> dict[str, Any]:
        """As callers see it."""
        found: dict[str, Any] = {
            "id": self.id,
            "kind": "prepare",
            "certificate": self.certificate,
            "epoch": self.epoch,
            "state": self.state.value,
            "done": self.done,
            "total": self.total,
            "bytes": self.bytes,
        }
        if self.problem is not None:
            found["error"] = self.problem.to_dict(language)
        return found


class Jobs:
    """The jobs of one process."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._jobs: OrderedDict[str, Job] = OrderedDict()

    async def prepare(
        self, model: Model, epoch: int | None = None, buckets: Sequence[int] | None = None
    ) -> Job:
        """Starts preparing, or returns the job that does it already. Installs what is missing."""
        chosen = await self._epoch(model, epoch)
        certificate = model.hash.hex()
        for job in self._jobs.values():
            if job.running and (job.certificate, job.epoch) == (certificate, chosen.number):
                return job
        job = Job(secrets.token_hex(8), certificate, chosen.number)
        self._jobs[job.id] = job
        finished = [i for i, j in self._jobs.items() if j.state in {JobState.DONE, JobState.FAILED}]
        for identifier in finished[: max(0, len(self._jobs) - KEPT_JOBS)]:
            del self._jobs[identifier]
        job.task = asyncio.create_task(self._run(job, model, chosen, buckets))
        return job

    def of(self, model: Model) -> Job | None:
        """The latest job of a model."""
        certificate = model.hash.hex()
        jobs = (job for job in reversed(self._jobs.values()) if job.certificate == certificate)
        return next(jobs, None)

    def get(self, identifier: str) -> Job:
        """A job. Raises BankError(job_unknown)."""
        job = self._jobs.get(identifier)
        if job is None:
            raise BankError(Code.JOB_UNKNOWN, "job")
        return job

    async def stop(self) -> None:
        """Ends what runs."""
        tasks = [job.task for job in self._jobs.values() if job.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _epoch(self, model: Model, number: int | None) -> OpenEpoch:
        for epoch in await self._bank.sessions.epochs(model):
            if number is None or epoch.number == number:
                return epoch
        view = await self._bank.agent.chains.view(model.chain)
        raise BankError(Code.NO_OPEN_EPOCH, "epoch", chain=view.name)

    async def _run(
        self, job: Job, model: Model, epoch: OpenEpoch, buckets: Sequence[int] | None
    ) -> None:
        def tell(done: int, total: int, fetched: int) -> None:
            job.done, job.total, job.bytes = done, total, fetched

        job.state = JobState.RUNNING
        try:
            await self._bank.installation.install(model)
            await self._bank.preparation.prepare(model, epoch, buckets, tell)
        except (NodeError, FederationError, ScoringError) as error:
            job.problem, job.state = problem_of(error), JobState.FAILED
        except Exception as error:  # the job's own edge: nobody else would see it
            _log.exception("job failed", job=job.id)
            job.problem, job.state = problem_of(error), JobState.FAILED
        else:
            job.state = JobState.DONE
