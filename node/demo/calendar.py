"""When people work: office days and hours in China, of which a replayed history is made."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Final

from holidays.countries.china import China

from federation.auditkeys import CHINA

OPENS: Final = 8.75
"""When a data epoch is opened, in hours of the day."""
FIRST_HOUR: Final = 9.25
LAST_HOUR: Final = 17.0
_SATURDAY: Final = 5


def moment(day: date, hour: float) -> int:
    """An hour of a day in China, as unix seconds."""
    begin = datetime.combine(day, time(), CHINA)
    return int((begin + timedelta(hours=hour)).timestamp())


def day_of(now: int) -> date:
    """The day in China."""
    return datetime.fromtimestamp(now, CHINA).date()


def office_weeks(now: int, weeks: int) -> list[list[date]]:
    """The office days of the `weeks` times seven days before that of `now`, by calendar week; none
    where all of them are days off.
    """
    today = day_of(now)
    days = [today - timedelta(days=back) for back in range(7 * weeks, 0, -1)]
    years = {day.year for day in days}
    statutory = set(China(years=years)) if years else set()  # type: ignore[no-untyped-call]
    working = [day for day in days if day.weekday() < _SATURDAY and day not in statutory]
    return [list(group) for _, group in groupby(working, key=lambda day: day.isocalendar()[:2])]


def same_week(day: date, other: date) -> bool:
    """Whether two days are of one calendar week."""
    return day.isocalendar()[:2] == other.isocalendar()[:2]
