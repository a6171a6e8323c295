"""Whether a length of time has passed since a moment, asked of very many contacts at nearly the same time.

A calendar is asked only for moments near the edge: what is a day older than one that is known to be over is over too,
and what is a day younger than one that still runs still runs. The day covers what keeps calendars from being strictly
in order: hours moved into a shorter day, the end of a month, an hour that daylight saving repeats.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from hubsync.policy.worktime import Calendar, Duration

_DAY = timedelta(days=1)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

_Edges = tuple[tzinfo, datetime, datetime, datetime, datetime]
"""A zone; the newest moment since which it is over, and from when on; the oldest since which not, and until when."""


class Deadline:
    """A duration, with what was learned of it: the newest moment since which it is over, the oldest since which not."""

    __slots__ = ("_known", "duration")

    def __init__(self, duration: Duration) -> None:
        self.duration = duration
        self._known: dict[Calendar, _Edges] = {}

    def has_passed(self, since: datetime, now: datetime, calendar: Calendar, zone: tzinfo) -> bool:
        """Whether it is over; the very moment counts. The same answer as the duration's own, sooner."""
        known = self._known.get(calendar)
        if known is None or known[0] is not zone:
            known = (zone, _FIRST, _FIRST, _LAST, _LAST)
        _, over, over_at, running, running_until = known
        if since <= over and over_at <= now:
            return True
        if since >= running and now < running_until:
            return False
        due = self.duration.after(since, calendar, zone)
        if due <= now:
            if since - _DAY > over or over_at > now:
                self._known[calendar] = (zone, since - _DAY, due, running, running_until)
            return True
        if since + _DAY < running or running_until <= now:
            self._known[calendar] = (zone, over, over_at, since + _DAY, due)
        return False
