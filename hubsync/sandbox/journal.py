"""What happened in the portal: every request and every effective write, bounded in memory. It decides nothing."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hubsync.sandbox.records import Source


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as served. `at` in portal milliseconds; `ms` is real time spent; `written` the ids written."""

    number: int
    method: str
    path: str
    status: int
    at: int
    ms: float
    token: str
    written: tuple[str, ...] = ()
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One effective change. A creation, deletion or merge has `property` "" and says so in `after`."""

    kind: str
    id: str
    property: str
    before: str
    after: str
    source: Source
    at: int


class Journal:
    """The last `limit` requests and writes (None: all of them). Calculated values aren't recorded as writes."""

    def __init__(self, limit: int | None = 200_000) -> None:
        self.requests: deque[Request] = deque(maxlen=limit)
        self.writes: deque[Write] = deque(maxlen=limit)
        self.recording = True
        self.request_count = 0
        self._lock = threading.Lock()

    def write(self, entry: Write) -> None:
        """Record an effective change."""
        if self.recording:
            self.writes.append(entry)

    def request(
        self,
        method: str,
        path: str,
        status: int,
        at: int,
        ms: float,
        token: str,
        written: tuple[str, ...],
        fault: str | None,
    ) -> None:
        """Record a served request."""
        with self._lock:
            self.request_count += 1
            self.requests.append(Request(self.request_count, method, path, status, at, ms, token, written, fault))

    def clear(self) -> None:
        """Forget everything recorded so far (between two parts of a test)."""
        self.requests.clear()
        self.writes.clear()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Record no writes meanwhile (mass seeding)."""
        before, self.recording = self.recording, False
        try:
            yield
        finally:
            self.recording = before
