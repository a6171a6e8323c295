"""Delivers what is put in, in batches, by a few threads: at once, later, again. It knows no events and signs nothing.

Putting in costs next to nothing, for it happens under the portal's lock.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hubsync.sandbox.webhooks.line import Answer, Line, Outgoing

Pack = Callable[[Sequence[Any], int], Outgoing | None]
"""Items and attempt (from 0) → the request, built just before it goes out; None where there is nothing left to send."""

Verdict = Callable[[Answer, int, float], float | None]
"""Answer, attempt and seconds since the first one → seconds until the next attempt; None = no more."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One request that went out. `at` is real time (seconds since 1970), `ms` what the receiver took to answer."""

    number: int
    at: float
    request: Outgoing
    attempt: int
    answer: Answer
    ms: float
    again_in: float | None
    """Seconds until the next attempt; None where there is none."""

    @property
    def given_up(self) -> bool:
        """Not accepted, and not tried again."""
        return not self.answer.accepted and self.again_in is None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many: `put` items came in, `lost` never went out; the rest counts requests."""

    put: int
    lost: int
    sent: int
    accepted: int
    refused: int
    given_up: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How items become requests: up to `batch` of them, after `linger` seconds at most; `concurrency` at a time.

    `connect` and `answer` are time-outs in seconds; `per_second` caps the requests (None: no cap).
    """

    batch: int = 100
    linger: float = 0.05
    concurrency: int = 10
    connect: float = 5.0
    answer: float = 5.0
    per_second: float | None = None


@dataclass(slots=True)
class _Parcel:
    items: list[Any]
    attempt: int = 0
    first: float | None = None


