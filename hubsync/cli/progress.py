"""How far a long run has come: a bar on a terminal once it takes longer than two seconds, nothing in a log or a pipe.

Always on stderr, so that what a command says on stdout stays clean.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

APPEARS_AFTER = 2.0
"""Seconds before a bar is shown: what is done sooner needs none."""
LINE_EVERY = 10.0
"""Seconds between two plain lines."""


class Progress:
    """Counts one thing being done. Made by `progress`; `advance` may be called from one thread."""

    def __init__(
        self, what: str, total: int | None, *, stream: TextIO, lines: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.what = what
        self.total = total
        self.done = 0
        self._stream = stream
        self._clock = clock
        self._bar: Bar | None = None
        self._lines = lines
        self._on_terminal = stream.isatty()
        self._next = clock() + (APPEARS_AFTER if self._on_terminal else LINE_EVERY)

    def advance(self, count: int = 1, *, total: int | None = None) -> None:
        """Count `count` more done; `total` corrects what was expected, as when contacts appear meanwhile."""
        self.done += count
        self.total = total if total is not None else self.total
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self.done, total=self.total)
        elif self._clock() >= self._next:
            if self._on_terminal:
                self._show()
            elif self._lines:
                of = f" of {self.total:,}" if self.total is not None else ""
                print(f"{self.what}: {self.done:,}{of}", file=self._stream, flush=True)
                self._next = self._clock() + LINE_EVERY

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None:
            self._bar.stop()

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(file=self._stream),
            transient=True,
        )
        self._bar.add_task(self.what, completed=self.done, total=self.total)
        self._bar.start()


@contextlib.contextmanager
def progress(
    what: str,
    total: int | None = None,
    *,
    verbose: bool = False,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Progress]:
    """Show how far `what` has come, of `total` where that is known.

    On a terminal a bar appears after two seconds and goes when it is done. Elsewhere nothing is told, or with
    `verbose` a plain line every ten seconds.
    """
    shown = Progress(what, total, stream=stream if stream is not None else sys.stderr, lines=verbose, clock=clock)
    try:
        yield shown
    finally:
        shown.close()
