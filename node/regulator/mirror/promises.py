"""Whether promised entries came into the log when their times say.

A hub signs that its log has a permit within a minute. A checkpoint that the log's witnesses
cosigned later than that, and that does not cover the entry yet, proves that it was kept back, or
written with a time before its own: to use a consent, say, that had run out.
"""

from __future__ import annotations

from collections.abc import Mapping
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


def late_entries(
    batch: Batch, before: MirroredLog, witnesses: Mapping[SpiffeId, bytes]
) -> list[Finding]:
    """The promised entries of a batch that the last cosigned checkpoint ought to have covered.

    `before` is the log as it was mirrored until now, `witnesses` its witnesses with their keys.
    """
    rows = [row for row in batch.rows if row["kind"] in PROMISED]
    if not rows or before.cosigned_note is None:
        return []
    times = sorted(cosigners(Note.parse(before.cosigned_note), witnesses).values())
    if not times:
        return []
    # A minority of witnesses with wrong clocks moves the median no further than the others' times.
    witnessed = times[(len(times) - 1) // 2]
    found = []
    for row in rows:
        index, time, document = row["index"], row["time"], row["document"]
        if isinstance(time, int) and witnessed - time > LATE_SECONDS:
            permit = row["kind"] == Kind.PERMIT.value and isinstance(document, bytes)
            evidence: dict[str, str | int] = {
                "where": f"entry {index}",
                "time": time,
                "size": before.cosigned_size,
                "witnessed": witnessed,
                "note": b64(before.cosigned_note),
            }
            found.append(
                Finding(
                    kind=FindingKind.PROMISE_BROKEN,
                    subject=before.log,
                    query=document if permit and isinstance(document, bytes) else None,
                    evidence=evidence,
                    key=str(index),
                )
            )
    return found