class Courier:
    """Threads that deliver. `start` them, `put` items in, `drain`, `stop`."""

    def __init__(
        self,
        name: str,
        pack: Pack,
        verdict: Verdict,
        pace: Pace,
        *,
        batch_again: Callable[[], bool] = lambda: False,
        keep: int = 20_000,
    ) -> None:
        self.sendings: deque[Sending] = deque(maxlen=keep)
        self.lost: deque[Any] = deque(maxlen=keep)
        """Items that were lost on purpose."""
        self._name = name
        self._pack = pack
        self._verdict = verdict
        self._pace = pace
        self._batch_again = batch_again
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)
        self._idle = threading.Condition(self._lock)
        self._order = itertools.count()
        self._later: list[tuple[float, int, Any]] = []
        self._ready: deque[tuple[float, Any]] = deque()
        self._parcels: list[tuple[float, int, _Parcel]] = []
        self._in_flight = 0
        self._next_slot = 0.0
        self._stopped = False
        self._lines: list[Line] = []
        self._threads: list[threading.Thread] = []
        self._put = self._lost = self._sent = self._accepted = self._refused = self._given_up = 0

    def start(self) -> None:
        """Begin to deliver."""
        for place in range(self._pace.concurrency):
            line = Line(self._pace.connect, self._pace.answer)
            self._lines.append(line)
            name = f"{self._name}-{place}"
            self._threads.append(threading.Thread(target=self._deliver, args=(line,), name=name, daemon=True))
        for thread in self._threads:
            thread.start()

    def put(self, item: Any, departures: Sequence[float] = (0.0,)) -> None:
        """Deliver `item` that many seconds from now, once for each of `departures` (none: it is lost)."""
        now = time.monotonic()
        with self._lock:
            self._put += 1
            if not departures:
                self._lost += 1
                self.lost.append(item)
            for delay in departures:
                if delay > 0:
                    heapq.heappush(self._later, (now + delay, next(self._order), item))
                else:
                    self._ready.append((now, item))
            if self._later or len(self._ready) in (1, self._pace.batch):
                self._news.notify()

    def drain(self, timeout: float, *, hurry: bool = False) -> bool:
        """Wait until everything is delivered or given up; False after `timeout` seconds.

        With `hurry` what is held back goes out at once, and so do the retries that wait now.
        """
        with self._lock:
            if hurry:
                while self._later:
                    self._ready.append((0.0, heapq.heappop(self._later)[2]))
                self._parcels = [(0.0, order, parcel) for _, order, parcel in self._parcels]
                heapq.heapify(self._parcels)
                self._news.notify_all()
            return self._idle.wait_for(self._at_rest, timeout)

    def stop(self, timeout: float = 2.0) -> None:
        """Deliver nothing more, requests in flight are cut; what waited is dropped."""
        with self._lock:
            self._stopped = True
            self._news.notify_all()
            self._idle.notify_all()
        for line in self._lines:
            line.cut()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def tally(self) -> Tally:
        """What was done so far."""
        with self._lock:
            return Tally(self._put, self._lost, self._sent, self._accepted, self._refused, self._given_up)

    def _at_rest(self) -> bool:
        waiting = self._ready or self._later or self._parcels or self._in_flight
        return self._stopped or not waiting

    def _deliver(self, line: Line) -> None:
        try:
            while (parcel := self._take()) is not None:
                self._send(line, parcel)
        finally:
            line.close()

    def _take(self) -> _Parcel | None:
        """The next parcel that is due; None once stopped."""
        with self._lock:
            while not self._stopped:
                now = time.monotonic()
                wait = self._next_slot - now
                if wait <= 0:
                    parcel, wait = self._due_parcel(now)
                    if parcel is not None:
                        self._in_flight += 1
                        if self._pace.per_second:
                            self._next_slot = now + 1 / self._pace.per_second
                        if self._ready or self._parcels or self._later:
                            self._news.notify()  # somebody else must watch what is left
                        return parcel
                self._news.wait(wait)
            return None

    def _due_parcel(self, now: float) -> tuple[_Parcel | None, float]:
        """A parcel, or how long there will be none (seconds)."""
        if self._parcels and self._parcels[0][0] <= now:
            return heapq.heappop(self._parcels)[2], 0.0
        while self._later and self._later[0][0] <= now:
            due, _, item = heapq.heappop(self._later)
            self._ready.append((due, item))
        turns = [heap[0][0] for heap in (self._parcels, self._later) if heap]
        if self._ready:
            full = self._ready[0][0] + self._pace.linger
            if len(self._ready) >= self._pace.batch or full <= now:
                items = [self._ready.popleft()[1] for _ in range(min(len(self._ready), self._pace.batch))]
                if self._batch_again():
                    heapq.heappush(self._parcels, (now, next(self._order), _Parcel(items)))
                return _Parcel(items), 0.0
            turns.append(full)
        return None, min(turns, default=now + 60.0) - now

    def _send(self, line: Line, parcel: _Parcel) -> None:
        again: float | None = None
        try:
            request = self._pack(parcel.items, parcel.attempt)
            if request is None:
                return
            at, started = time.time(), time.monotonic()
            parcel.first = started if parcel.first is None else parcel.first
            answer = line.exchange(request)
            now = time.monotonic()
            again = self._verdict(answer, parcel.attempt, now - parcel.first)
            self._record(at, (now - started) * 1000, request, parcel.attempt, answer, again)
        finally:
            with self._lock:
                self._in_flight -= 1
                if again is not None and not self._stopped:
                    parcel.attempt += 1
                    heapq.heappush(self._parcels, (time.monotonic() + again, next(self._order), parcel))
                    self._news.notify()
                if self._at_rest():
                    self._idle.notify_all()

    def _record(
        self, at: float, ms: float, request: Outgoing, attempt: int, answer: Answer, again: float | None
    ) -> None:
        with self._lock:
            if self._stopped:
                return
            self._sent += 1
            self._accepted += answer.accepted
            self._refused += not answer.accepted
            self._given_up += not answer.accepted and again is None
            self.sendings.append(Sending(self._sent, at, request, attempt, answer, ms, again))
