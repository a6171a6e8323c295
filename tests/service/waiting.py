"""Waiting in tests for what another thread brings about: in short naps, never for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 30.0
"""Seconds: as long as a busy machine may need."""


def eventually(happened: Callable[[], bool]) -> bool:
    """Whether it happens within PATIENCE."""
    end = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True
