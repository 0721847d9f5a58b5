"""Days and months of China, by which counts are kept and shown."""

from __future__ import annotations

from typing import Final

from federation.auditkeys import calendar_month, month_start, months_later

DAY: Final = 86_400
_AHEAD: Final = 8 * 3600
"""China is that far ahead of UTC, the whole year."""


def day_start(seconds: int) -> int:
    """When the day of a time (unix seconds) began in China, unix seconds."""
    return (seconds + _AHEAD) // DAY * DAY - _AHEAD


def last_days(now: int, count: int) -> list[int]:
    """When the last `count` days began, that of `now` last."""
    today = day_start(now)
    return [today - DAY * back for back in range(count - 1, -1, -1)]


def last_months(now: int, count: int) -> list[int]:
    """The last `count` months as YYYYMM, that of `now` last."""
    return [months_later(calendar_month(now), -back) for back in range(count - 1, -1, -1)]


def month_span(month: int) -> tuple[int, int]:
    """When a month (YYYYMM) begins and when the next one does, unix seconds."""
    return month_start(month), month_start(months_later(month, 1))
