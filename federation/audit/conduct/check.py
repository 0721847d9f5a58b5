"""What every check of conduct is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from federation.audit.findings import Finding, FindingKind
from federation.audit.records import AuditedQuery, Event


class Check(Protocol):
    """One check. Its memory is bounded by the window that it looks at."""

    def query(self, query: AuditedQuery, *, batched: bool) -> Iterator[Finding]:
        """Takes the next query; `batched` if it belongs to a registered batch of its bank."""

    def event(self, event: Event) -> None:
        """Takes the next entry of a bank's log."""

    def advance(self, now: int) -> Iterator[Finding]:
        """Judges what had to wait until `now` (unix seconds), and forgets what is over."""


class QueryCheck:
    """A check that needs no entries of banks."""

    def event(self, event: Event) -> None:
        """Entries tell it nothing."""

    def advance(self, now: int) -> Iterator[Finding]:
        """Nothing waits."""
        yield from ()


def of_query(
    kind: FindingKind, query: AuditedQuery, more: Mapping[str, str | int] | None = None
) -> Finding:
    """A finding about one query, against its bank."""
    evidence: dict[str, str | int] = {
        "index": query.index,
        "time": query.time,
        "officer": query.officer,
        "purpose": query.purpose,
        **(more or {}),
    }
    return Finding(kind=kind, subject=query.bank, query=query.id, evidence=evidence)
