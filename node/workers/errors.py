"""Errors of the worker pool and of jobs. A `ScoringError` of a job passes as it is."""

from __future__ import annotations

from node.errors import Busy, NodeError


class WorkerError(NodeError):
    """Base of what goes wrong with a job besides the mathematics."""


class WorkerLost(WorkerError, Busy):
    """A worker process died while the job ran. Jobs are pure: running it again is safe."""


class PoolFull(WorkerError, Busy):
    """As many jobs wait as the pool's queue holds. Nothing was started; try later."""


class PoolClosed(WorkerError, Busy):
    """The pool was not started, or has been stopped."""


class JobFailed(WorkerError):
    """A job raised something that cannot be carried between processes; the text is all of it."""


class HashMismatch(WorkerError):
    """A file is not the one that the certificate names. It was not parsed."""
