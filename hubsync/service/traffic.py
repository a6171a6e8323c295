"""Webhooks first: whoever works through hundreds of contacts lets requests pass in between.

Python runs one thread at a time, and a thread that computes gives its turn back late. HubSpot waits for its answer, the
contacts of a batch don't.
"""

from __future__ import annotations

import time

PAUSE = 0.0005
"""Seconds: about as long as a request takes of the processor, or a decision."""


class Traffic:
    """How many requests are under way. Counted by the event loop alone."""

    def __init__(self) -> None:
        self.under_way = 0

    def give_way(self) -> None:
        """Let requests pass, where there are any. For threads that work, never for the event loop."""
        if self.under_way:
            time.sleep(PAUSE)
