"""The audit's second part: the checks over many records, fed from the mirror.

What they remember is a function of what they were fed, so a process that starts feeds them again;
findings that were made before have the same ids and are not made twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from federation.audit.cancellations import Cancelled, examine_cancellation
from federation.audit.engine import REPLAY_SECONDS, Audit
from federation.audit.findings import Finding, FindingKind
from federation.audit.sources import CancellationRecord
from federation.auditkeys import AuditKeys, KeyErased
from federation.entries import Kind
from node.regulator.audit.documents import DocumentSet
from node.regulator.audit.feed import Fed, feed
from node.regulator.audit.progress import CHECKED, set_progress
from node.regulator.audit.shares import ShareFeed, keep_reconciled
from node.regulator.audit.verification import Told, attached, envelope_named
from node.regulator.findings import keep_findings
from node.storage.store import Store

STEP: Final = 30
"""Seconds of the logs' time after which what was fed is judged."""
KEPT_AT_ONCE: Final = 500
TOLD_EVERY: Final = 2_000

_log = structlog.get_logger(__name__)


@dataclass
class RecordChecks:
    """Feeds one `Audit`. Blocking: for a thread of its own, one at a time."""

    store: Store
    audit: Audit
    documents: DocumentSet
    keys: AuditKeys
    shares: ShareFeed
    _positions: dict[str, int] = field(default_factory=dict)
    _advanced: int = 0
    _found: list[Finding] = field(default_factory=list)

    def run(self, sizes: Mapping[str, int], until: int, now: int, tell: Told) -> None:
        """Feeds each log, of these sizes, up to clock `until`, and judges what is due then."""
        spans = {log: (self._positions.get(log, 0), size) for log, size in sizes.items()}
        total = sum(stop - start for start, stop in spans.values())
        fed_entries = feed(self.store, spans, now - REPLAY_SECONDS, until)
        shares = deque(self.shares.begin(self.audit.interchain, now))
        for done, fed in enumerate(fed_entries, 1):
            while shares and shares[0].until < fed.clock:
                self._found += self.shares.feed(self.audit.interchain, shares.popleft())
            if fed.clock >= self._advanced + STEP:
                self._advanced = fed.clock
                self._found += self.audit.advance(fed.clock)
            self._take(fed)
            self._positions[fed.log] = fed.index + 1
            if done % TOLD_EVERY == 0:
                tell(done, total)
            if len(self._found) >= KEPT_AT_ONCE:
                self._keep(now)
        for share in shares:
            self._found += self.shares.feed(self.audit.interchain, share)
        self._found += self.audit.advance(until)
        self._keep(now)
        self.store.run_blocking(partial(self._reached, until=until))
        tell(total, total)

    def finish(self, now: int) -> None:
        """Judges what waits for a grace, too: nothing more will be logged."""
        self._found += self.audit.finish(now)
        self._keep(now)
        self.store.run_blocking(self._reconciled)

    def _reached(self, connection: Connection, until: int) -> None:
        set_progress(connection, CHECKED, until)
        self._reconciled(connection)

    def _reconciled(self, connection: Connection) -> None:
        for chain, numbers in self.audit.interchain.reconciled().items():
            keep_reconciled(connection, chain, numbers)

    def _take(self, fed: Fed) -> None:
        try:
            self._judge(fed)
        except Exception as error:  # whatever a log says, the audit goes on, and says so
            _log.warning("entry not examined", log=fed.log, index=fed.index, exc_info=error)
            problem = str(error) or type(error).__name__
            self._found.append(
                Finding(
                    kind=FindingKind.ENTRY_MALFORMED,
                    subject=fed.log,
                    evidence={"index": fed.index, "problem": problem},
                    key=str(fed.index),
                )
            )

    def _judge(self, fed: Fed) -> None:
        if fed.query is not None:
            self._found += self.audit.query(fed.query)
        elif fed.kind is Kind.CANCELLED:
            self._cancelled(fed)
        elif not fed.is_permit:
            self._found += self.audit.event(fed.event)

    def _cancelled(self, fed: Fed) -> None:
        name = envelope_named(fed.entry)
        kept = self.store.read_blocking(lambda c: attached(c, {name})).get(name, [])
        record = CancellationRecord(fed.index, fed.entry, next(iter(kept), None))
        members = self.documents.members(fed.event.time)
        try:
            examined = examine_cancellation(record, members, self.keys)
        except KeyErased:
            return
        if isinstance(examined, Cancelled):
            self.audit.cancelled(examined)
        else:
            self._found.append(examined)

    def _keep(self, now: int) -> None:
        found, self._found = self._found, []
        if found:
            self.store.run_blocking(partial(keep_findings, findings=found, now=now))
