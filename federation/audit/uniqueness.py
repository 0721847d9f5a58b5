"""What may exist only once: descriptor, manifest and opening of an epoch, key of a context.

A second one under the same number would let bank and hub subtract tables; it is found in whatever
log it stands, and also where two logs have one each. A certificate that a member uses has to be
in the regulator's log; what a bank says of one of another chain is for that chain to check, whose
hub and holders say that they have it.
"""

from __future__ import annotations

from collections.abc import Iterator

from federation.audit.findings import Finding, FindingKind
from federation.audit.recent import EPOCH_SECONDS, Recent
from federation.audit.records import Event
from federation.audit.thresholds import AuditThresholds
from federation.canonical import b64
from federation.entries import Kind
from federation.identity import Role, SpiffeId

_SECOND = {
    Kind.DESCRIPTOR: FindingKind.SECOND_DESCRIPTOR,
    Kind.MANIFEST: FindingKind.SECOND_MANIFEST,
    Kind.OPENING: FindingKind.SECOND_OPENING,
    Kind.CTX_KEY: FindingKind.SECOND_CTX_KEY,
}
_USES = frozenset({Kind.INSTALLED, Kind.CERTIFIED})


class Uniqueness:
    """Fed every entry of those kinds, of all logs. Memory: an item a number and holder, for one to
    two times the life of an epoch; every certificate.
    """

    def __init__(self, regulator: str, thresholds: AuditThresholds) -> None:
        """`regulator` is the SPIFFE id of the log whose certificates count."""
        self._regulator = regulator
        self._skew = thresholds.time_skew
        self._first: Recent[tuple[Kind, str], Event] = Recent(EPOCH_SECONDS)
        self._certified: set[bytes] = set()
        self._used: list[Event] = []

    def event(self, event: Event) -> list[Finding]:
        """Takes the next entry."""
        if event.kind in _SECOND:
            return list(self._second(event))
        if event.kind is Kind.CERTIFIED and event.log == self._regulator:
            self._certified.add(event.subject)
        elif event.kind in _USES and not _elsewhere(event):
            self._used.append(event)
        return []

    def advance(self, now: int) -> list[Finding]:
        """Judges certificates used up to `now` (unix seconds), less the clocks' skew."""
        due = [event for event in self._used if event.time + self._skew <= now]
        self._used = [event for event in self._used if event.time + self._skew > now]
        return [
            Finding(
                kind=FindingKind.CERTIFICATE_UNLOGGED,
                subject=event.log,
                evidence={
                    "certificate": b64(event.subject),
                    "index": event.index,
                    "time": event.time,
                },
                key=b64(event.subject),
            )
            for event in due
            if event.subject not in self._certified
        ]

    def _second(self, event: Event) -> Iterator[Finding]:
        if event.kind is Kind.CTX_KEY:
            owner, number = event.log, b64(event.ctx)
        else:
            # The hub logs the manifests that it receives: the holder is in the entry.
            holder = event.body.get("holder", event.log) if event.kind is Kind.MANIFEST else ""
            owner, number = str(holder), str(event.body.get("epoch", ""))
        name = (event.kind, f"{owner} {number}")
        first = self._first.get(name)
        if first is None:
            self._first.put(name, event, event.time)
        elif first.subject != event.subject:
            yield Finding(
                kind=_SECOND[event.kind],
                subject=event.log,
                evidence={
                    "number": number,
                    "index": event.index,
                    "document": b64(event.subject),
                    "other_log": first.log,
                    "other_index": first.index,
                    "other_document": b64(first.subject),
                },
                key=f"{owner} {number} {b64(event.subject)}",
            )


def _elsewhere(event: Event) -> bool:
    """Whether a bank speaks of another chain's certificate: of that, only banks do."""
    return "chain" in event.body and SpiffeId.parse(event.log).role is Role.BANK
