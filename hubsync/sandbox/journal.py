"""What happened in the portal: every request and every effective write, bounded in memory. It decides nothing.

Whoever listens is told of each write at once, and of what isn't kept: associations, merges, derived values.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
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


@dataclass(frozen=True, slots=True)
class Linked:
    """One association type from one record to another was added or `removed`; the way back is another one."""

    kind: str
    id: str
    to_kind: str
    to_id: str
    type_id: int
    removed: bool
    source: Source
    at: int


@dataclass(frozen=True, slots=True)
class Merged:
    """Contact `other` went into `primary`; both live on as `survivor`. `moved` counts the values taken over."""

    primary: str
    other: str
    survivor: str
    moved: int
    source: Source
    at: int


Happening = Write | Linked | Merged
"""What listeners are told. A derived value comes as a `Write` whose source is CALCULATED."""


class Journal:
    """The last `limit` requests and writes (None: all of them). Calculated values aren't recorded as writes."""

    def __init__(self, limit: int | None = 200_000) -> None:
        self.requests: deque[Request] = deque(maxlen=limit)
        self.writes: deque[Write] = deque(maxlen=limit)
        self.recording = True
        self.listeners: tuple[Callable[[Happening], None], ...] = ()
        """Called in the order of what happens, under the portal's lock: they must be quick."""
        self.request_count = 0
        self._lock = threading.Lock()

    def write(self, entry: Write) -> None:
        """Record an effective change."""
        if self.recording:
            self.writes.append(entry)
            self.tell(entry)

    def tell(self, happening: Happening) -> None:
        """Tell the listeners, and keep nothing."""
        if self.recording:
            for listener in self.listeners:
                listener(happening)

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
        """Record no writes and tell nobody meanwhile (mass seeding)."""
        before, self.recording = self.recording, False
        try:
            yield
        finally:
            self.recording = before
