"""What an audit comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from federation.audit.findings import Finding


@dataclass(frozen=True)
class Summary:
    """Numbers of an audit: `queries` is `verified` and the distinct queries with findings.

    `queries` counts the permits of the hub's log, and what only a counterpart's log shows: an
    unlock or a bank's entry whose permit the hub did not log. `findings` counts them by kind.
    """

    queries: int
    verified: int
    with_findings: int
    findings: dict[str, int]


def summarise(queries: Iterable[bytes], findings: Iterable[Finding]) -> Summary:
    """The summary of the queries (permit hashes) of the hub's log, and of every finding."""
    by_id = {finding.id: finding for finding in findings}
    found = {finding.query for finding in by_id.values() if finding.query is not None}
    everything = found.union(queries)
    kinds = Counter(finding.kind.value for finding in by_id.values())
    return Summary(
        queries=len(everything),
        verified=len(everything) - len(found),
        with_findings=len(found),
        findings=dict(sorted(kinds.items())),
    )
