"""The checks over many records, fed together.

Records come in order of their times, at equal times queries last. `advance(now)` says that nothing
earlier than `now` is to come: whoever mirrors the logs calls it with the time up to which it has
them all. What waits for a grace is judged then. A record that comes late all the same is judged
with what is known; it is never lost.

The state is a function of the records. To resume, feed them again: a finding that was made before
has the same id. Of bulk entries (permits, unlocks, a bank's queries) those of `REPLAY_SECONDS`
are enough, and of consents that still hold all permits; of other kinds all entries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from federation.audit.cancellations import Cancelled
from federation.audit.conduct.business import Administrators, Applications, LiveLoan
from federation.audit.conduct.check import Check
from federation.audit.conduct.firms import Probing, SameFirm
from federation.audit.conduct.hours import Batches, QuietHours
from federation.audit.conduct.volume import VolumeDay, VolumeHour
from federation.audit.development import DEVELOPMENT_KINDS, Developments
from federation.audit.disputes import DISPUTE_KINDS, Disputes
from federation.audit.findings import Finding
from federation.audit.interchain.reconciliation import Interchain
from federation.audit.recent import EPOCH_SECONDS, Recent
from federation.audit.reconcile import Reconciliation, role_of
from federation.audit.records import AuditedQuery, Event
from federation.audit.sources import Books
from federation.audit.thresholds import DAY, HOUR, AuditThresholds
from federation.audit.uniqueness import Uniqueness
from federation.audit.uses import ConsentUses
from federation.entries import Kind
from federation.identity import Role, SpiffeId

REPLAY_SECONDS = 2 * EPOCH_SECONDS
BULK_KINDS = frozenset({Kind.PERMIT, Kind.UNLOCK, Kind.QUERY, Kind.FAILURE, Kind.ROUTED})
"""Kinds with an entry a query."""
USED_KINDS = BULK_KINDS | {
    Kind.DESCRIPTOR,
    Kind.MANIFEST,
    Kind.OPENING,
    Kind.CTX_KEY,
    Kind.CERTIFIED,
    Kind.INSTALLED,
    Kind.CANCELLED,
    Kind.ADMIN,
    Kind.APPLICATION_OPENED,
    Kind.APPLICATION_CLOSED,
    Kind.LOAN_OPENED,
    Kind.LOAN_CLOSED,
    Kind.BATCH,
    *DEVELOPMENT_KINDS,
    *DISPUTE_KINDS,
}
"""Kinds that tell the audit anything; the others need not be fed."""
_FOR_EVER = 1 << 40


class Audit:
    """The audit of one chain."""

    def __init__(
        self, hub: SpiffeId, regulator: SpiffeId, thresholds: AuditThresholds, books: Books
    ) -> None:
        self._hub = str(hub)
        self._skew = thresholds.time_skew
        self._uses = ConsentUses(str(hub))
        self.interchain = Interchain(str(hub), thresholds, books)
        """Fed with the shares of peer chains' regulators by whoever has them."""
        self._reconciliation = Reconciliation(str(hub), thresholds, books, self.interchain)
        self._uniqueness = Uniqueness(str(regulator), thresholds)
        self._developments = Developments(str(regulator), thresholds, books)
        self._disputes = Disputes()
        self._batches = Batches(thresholds)
        # These need what the bank logs of its business; a guest's log is its own regulator's.
        business: tuple[Check, ...] = (
            Applications(thresholds),
            LiveLoan(thresholds),
            Administrators(thresholds),
        )
        self._of_guests: tuple[Check, ...] = (
            QuietHours(thresholds),
            VolumeHour(thresholds),
            VolumeDay(thresholds),
            SameFirm(thresholds),
            Probing(thresholds, books),
        )
        self._checks = self._of_guests + business
        self._waiting: deque[AuditedQuery] = deque()
        self._groups: Recent[bytes, bool] = Recent(HOUR)
        self._advanced = 0

    def query(self, query: AuditedQuery) -> list[Finding]:
        """Takes a `permit` entry of the hub's log, as it was verified."""
        repeated = self._reconciliation.query(query)
        if repeated:
            return repeated
        found = self._uses.query(query)
        group = query.group
        if self._groups.get(group) is None:
            self._groups.put(group, True, query.time)
            self._waiting.append(query)
        return found

    def event(self, event: Event) -> list[Finding]:
        """Takes any other entry, of any log, the hub's included."""
        found = self._reconciliation.event(event) + self._uniqueness.event(event)
        found += self._developments.event(event) + self._disputes.event(event)
        if event.kind is Kind.ROUTED and event.log == self._hub:
            self.interchain.routed(event)
        if event.kind not in BULK_KINDS and role_of(event.log) is Role.BANK:
            self._batches.event(event)
            for check in self._checks:
                check.event(event)
        return found

    def cancelled(self, cancelled: Cancelled) -> None:
        """Takes a `consent-cancelled` entry of the hub's log, as it was verified."""
        self._uses.cancelled(cancelled)

    def advance(self, now: int) -> list[Finding]:
        """Everything earlier than `now` (unix seconds) has been fed."""
        found = self._reconciliation.advance(now) + self._uniqueness.advance(now)
        found += self.interchain.advance(now) + self._developments.advance(now)
        found += self._disputes.advance(now)
        found += self._conduct(now)
        if now - self._advanced >= DAY:  # sweeping costs a look at all that is remembered
            self._advanced = now
            self._uses.advance(now)
            self._batches.advance(now)
            for check in self._checks:
                found += check.advance(now)
        return found

    def finish(self, now: int) -> list[Finding]:
        """Judges what was fed as if nothing came any more, though graces are not over.

        For logs that have ended: what has not been logged by then never will be. Months that are
        not over at `now` stay unjudged, and disputes that are not due: their applications and
        answers may yet come.
        """
        found = self._reconciliation.advance(_FOR_EVER) + self._uniqueness.advance(_FOR_EVER)
        found += self.interchain.finish() + self._developments.advance(_FOR_EVER)
        found += self._disputes.advance(now)
        found += self._conduct(_FOR_EVER)
        for check in self._checks:
            found += check.advance(now)
        return found

    def _conduct(self, now: int) -> Iterator[Finding]:
        while self._waiting and self._waiting[0].time + self._skew <= now:
            query = self._waiting.popleft()
            batched = self._batches.covers(query)
            guest = self.interchain.is_guest(query.bank)
            for check in self._of_guests if guest else self._checks:
                yield from check.query(query, batched=batched)
