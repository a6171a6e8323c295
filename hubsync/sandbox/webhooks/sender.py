"""What the two senders share: they listen to the portal while they run, and say what became of what they sent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from hubsync.sandbox.journal import Happening
from hubsync.sandbox.state import Portal
from hubsync.sandbox.webhooks.courier import Courier, Sending, Tally


class Sender(ABC):
    """Sends what happens in `portal` to `url`."""

    def __init__(self, portal: Portal, url: str, courier: Courier) -> None:
        self.portal = portal
        self.url = url
        self.courier = courier

    @abstractmethod
    def hear(self, happening: Happening) -> None:
        """Queue what is to be sent of a happening. Called under the portal's lock."""

    @property
    @abstractmethod
    def lost(self) -> Sequence[Any]:
        """What was lost on purpose: events, or ids of contacts."""

    @property
    def sendings(self) -> list[Sending]:
        """The last requests that went out, oldest first."""
        return list(self.courier.sendings)

    @property
    def tally(self) -> Tally:
        """How much was sent, lost and given up."""
        return self.courier.tally()

    def start(self) -> None:
        """Listen and send."""
        self.courier.start()
        with self.portal.lock:
            self.portal.journal.listeners += (self.hear,)

    def drain(self, timeout: float = 10.0, *, hurry: bool = False) -> bool:
        """Wait until everything was delivered or given up; False after `timeout` seconds.

        With `hurry` what is held back, and what waits for a retry, goes out at once.
        """
        return self.courier.drain(timeout, hurry=hurry)

    def stop(self) -> None:
        """Listen no more; cut what is in flight, drop what waits."""
        with self.portal.lock:
            self.portal.journal.listeners = tuple(each for each in self.portal.journal.listeners if each != self.hear)
        self.courier.stop()
