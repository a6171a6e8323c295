"""How the modules of this package put questions: one lane, one transport, several at once where that helps.

It knows nothing of what is asked. Threads are kept to those that the portal's latency and allowance make useful.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from hubsync.portal.answers import Answer
from hubsync.portal.limiter import Lane
from hubsync.portal.transport import READS, Manner, Transport

T = TypeVar("T")
S = TypeVar("S")


class Asker:
    """A transport, the lane its calls go in, and the threads that carry calls made at once."""

    def __init__(self, transport: Transport, lane: Lane, threads: ThreadPoolExecutor) -> None:
        self.transport = transport
        self.lane = lane
        self._threads = threads

    def ask(
        self,
        call: Callable[..., Any],
        *arguments: object,
        decode: Callable[[Answer], T],
        manner: Manner = READS,
        **named: object,
    ) -> T:
        """As `Transport.ask`, in this asker's lane."""
        return self.transport.ask(call, *arguments, decode=decode, manner=manner, lane=self.lane, **named)

    def begin(self, function: Callable[[], T]) -> Future[T]:
        """Begin one call beside others."""
        return self._threads.submit(function)

    def each(self, function: Callable[[S], T], items: Iterable[S]) -> Iterator[T]:
        """`function` of each item, in order, some at once. The first error ends it; what has not begun is not done.

        `function` must not call `each` itself: it would wait for threads that it holds.
        """
        pending: deque[Future[T]] = deque()
        rest = iter(items)
        try:
            while True:
                room = self.transport.in_flight - len(pending)
                pending.extend(self._threads.submit(function, item) for item in islice(rest, max(0, room)))
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def chunks(items: Sequence[S], size: int) -> list[Sequence[S]]:
    """`items` in pieces of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]
