"""HubSpot's ways of writing a moment, as UTC datetimes, and back."""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_instant(text: str) -> datetime:
    """A moment as HubSpot writes it: ISO 8601, a date alone (UTC midnight), or milliseconds since 1970.

    What lies in the first or the last year that a calendar knows ("9999-12-31", for never) is taken for the same day of
    the year next to it, so that a time zone or a few days more or less never lead out of the calendar. Raises
    ValueError for anything else.
    """
    if text.isdigit() and len(text) != 8:
        try:
            moment = EPOCH + timedelta(milliseconds=int(text))
        except OverflowError:
            raise ValueError(f"{text} milliseconds lead out of the calendar") from None
    else:
        moment = datetime.fromisoformat(text)
    if not MINYEAR < moment.year < MAXYEAR:
        moment = moment.replace(year=MINYEAR + 1 if moment.year == MINYEAR else MAXYEAR - 1)
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
