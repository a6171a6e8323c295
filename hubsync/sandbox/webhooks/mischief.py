"""What happens to events on their way: doubled, late, held back, lost. Seeded, so that it can be repeated."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import TypeVar

Item = TypeVar("Item")
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Mischief:
    """Shares are between 0 and 1, spans in real seconds. The default only mixes the order within a batch."""

    seed: int = 0
    lost: float = 0.0
    """Share of events that are never sent."""
    doubled: float = 0.0
    """Share of events that are sent once more, `delay` later."""
    delayed: float = 0.0
    """Share of events that come `delay` late, so that later ones overtake them."""
    delay: Span = (0.1, 2.0)
    held: float = 0.0
    """Share of events that are held back for `held_for`."""
    held_for: Span = (60.0, 300.0)
    doubled_batches: float = 0.0
    """Share of batches that are sent a second time, whatever was answered to the first."""
    mixed: bool = True
    """Batches mix the order of their events."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "float" and not 0 <= value <= 1:
                raise ValueError(f"{field.name} is a share between 0 and 1, not {value}")
            if field.type == "Span" and not 0 <= value[0] <= value[1]:
                raise ValueError(f"{field.name} is a span of seconds (from, to), not {value}")


class Fate:
    """Decides, event by event, in the order of their happening; equal seeds and acts give equal fates."""

    def __init__(self, mischief: Mischief) -> None:
        self.mischief = mischief
        self._events = Random(f"events {mischief.seed}")
        self._batches = Random(f"batches {mischief.seed}")
        self._lock = threading.Lock()

    def departures(self) -> list[float]:
        """Seconds after which an event is sent, once for each time: [] = lost, [0.0] = once and at once."""
        chance, mischief = self._events.random, self.mischief
        with self._lock:
            if chance() < mischief.lost:
                return []
            first = 0.0
            if chance() < mischief.held:
                first = self._events.uniform(*mischief.held_for)
            elif chance() < mischief.delayed:
                first = self._events.uniform(*mischief.delay)
            if chance() < mischief.doubled:
                return [first, first + self._events.uniform(*mischief.delay)]
            return [first]

    def batch_again(self) -> bool:
        """Whether a batch is sent twice."""
        with self._lock:
            return self._batches.random() < self.mischief.doubled_batches

    def order(self, items: Sequence[Item]) -> list[Item]:
        """A batch in the order in which it is sent."""
        mixed = list(items)
        if self.mischief.mixed:
            with self._lock:
                self._batches.shuffle(mixed)
        return mixed

    def spread(self) -> float:
        """A factor between ½ and 1½ for the time until a retry."""
        with self._lock:
            return self._batches.uniform(0.5, 1.5)
