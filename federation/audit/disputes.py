"""Disputes that a holder did not answer in time.

The entries name no firm and nothing of what was said: that there was a dispute and whether it was
answered is all that the audit needs. When it is due follows from when it was received, whatever the
holder wrote; a holder that writes no entry has given the firm no receipt either.
"""

from __future__ import annotations

import heapq

from federation.audit.findings import Finding, FindingKind
from federation.audit.reconcile import role_of
from federation.audit.records import Event
from federation.disputes.reply import due_of
from federation.entries import Kind
from federation.identity import Role

DISPUTE_KINDS = frozenset({Kind.DISPUTED, Kind.DISPUTE_ANSWERED})


class Disputes:
    """Which disputes wait, by holder and hash."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], int] = {}
        """When each was received, unix seconds."""
        self._due: list[tuple[int, str, str]] = []

    def event(self, event: Event) -> list[Finding]:
        """Takes an entry of a holder's log; others are left alone."""
        if event.kind not in DISPUTE_KINDS or role_of(event.log) is not Role.HOLDER:
            return []
        key = (event.log, str(event.body.get("dispute", "")))
        if event.kind is Kind.DISPUTED:
            if key not in self._waiting:
                self._waiting[key] = event.time
                heapq.heappush(self._due, (due_of(event.time), *key))
            return []
        received = self._waiting.pop(key, None)
        if received is None or event.time < due_of(received):
            return []
        return [_overdue(key, received, event.time)]

    def advance(self, now: int) -> list[Finding]:
        """What was due by `now` (unix seconds) and has no answer."""
        found = []
        while self._due and self._due[0][0] <= now:
            due, *key = heapq.heappop(self._due)
            received = self._waiting.get((key[0], key[1]))
            if received is not None and due_of(received) == due:
                del self._waiting[key[0], key[1]]
                found.append(_overdue((key[0], key[1]), received, 0))
        return found


def _overdue(key: tuple[str, str], received: int, answered: int) -> Finding:
    holder, dispute = key
    return Finding(
        kind=FindingKind.DISPUTE_OVERDUE,
        subject=holder,
        evidence={
            "dispute": dispute,
            "received": received,
            "due": due_of(received),
            "answered": answered,
        },
        key=dispute,
    )
