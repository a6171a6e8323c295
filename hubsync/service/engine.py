"""Who calls the worker of a portal, and when: the engine port, and the engine of one process (design 5).

An engine keeps no work. What is to be done stands in the database; a worker does a stretch of it when it is called and
says when it wants to be called again. So a wake that is lost costs a second, never a contact.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

log = structlog.get_logger()

AFTER_FAILING = 5.0
"""Seconds until a stretch that raised is tried again."""
Stretch = Callable[[], float]
"""Does some of what is due for a portal; seconds until it wants to be called again, 0 where more is waiting."""


class Engine(Protocol):
    """The port. Never two stretches of one portal at a time; those of different portals beside one another."""

    def wake(self, portal: int) -> None:
        """Something is due now. Any thread may say so, at any time, and saying it twice does no harm."""

    def run(self) -> None:
        """Work until `shutdown`. Called once."""

    def shutdown(self, within: float) -> bool:
        """Begin no stretch any more, wait for those that run; whether all ended within so many seconds."""


class InProcess:
    """The engine of one process: a thread for each portal."""

    def __init__(self, stretches: Mapping[int, Stretch]) -> None:
        self._stretches = dict(stretches)
        self._woken = {portal: threading.Event() for portal in stretches}
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(portal,), name=f"hubsync-worker-{portal}", daemon=True)
            for portal in stretches
        ]

    def wake(self, portal: int) -> None:
        """As the port says."""
        self._woken[portal].set()

    def run(self) -> None:
        """As the port says; the calling thread only waits."""
        for thread in self._threads:
            thread.start()
        self._stopping.wait()

    def shutdown(self, within: float) -> bool:
        """As the port says."""
        self._stopping.set()
        for woken in self._woken.values():
            woken.set()
        end = time.monotonic() + within
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, portal: int) -> None:
        woken = self._woken[portal]
        while not self._stopping.is_set():
            woken.clear()
            try:
                pause = self._stretches[portal]()
            except Exception as error:
                log.error("stretch.failed", portal=portal, exc_info=error)
                pause = AFTER_FAILING
            if pause > 0:
                woken.wait(pause)
