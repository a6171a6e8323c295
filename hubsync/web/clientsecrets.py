"""The client secrets a signature may be made with, read again when one doesn't hold (design 5, rotation)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hubsync.errors import HubsyncError
from hubsync.service.health import Health

AT_MOST_EVERY = 1.0
"""Seconds between two readings, however many signatures don't hold."""
PROBLEM = "client secret"
"""The name under which health hears of the one that has no name; others are `client secret of NAME`."""


class ClientSecrets:
    """Keeps what `source` gave last; `source` raises a HubsyncError where it can't. `clock` gives seconds.

    `missing` is said to health while there is no secret, unless it is empty. `name` is that of the app.
    """

    def __init__(
        self,
        source: Callable[[], Sequence[str]],
        health: Health,
        clock: Callable[[], float],
        missing: str,
        name: str = "",
    ) -> None:
        self._source = source
        self._health = health
        self._clock = clock
        self._missing = missing
        self._problem = f"{PROBLEM} of {name}" if name else PROBLEM
        self._read_at = clock()
        self.current = self._read(())

    def refresh(self) -> bool:
        """Read again, unless that was done within the last second; whether there are other secrets now."""
        now = self._clock()
        if now - self._read_at < AT_MOST_EVERY:
            return False
        self._read_at, before = now, self.current
        self.current = self._read(before)
        return self.current != before

    def _read(self, before: tuple[str, ...]) -> tuple[str, ...]:
        try:
            secrets = tuple(secret for secret in self._source() if secret)
        except HubsyncError as error:
            self._health.say(self._problem, f"The client secret can't be read; webhooks go by the former one. {error}")
            return before
        if secrets or not self._missing:
            self._health.clear(self._problem)
        else:
            self._health.say(self._problem, self._missing)
        return secrets
