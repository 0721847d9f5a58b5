"""Whether promised entries came into the log when their times say.

A hub signs that its log has a permit within a minute. A checkpoint that the log's witnesses
cosigned later than that, and that does not cover the entry yet, proves that it was kept back, or
written with a time before its own: to use a consent, say, that had run out. So does this
regulator's own look at a log that did not grow, as long as it runs: what it was shown as the
mirror of the log, and what it was asked to cosign as its witness.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from federation.audit.findings import Finding, FindingKind
from federation.canonical import b64
from federation.entries import CLOCK_SKEW, PROMISE_SECONDS, Kind
from federation.identity import SpiffeId
from federation.tlog.checkpoint import cosigners
from federation.tlog.note import Note
from node.regulator.mirror.books import Batch, MirroredLog

PROMISED: Final = frozenset({Kind.PERMIT.value, Kind.CONSENT.value, Kind.CANCELLED.value})
"""Kinds that are written at once and answered with a promise, by hubs."""
LATE_SECONDS: Final = PROMISE_SECONDS + CLOCK_SKEW


@dataclass(frozen=True)
class Known:
    """At `time` (unix seconds) the log was known to have `size` entries, by a cosigned note or, if
    it is empty, by this regulator's own look.
    """

    time: int
    size: int
    note: bytes = b""


def late_entries(
    batch: Batch,
    before: MirroredLog,
    witnesses: Mapping[SpiffeId, bytes],
    looked: Known | None,
) -> list[Finding]:
    """The promised entries of a batch that the log ought to have had when it was last known.

    `before` is the log as it was mirrored until now, `witnesses` its witnesses with their keys,
    `looked` the last look of a round.
    """
    rows = [row for row in batch.rows if row["kind"] in PROMISED]
    if not rows:
        return []
    known = [one for one in (_cosigned(before, witnesses), looked) if one is not None]
    return [found for row in rows for found in _late(row, before.log, known)]


def _cosigned(log: MirroredLog, witnesses: Mapping[SpiffeId, bytes]) -> Known | None:
    if log.cosigned_note is None:
        return None
    times = sorted(cosigners(Note.parse(log.cosigned_note), witnesses).values())
    if not times:
        return None
    # A minority of witnesses with wrong clocks moves the median no further than the others' times.
    return Known(times[(len(times) - 1) // 2], log.cosigned_size, log.cosigned_note)


def _late(row: Mapping[str, object], log: str, known: list[Known]) -> Iterator[Finding]:
    index, time, document = row["index"], row["time"], row["document"]
    if not isinstance(index, int) or not isinstance(time, int):
        return
    for one in known:
        if index < one.size or one.time - time <= LATE_SECONDS:
            continue
        evidence: dict[str, str | int] = {
            "where": f"entry {index}",
            "time": time,
            "size": one.size,
            "seen_at": one.time,
        }
        if one.note:
            evidence["note"] = b64(one.note)
        permit = document if row["kind"] == Kind.PERMIT.value else None
        yield Finding(
            kind=FindingKind.PROMISE_BROKEN,
            subject=log,
            query=permit if isinstance(permit, bytes) else None,
            evidence=evidence,
            key=str(index),
        )
        return
