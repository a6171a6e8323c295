"""What is wrong with the running service, in words: said by whoever notices, read by /readyz, the page and alerts."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger()


class Health:
    """Named problems, each with a sentence that says what and what to do. Safe for any number of threads.

    `on_change(name, problem)` is told of each problem that is new or says something new; None: it is over. It is told
    in the order in which it happened, so it must not wait for anything.
    """

    def __init__(self, on_change: Callable[[str, str | None], None] = lambda _name, _problem: None) -> None:
        self._on_change = on_change
        self._problems: dict[str, str] = {}
        self._lock = threading.RLock()

    def say(self, name: str, problem: str) -> None:
        """Something is wrong, until it is cleared."""
        with self._lock:
            before = self._problems.get(name)
            if before == problem:
                return
            self._problems[name] = problem
            if before is None:
                log.warning("problem.began", problem=name, reason=problem)
            else:
                log.info("problem.changed", problem=name, reason=problem)
            self._on_change(name, problem)

    def clear(self, name: str) -> None:
        """It is well again; nothing happens where it was."""
        with self._lock:
            if self._problems.pop(name, None) is not None:
                log.info("problem.ended", problem=name)
                self._on_change(name, None)

    def problems(self) -> dict[str, str]:
        """Everything that is wrong now, by name."""
        with self._lock:
            return dict(self._problems)
