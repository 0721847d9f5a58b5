"""How far the audit is, kept with what it found: it goes on where it was ended, however."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, delete, insert, select

from node.regulator.mirror.books import MirroredLog
from node.regulator.tables import audit_progress

VERIFIED = "verified"
"""Entries of the hub's log that were verified, from the first on."""
CHECKED = "checked"
"""The time up to which all logs were reconciled, unix seconds."""
AWAY_SECONDS: Final = 86_400
"""How long the checks wait for a log that is away or faulty: what it would have shown is missing,
and that it is away stands among the findings already."""


def mirrored_until(logs: tuple[MirroredLog, ...], now: int) -> int:
    """The time up to which every log is mirrored, those left out that are away for a day."""
    shown = [log for log in logs if log.note is not None]
    times = [log.checked_at for log in shown if now - log.checked_at < AWAY_SECONDS]
    return min(times, default=now)


def progress(connection: Connection, name: str) -> int:
    """A number of the audit's progress; 0 at first."""
    found = connection.execute(
        select(audit_progress.c.value).where(audit_progress.c.name == name)
    ).scalar_one_or_none()
    return found or 0


def set_progress(connection: Connection, name: str, value: int) -> None:
    """Keeps it, within the unit of work of what it counts."""
    connection.execute(delete(audit_progress).where(audit_progress.c.name == name))
    connection.execute(insert(audit_progress).values(name=name, value=value))
