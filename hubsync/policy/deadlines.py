"""Whether a length of time has passed since a moment, asked of very many contacts at nearly the same time.

A calendar is asked only for moments near the edge: what is a day older than one that is known to be over is over too,
and what is a day younger than one that still runs still runs. The day covers what keeps calendars from being strictly
in order: hours moved into a shorter day, the end of a month, an hour that daylight saving repeats.
"""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from hubsync.policy.worktime import Calendar, Duration

_DAY = timedelta(days=1)


class Deadline:
    """A duration, with what was learned of it: the newest moment since which it is over, the oldest since which not."""

    __slots__ = ("_over", "_running", "duration")

    def __init__(self, duration: Duration) -> None:
        self.duration = duration
        self._over: dict[tuple[Calendar, tzinfo], tuple[datetime, datetime]] = {}
        self._running: dict[tuple[Calendar, tzinfo], tuple[datetime, datetime]] = {}

    def has_passed(self, since: datetime, now: datetime, calendar: Calendar, zone: tzinfo) -> bool:
        """Whether it is over; the very moment counts. The same answer as the duration's own, sooner."""
        key = (calendar, zone)
        over, running = self._over.get(key), self._running.get(key)
        if over is not None and since <= over[0] and over[1] <= now:
            return True
        if running is not None and since >= running[0] and now < running[1]:
            return False
        due = self.duration.after(since, calendar, zone)
        if due <= now:
            if over is None or since - _DAY > over[0] or over[1] > now:
                self._over[key] = (since - _DAY, due)
            return True
        if running is None or since + _DAY < running[0] or running[1] <= now:
            self._running[key] = (since + _DAY, due)
        return False
