"""What time it is in the portal: the local clock, corrected by the `Date` headers of HubSpot's answers.

A `Date` header is cut to whole seconds and was written some time between question and answer, so each one bounds the
difference between the two clocks; the bounds of many answers meet within milliseconds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, time, timedelta
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_SECOND = timedelta(seconds=1)
_NONE = timedelta(0)


class PortalClock:
    """The portal's time, learned. `now` gives the local time (aware, UTC). Safe for several threads.

    `zone` is the account's time zone (IANA), None until somebody has read it.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.zone: str | None = None
        self._lock = threading.Lock()
        self._bounds: tuple[timedelta, timedelta] | None = None

    @property
    def offset(self) -> timedelta:
        """What to add to the local clock; zero before the first answer and where the clocks may agree."""
        with self._lock:
            if self._bounds is None or self._bounds[0] <= _NONE <= self._bounds[1]:
                return _NONE
            return sum(self._bounds, _NONE) / 2

    def to_midnight(self) -> float | None:
        """Seconds until the account's next midnight, when its daily allowance begins anew; None without a zone."""
        if self.zone is None:
            return None
        try:
            zone = ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            return None
        now = self.now() + self.offset
        tomorrow = now.astimezone(zone).date() + timedelta(days=1)
        return (datetime.combine(tomorrow, time.min, zone) - now).total_seconds()

    def learn(self, date: str | None, sent_at: datetime) -> None:
        """Take in the `Date` header of an answer to a request sent at `sent_at`; one that can't be read is skipped."""
        if date is None:
            return
        received_at = self.now()
        try:
            stamped = parsedate_to_datetime(date)
        except ValueError:
            return
        if stamped.tzinfo is None:
            return
        least, most = stamped - received_at, stamped + _SECOND - sent_at
        with self._lock:
            known = self._bounds or (least, most)
            if known[0] <= most and least <= known[1]:
                least, most = max(least, known[0]), min(most, known[1])
            # Bounds that don't meet: one of the clocks was set, and what was known is void.
            self._bounds = (least, most)
