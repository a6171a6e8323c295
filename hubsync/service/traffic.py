"""Webhooks first: whoever works through hundreds of contacts lets requests pass in between.

Python runs one thread at a time, and a thread that computes gives its turn back late. HubSpot waits for its answer, the
contacts of a batch don't.
"""

from __future__ import annotations

import time

TURN = 0.001
"""Seconds of the processor after which whoever works gives way: about two requests."""
SHARE = 5.0
"""So much longer than its turn it waits, so that a sixth of the processor is left to it while webhooks pour in."""
LONGEST = 0.05
"""Seconds of waiting, however long the turn was."""


class Traffic:
    """How many requests are under way. Counted by the event loop alone; one thread works beside it."""

    def __init__(self) -> None:
        self.under_way = 0
        self._began = 0.0

    def give_way(self) -> None:
        """Let requests pass, where there are any and some work was done since. For the thread that works alone."""
        worked = time.thread_time() - self._began
        if worked < TURN:
            return
        if self.under_way:
            time.sleep(min(worked * SHARE, LONGEST))
        self._began = time.thread_time()
