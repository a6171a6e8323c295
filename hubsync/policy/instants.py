"""HubSpot's ways of writing a moment, as UTC datetimes, and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_instant(text: str) -> datetime:
    """A moment as HubSpot writes it: ISO 8601, a date alone (UTC midnight), or milliseconds since 1970.

    Raises ValueError for anything else.
    """
    if text.isdigit() and len(text) != 8:
        return EPOCH + timedelta(milliseconds=int(text))
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def instant_or_none(text: str | None) -> datetime | None:
    """As `parse_instant`, with None for empty or unreadable values: a property a person typed is no reason to stop."""
    if not text:
        return None
    try:
        return parse_instant(text)
    except ValueError:
        return None


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970, exact."""
    passed = moment - EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000 + passed.microseconds // 1_000


def day_in(moment: datetime, zone: str) -> date:
    """The calendar day of a moment in a time zone (`date` properties are days in the portal's zone, design 4)."""
    return moment.astimezone(ZoneInfo(zone)).date()


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """The earlier of two moments, either of which may be missing."""
    if one is None or other is None:
        return one or other
    return min(one, other)
