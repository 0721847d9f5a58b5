"""What the mirror found wrong with a log, as findings against its owner."""

from __future__ import annotations

from federation.audit.findings import Finding, FindingKind
from federation.canonical import b64
from federation.errors import FederationError


class Suspicion(FederationError):
    """A log is not in order: what kind of finding it is, where, and the signed notes that show it.

    `where` names entry, hash or checkpoint, and tells findings about one log apart.
    """

    def __init__(self, kind: FindingKind, where: str, problem: str, *notes: bytes) -> None:
        self.kind = kind
        self.where = where
        self.problem = problem
        self.notes = notes
        super().__init__(f"{kind}: {where}: {problem}")

    def finding(self, log: str) -> Finding:
        """The finding against the owner of `log`."""
        evidence: dict[str, str | int] = {"log": log, "where": self.where, "problem": self.problem}
        for number, note in enumerate(self.notes, 1):
            evidence[f"note_{number}"] = b64(note)
        return Finding(kind=self.kind, subject=log, evidence=evidence, key=self.where)


def broken(where: str, problem: str, *notes: bytes) -> Suspicion:
    """A log that does not give its own root."""
    return Suspicion(FindingKind.LOG_BROKEN, where, problem, *notes)


def second_root(size: int, *notes: bytes) -> Suspicion:
    """Two views of one log."""
    problem = "another root was established for that size"
    return Suspicion(FindingKind.LOG_FORK, f"checkpoint of size {size}", problem, *notes)
