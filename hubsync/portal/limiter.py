"""How fast hubsync may call one portal, whichever threads ask: as fast as HubSpot allows, and never faster.

HubSpot counts requests as they *arrive* in a window that rolls. We see when a request left and when its answer came,
and the arrival lies somewhere between. A request therefore frees its place one interval after its *answer*: then
jitter can't squeeze two bursts into one of HubSpot's windows. Calls are spread rather than sent in bursts, so that an
interactive call never waits for a window to empty.

Others may use the same token. What they use is what HubSpot's `Remaining` says beyond our own count; it is taken from
our share, with room for their growth. No HTTP here: the transport tells what was sent and what came back.
"""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from hubsync.errors import PortalTemporaryError, RateLimited

TEN_SECONDS = 10.0
DEFAULT_ALLOWANCE = 100  # the smallest allowance of any plan, until an answer's headers tell the portal's own
SEARCHES_PER_SECOND = 5
SLACK = 0.05  # seconds a place is kept longer: HubSpot's clock ticks in its own steps
MARGIN = 1 / 100  # of the allowance, left unused
FLOOR = 1 / 20  # of the allowance: what we take even where others would take everything
SEEN_FOR = 2.0  # seconds over which observations of other consumers are averaged
REMEMBERED_FOR = 30.0  # seconds in which room kept for them is given up: who comes in bursts comes again
CREDIT_SEEN_FOR = 1.0  # seconds for which the last Remaining binds; after that one call may find out
DAY_SEEN_FOR = 600.0  # seconds after which a low daily remainder is looked at again: it is refilled at midnight


