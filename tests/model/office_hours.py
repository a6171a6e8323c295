"""Business hours and quarters by walking through the days: slow, plain, and no code of hubsync's (L2, A12)."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

OPENS, CLOSES = time(9), time(17, 30)
"""The shipped working hours, Monday to Friday."""


def working_time_after(start: datetime, length: timedelta, zone: ZoneInfo) -> datetime:
    """The moment at which so much working time has passed since `start`, in UTC."""
    day = start.astimezone(zone).date()
    while True:
        opens = max(start, datetime.combine(day, OPENS, zone).astimezone(UTC))
        closes = datetime.combine(day, CLOSES, zone).astimezone(UTC)
        if day.weekday() < 5 and opens < closes:
            if opens + length <= closes:
                return opens + length
            length -= closes - opens
        day += timedelta(days=1)


def months_after(start: datetime, months: int, zone: ZoneInfo) -> date:
    """The same day of a later month, or that month's last day."""
    day = start.astimezone(zone).date()
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
