"""Times as the pages say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_STEPS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def moment(at: datetime) -> str:
    """To the minute, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def span(time: timedelta) -> str:
    """How long, in the largest whole unit; what lies ahead counts as no time."""
    seconds = max(0, int(time.total_seconds()))
    for name, length in _STEPS:
        if seconds >= length:
            count = seconds // length
            return f"{count:,} {name}{'' if count == 1 else 's'}"
    return "less than a second"


def age(at: datetime, now: datetime) -> str:
    """How long ago."""
    return "just now" if now - at < timedelta(seconds=1) else f"{span(now - at)} ago"