class Lane(IntEnum):
    """Who goes first: a person or an event that waits, before work in bulk."""

    INTERACTIVE = 0
    BULK = 1


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to send one request, given at `sent` (seconds of the limiter's clock)."""

    number: int
    sent: float
    search: bool


class RollingWindow:
    """At most `allowed` requests in any `seconds`, spread beyond a burst of `burst` (a share of `allowed`).

    Not safe by itself for several threads: `Limiter` holds the lock.
    """

    def __init__(self, allowed: int, seconds: float, *, burst: float, margin: float = 0.0) -> None:
        self.allowed = allowed
        self.seconds = seconds
        self._burst = burst
        self._margin = margin
        self._in_flight: dict[int, float] = {}
        self._releases: deque[float] = deque()
        self._arrivals: list[float] = []
        self._others: deque[tuple[float, float]] = deque(maxlen=50)
        self._remembered = 0.0
        self._peak = (0.0, 0.0)  # most that others were seen to use lately, and when
        self._paced_to = 0.0
        self._latency = 0.0
        self._credit: tuple[float, float, float] | None = None  # calls left, arrival that told so, when seen

    @property
    def budget(self) -> int:
        """Requests per window that are ours: the allowance less the margin and what others use."""
        others = max(self.others, self._remembered)
        room = others + others / 10 + 2 if others >= 1 else 0.0
        share = self.allowed - self.allowed * self._margin - room
        return max(1, int(self.allowed * FLOOR), int(share))

    @property
    def others(self) -> float:
        """Requests per window of other consumers of the same allowance, as lately observed."""
        return sum(used for _, used in self._others) / len(self._others) if self._others else 0.0

    def used(self, now: float) -> float:
        """Share of the allowance that is taken now, by us and, as lately observed, by others."""
        self._forget(now)
        return (len(self._in_flight) + len(self._releases) + self.others) / self.allowed

    def wait(self, now: float) -> float:
        """Seconds until a request may be sent; 0 for at once."""
        self._forget(now)
        releases, budget = self._releases, self.budget
        if len(self._in_flight) + len(releases) >= budget:
            return releases[0] - now if releases else self.seconds / budget
        if self._credit is not None and self._credit[0] < 1 + self.others / 20:
            return self.seconds / budget
        ahead = self._paced_to - now
        return max(0.0, ahead - self._burst * self.seconds)

    def sent(self, number: int, now: float) -> None:
        """Request `number` is on its way."""
        self._in_flight[number] = now
        self._spend(1)
        self._paced_to = max(self._paced_to, now) + self.seconds / self.budget

    def answered(self, number: int, now: float, remaining: int | None) -> None:
        """Request `number` was answered, or failed. `remaining` as HubSpot's header says, None without one."""
        sent = self._in_flight.pop(number)
        self._releases.append(now + self.seconds + SLACK)
        arrival = (sent + now) / 2
        insort(self._arrivals, arrival)
        del self._arrivals[: bisect_right(self._arrivals, now - 2 * self.seconds)]
        if remaining is not None:
            self._observe(arrival, now, remaining)
        self._latency = now - sent

    def pause(self, until: float) -> None:
        """Begin again after a pause slowly, without a burst."""
        self._paced_to = max(self._paced_to, until + self._burst * self.seconds)

    def _observe(self, arrival: float, now: float, remaining: int) -> None:
        """Learn from `remaining` what others used, and what was left after all that we sent since."""
        earlier = bisect_right(self._arrivals, arrival)
        counted = earlier - bisect_right(self._arrivals, arrival - self.seconds)
        overtaken = sum(1 for sent in self._in_flight.values() if sent + self._latency / 2 <= arrival)
        self._others.append((now, max(0.0, self.allowed - remaining - counted - overtaken)))
        if self._credit is None or arrival >= self._credit[1]:
            since = len(self._arrivals) - earlier + len(self._in_flight) - overtaken
            self._credit = (remaining - since, arrival, now)

    def _forget(self, now: float) -> None:
        """Give back the places whose time is over, and drop what was seen too long ago."""
        while self._releases and self._releases[0] <= now:
            self._releases.popleft()
            self._spend(-1)
        while self._others and self._others[0][0] < now - SEEN_FOR:
            self._others.popleft()
        most, at = self._peak
        self._remembered = most * max(0.0, 1 - (now - at) / REMEMBERED_FOR)
        if self.others >= self._remembered:
            self._peak, self._remembered = (self.others, now), self.others
        if self._credit is not None and self._credit[2] <= now - CREDIT_SEEN_FOR:
            self._credit = None

    def _spend(self, calls: int) -> None:
        if self._credit is not None:
            left, arrival, seen = self._credit
            self._credit = (left - calls, arrival, seen)


class Limiter:
    """One portal's allowance, shared by all threads that call it.

    `clock` gives seconds that never go back; `sleep` waits. Each `acquire` is followed by one `answered`.
    `daily_reserve` is the share of the day's allowance that bulk work leaves to the account's other apps.
    """

    def __init__(
        self, clock: Callable[[], float], sleep: Callable[[float], None], *, daily_reserve: float = 0.05
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._daily_reserve = daily_reserve
        self._lock = threading.Lock()
        self._window = RollingWindow(DEFAULT_ALLOWANCE, TEN_SECONDS, burst=0.1, margin=MARGIN)
        self._searches = RollingWindow(SEARCHES_PER_SECOND, 1.0, burst=1.0)
        self._paused_until = 0.0
        self._searches_paused_until = 0.0
        self._urgent = [0, 0]  # interactive callers that wait: for a request, for a search
        self._number = 0
        self._latency = 0.0
        self._day: tuple[int, int, float] | None = None  # allowance, remaining, when seen
        self._day_spent_until = 0.0

    @property
    def allowance(self) -> int:
        """Requests per ten seconds that HubSpot grants, as learned."""
        return self._window.allowed

    @property
    def budget(self) -> int:
        """Requests per ten seconds that we take now."""
        return self._window.budget

    @property
    def used(self) -> float:
        """Share of the ten-second allowance that is taken now, by us and by others."""
        with self._lock:
            return self._window.used(self._clock())

    @property
    def latency(self) -> float:
        """Seconds that a call takes lately (smoothed), 0 before the first answer."""
        return self._latency

    def acquire(self, lane: Lane, *, search: bool = False, deadline: float = float("inf")) -> Ticket:
        """Wait for leave to send one request.

        Raises RateLimited(daily=True) where the day's allowance is spent (for bulk: down to the reserve), and
        PortalTemporaryError where HubSpot asked for a pause that reaches past `deadline`.
        """
        urgent = 1 if lane is Lane.INTERACTIVE else 0
        with self._lock:
            self._urgent[search] += urgent
        try:
            while True:
                with self._lock:
                    now = self._clock()
                    self._refuse(lane, now, search, deadline)
                    wait = self._wait(lane, now, search)
                    if wait <= 0:
                        return self._issue(now, search)
                self._sleep(wait)
        finally:
            with self._lock:
                self._urgent[search] -= urgent

    def answered(self, ticket: Ticket, headers: Mapping[str, str] | None = None) -> None:
        """The request of `ticket` came back with `headers`; None where no answer came."""
        headers = headers or {}
        with self._lock:
            now = self._clock()
            took = now - ticket.sent
            self._latency = took if not self._latency else 0.9 * self._latency + 0.1 * took
            self._learn_day(headers, now)
            if ticket.search:
                self._searches.answered(ticket.number, now, None)
                return
            allowed = _number(headers, "X-HubSpot-RateLimit-Max")
            if allowed:
                self._window.allowed = allowed
                interval = _number(headers, "X-HubSpot-RateLimit-Interval-Milliseconds")
                self._window.seconds = interval / 1000 if interval else TEN_SECONDS
            self._window.answered(ticket.number, now, _number(headers, "X-HubSpot-RateLimit-Remaining"))

    def pause(self, seconds: float, *, search: bool = False) -> None:
        """HubSpot asked for a pause: no request (for `search`: no search) leaves for `seconds`, whoever asks."""
        with self._lock:
            until = self._clock() + seconds
            if search:
                self._searches_paused_until = max(self._searches_paused_until, until)
                self._searches.pause(self._searches_paused_until)
            else:
                self._paused_until = max(self._paused_until, until)
                self._window.pause(self._paused_until)

    def day_spent(self, seconds: float) -> None:
        """The day's allowance is spent: refuse everything for `seconds`."""
        with self._lock:
            self._day_spent_until = max(self._day_spent_until, self._clock() + seconds)

    def _issue(self, now: float, search: bool) -> Ticket:
        self._number += 1
        ticket = Ticket(self._number, now, search)
        (self._searches if search else self._window).sent(ticket.number, now)
        if self._day is not None:
            allowance, remaining, seen = self._day
            self._day = (allowance, remaining - 1, seen)
        return ticket

    def _wait(self, lane: Lane, now: float, search: bool) -> float:
        paused = max(self._paused_until, self._searches_paused_until if search else 0.0)
        if paused > now:
            return paused - now
        window = self._searches if search else self._window
        if lane is Lane.BULK and self._urgent[search]:
            return max(0.001, window.seconds / window.budget)
        return window.wait(now)

    def _refuse(self, lane: Lane, now: float, search: bool, deadline: float) -> None:
        if self._day_spent_until > now:
            raise RateLimited(
                "HubSpot's allowance for today is spent; it is refilled at midnight of the account's time zone.",
                retry_after=self._day_spent_until - now,
                daily=True,
            )
        if self._day is not None and lane is Lane.BULK:
            allowance, remaining, seen = self._day
            if remaining <= allowance * self._daily_reserve and now - seen < DAY_SEEN_FOR:
                raise RateLimited(
                    f"{remaining} of the {allowance} calls that HubSpot allows this account today are left; "
                    "they are kept for other apps and for urgent work. Go on after the account's midnight.",
                    retry_after=DAY_SEEN_FOR,
                    daily=True,
                )
        paused = max(self._paused_until, self._searches_paused_until if search else 0.0)
        if paused > deadline:
            raise PortalTemporaryError(f"HubSpot asks to wait {paused - now:.0f} s. Try again after that.")

    def _learn_day(self, headers: Mapping[str, str], now: float) -> None:
        allowance = _number(headers, "X-HubSpot-RateLimit-Daily")
        remaining = _number(headers, "X-HubSpot-RateLimit-Daily-Remaining")
        if allowance and remaining is not None:
            self._day = (allowance, remaining, now)


def _number(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name, "")
    return int(value) if value.isascii() and value.isdigit() else None
