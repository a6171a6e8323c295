"""HubSpot's limits as it applies them (hubspot-api.md 9): rolling ten seconds, five searches a second, one day.

Windows run on `timer` (real seconds by default), the day on the portal's clock in the portal's zone.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from hubsync.sandbox.clock import SandboxClock
from hubsync.sandbox.http.people import next_midnight

ALL_SCOPES = frozenset(
    f"crm.{family}.{kind}.{right}"
    for family in ("objects", "schemas")
    for kind in ("contacts", "companies", "deals")
    for right in ("read", "write")
) | {
    "crm.objects.owners.read",
    "crm.objects.users.read",
    "sales-email-read",
    "settings.users.read",
    "settings.users.teams.read",
}


class Window:
    """At most `limit` requests in any `seconds`. Not safe by itself: `Limits` holds the lock."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._taken: deque[float] = deque()

    def take(self, now: float) -> bool:
        """Count a request at `now`; False where the window is full (it isn't counted then)."""
        self._forget(now)
        if len(self._taken) >= self.limit:
            return False
        self._taken.append(now)
        return True

    def remaining(self, now: float) -> int:
        """How many more would pass at `now`."""
        self._forget(now)
        return self.limit - len(self._taken)

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0] <= now - self.seconds:
            self._taken.popleft()


@dataclass(slots=True)
class Consumer:
    """A token: what the journal calls it, what it may do, and whose window it draws on."""

    label: str
    window: Window
    scopes: Collection[str] = field(default_factory=lambda: ALL_SCOPES)


class Limits:
    """The limits of one portal. `take` answers the policy that refuses a request, or None."""

    def __init__(
        self,
        clock: SandboxClock,
        time_zone: str,
        timer: Callable[[], float],
        *,
        daily: int = 625_000,
        searches: int = 5,
    ) -> None:
        self.daily = daily
        self.used = 0
        self.refused = 0
        self.searches = Window(searches, 1.0)
        self._clock = clock
        self._zone = time_zone
        self._timer = timer
        self._lock = threading.Lock()
        self.resets_at: datetime = next_midnight(clock.now(), time_zone)

    def take(self, consumer: Consumer, *, search: bool) -> tuple[str | None, dict[str, str]]:
        """Count a request: the refusing policy (SEARCH, TEN_SECONDLY_ROLLING, DAILY) or None, and the headers."""
        with self._lock:
            now = self._timer()
            refused = self._refusal(consumer, now, search=search)
            if refused:
                self.refused += 1
            else:
                self.used += 1
            return refused, {} if search else self._headers(consumer.window, now)

    def _refusal(self, consumer: Consumer, now: float, *, search: bool) -> str | None:
        if self._clock.now() >= self.resets_at:
            self.used = 0
            self.resets_at = next_midnight(self._clock.now(), self._zone)
        if self.used >= self.daily:
            return "DAILY"
        if search:
            return None if self.searches.take(now) else "SEARCH"
        return None if consumer.window.take(now) else "TEN_SECONDLY_ROLLING"

    def _headers(self, window: Window, now: float) -> dict[str, str]:
        left = window.remaining(now)
        per_second = max(1, window.limit // 10)
        return {
            "X-HubSpot-RateLimit-Max": str(window.limit),
            "X-HubSpot-RateLimit-Remaining": str(left),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(window.seconds * 1000)),
            "X-HubSpot-RateLimit-Daily": str(self.daily),
            "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, self.daily - self.used)),
            "X-HubSpot-RateLimit-Secondly": str(per_second),
            "X-HubSpot-RateLimit-Secondly-Remaining": str(min(per_second, left)),
        }
