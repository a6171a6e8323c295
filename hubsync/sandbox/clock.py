"""The portal's clock: it can be moved, so that ninety days pass in a test. It must not be used to measure real time."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class SandboxClock:
    """A clock that runs in real time from `start` (default: the real present), or stands still when `frozen`.

    `start` must carry a zone. Moving back is allowed; histories then refuse acts older than what they hold. Any thread
    may read it while others move it.
    """

    def __init__(self, start: datetime | None = None, *, frozen: bool = False) -> None:
        self._lock = threading.RLock()
        self._frozen = frozen
        self.set(start or datetime.now(UTC))

    def now(self) -> datetime:
        """The portal's present moment, in UTC."""
        base, started = self._anchor
        if self._frozen:
            return base
        return base + timedelta(seconds=time.monotonic() - started)

    def advance(self, by: timedelta) -> None:
        """Move the clock by `by`."""
        with self._lock:
            self.set(self.now() + by)

    def set(self, moment: datetime) -> None:
        """Move the clock to `moment`. Raises ValueError for a moment without zone."""
        if moment.tzinfo is None:
            raise ValueError("the sandbox clock needs a moment with a time zone")
        with self._lock:
            self._anchor = moment.astimezone(UTC), time.monotonic()

    def freeze(self) -> None:
        """Stand still until moved or thawed."""
        with self._lock:
            self.set(self.now())
            self._frozen = True

    def thaw(self) -> None:
        """Run in real time again."""
        with self._lock:
            self.set(self._anchor[0])
            self._frozen = False
