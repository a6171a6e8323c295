"""Several chains of list pages side by side, over pieces of the id range.

A chain that has finished its piece takes half of what the longest chain has before it, so that however unevenly the
ids lie, all chains stay busy. Each contact belongs to exactly one piece; a page that reaches over the end of its piece
is cut there. Nothing here knows HTTP: it is given a function that fetches the page starting at an id.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from hubsync.errors import PortalTemporaryError
from hubsync.policy.contact import Contact

WORTH_SPLITTING = 4  # pages; halves of less would cost more calls than they save time


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list: contacts, the cursor of the next page (None on the last), and the ids as numbers.

    `by_id` says that the ids ascend and the cursor is a number above them.
    """

    contacts: list[Contact]
    after: str | None
    ids: list[int] = field(repr=False)
    by_id: bool

    @property
    def first(self) -> int:
        """The lowest id; above every other for an empty page."""
        return self.ids[0] if self.ids else 1 << 200

    def below(self, end: int | None) -> Page:
        """The page without contacts from `end` on, and the last one where the next would begin there."""
        if end is None or (self.after is not None and int(self.after) < end):
            return self
        kept = sum(1 for id_ in self.ids if id_ < end)
        return Page(self.contacts[:kept], None, self.ids[:kept], self.by_id)


class _InFlight(Protocol):
    @property
    def in_flight(self) -> int: ...


@dataclass(slots=True, eq=False)
class _Piece:
    """Ids from `at` up to but not including `end` (None: open). `density` is contacts per id, 0 while unknown."""

    at: int
    end: int | None
    density: float = 0.0


class Chains:
    """Reads pieces of the id range by several threads.

    `fetch` gives the page starting at an id and may be called by several threads; `pace.in_flight` says how many
    chains are worth while just now; `limit` is the size of a full page.
    """

    def __init__(self, pace: _InFlight, fetch: Callable[[str], Page], limit: int) -> None:
        self._pace = pace
        self._fetch = fetch
        self._limit = limit
        self._changed = threading.Condition()
        self._waiting: deque[_Piece] = deque()
        self._active: list[_Piece] = []
        self._ready: deque[Page] = deque()
        self._threads: list[threading.Thread] = []
        self._highest = 0
        self._error: BaseException | None = None
        self._stopped = False

    def read(self, start: int, middle: int, jump: Page, highest: int) -> Iterator[Page]:
        """All pages from id `start` on. `jump` is the page that was fetched at `middle`; `highest` the last known id.

        Closing the iterator stops the chains after the page each is fetching.
        """
        self._highest = highest
        self._ready.append(jump)
        self._waiting.append(_Piece(start, middle))
        if jump.after is not None:
            self._waiting.append(_Piece(int(jump.after), None, self._density(jump)))
        try:
            with self._changed:
                self._grow()
            while (page := self._take()) is not None:
                if page.contacts:
                    yield page
            for thread in self._threads:
                thread.join()
        finally:
            with self._changed:
                self._stopped = True
                self._changed.notify_all()

    def _take(self) -> Page | None:
        with self._changed:
            while not self._ready and self._error is None and not self._finished():
                self._changed.wait()
            if self._error is not None:
                raise self._error
            page = self._ready.popleft() if self._ready else None
            self._changed.notify_all()
            return page

    def _finished(self) -> bool:
        return not self._waiting and not self._active

    def _grow(self) -> None:
        """Begin as many chains as are worth while. Called with the lock held."""
        while len(self._threads) < self._pace.in_flight and not self._stopped:
            name = f"hubsync-list-chain-{len(self._threads)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        try:
            while (piece := self._next_piece()) is not None:
                while self._follow(piece):
                    pass
        except BaseException as error:  # noqa: BLE001  # handed to the reader, who raises it
            with self._changed:
                self._error = self._error or error
                self._stopped = True
                self._changed.notify_all()

    def _follow(self, piece: _Piece) -> bool:
        """Fetch the next page of `piece` and hand it out; False when the piece is read to its end."""
        page = self._fetch(str(piece.at))
        if not page.by_id or page.first < piece.at:
            raise PortalTemporaryError("HubSpot's list stopped going by id while it was read. Read again.")
        with self._changed:
            while len(self._ready) >= 2 * len(self._threads) and not self._stopped:
                self._changed.wait()
            own = page.below(piece.end)  # after the wait: another chain may have taken the rest meanwhile
            self._ready.append(own)
            going_on = own.after is not None and not self._stopped
            if going_on:
                piece.at, piece.density = int(own.after or 0), self._density(page)
                self._grow()
            else:
                self._active.remove(piece)
            self._changed.notify_all()
            return going_on

    def _next_piece(self) -> _Piece | None:
        """A piece that waits, or half of the longest one; None when all is read."""
        with self._changed:
            while not self._stopped:
                piece = self._waiting.popleft() if self._waiting else self._half()
                if piece is not None:
                    self._active.append(piece)
                    return piece
                if self._finished():
                    break
                self._changed.wait()
            self._changed.notify_all()
            return None

    def _half(self) -> _Piece | None:
        longest = max(self._active, key=self._left, default=None)
        if longest is None or self._left(longest) < WORTH_SPLITTING * self._limit:
            return None
        end = longest.end
        middle = longest.at + ((self._highest if end is None else end) - longest.at) // 2
        longest.end = middle
        # Not split again before its own first page tells how densely it is filled.
        return _Piece(middle, end)

    def _left(self, piece: _Piece) -> float:
        """Contacts that `piece` may still hold, by the density of its last page."""
        end = self._highest if piece.end is None else piece.end
        return (end - piece.at) * piece.density

    @staticmethod
    def _density(page: Page) -> float:
        return len(page.ids) / (page.ids[-1] - page.ids[0] + 1) if page.ids else 0.0
