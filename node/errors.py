"""Errors of the node package: one tree, so that a caller catches one class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class NodeError(Exception):
    """Base of every error that this package raises; the message names the remedy."""


class Busy(NodeError):
    """The node cannot work on this now; nothing of it was done, and the same later is no error."""


class Unwitnessed(Busy):
    """Too few witnesses have cosigned the node's log for too long, or it is no longer whole."""


@dataclass(frozen=True)
class ConfigProblem:
    """One fault of a configuration: the key (`tls.key`), what is wrong, what to do about it."""

    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.key}: {self.problem}; {self.remedy}"


class ConfigError(NodeError):
    """A configuration that no node may start with; `problems` lists every fault at once."""

    def __init__(self, source: str, problems: Sequence[ConfigProblem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        count = len(self.problems)
        super().__init__(f"{source}: {count} problem{'s' if count != 1 else ''}{lines}")


class SecretFileError(NodeError):
    """A file of a secret that is missing, exists already, is readable by others or malformed."""


class SealError(NodeError):
    """Sealed bytes do not open: another key, another purpose, or changed. Never says which."""


class StorageError(NodeError):
    """The database refused a statement, or its address or schema is unusable."""


class StorageConflict(StorageError):
    """A constraint of the database was violated: a duplicate, or a change of what is final."""


class StorageUnavailable(StorageError):
    """The database cannot be read or written now; whether the work was done is unknown."""


class StorageBusy(StorageUnavailable):
    """More work is waiting for the writer than the queue holds; nothing was done, try later."""


class SchemaError(StorageError):
    """The database was written by a newer program, or by another one altogether."""


class LogError(NodeError):
    """An entry that the query log refuses, or one that is no longer what was appended."""


class IdentityFileError(NodeError):
    """A key, credential or trust file does not establish who this node is."""
