"""Records of one kind, in the order of their ids, with the search index that runs behind them.

The index is the records themselves plus, for records changed within the lag, what they looked like before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from hubsync.sandbox.records import Record


class Stale(NamedTuple):
    """A record as the search index still shows it."""

    record: Record
    values: dict[str, str]
    updated: int


Indexed = Record | Stale
"""What the search index knows of a record: mostly the record itself."""


class _Past(NamedTuple):
    """A record before a change that search shows from `visible` (ms) on; `values` None: it didn't exist."""

    visible: int
    values: dict[str, str] | None
    updated: int


class Table:
    """All records of a kind. `revision` moves with every change, so that results may be cached."""

    def __init__(self, kind: str, first_id: int, rng: Random, *, gaps: int) -> None:
        self.kind = kind
        self.records: dict[str, Record] = {}
        self.ids: list[int] = []
        self.revision = 0
        self._next = first_id
        self._rng = rng
        self._gaps = gaps
        self._past: dict[str, deque[_Past]] = {}

    def new_id(self) -> str:
        """The next id: ascending, with gaps as in a portal where records were deleted."""
        self._next += self._rng.randint(1, self._gaps) if self._gaps > 1 else 1
        return str(self._next)

    def add(self, record: Record) -> None:
        """Put in a new record."""
        self.records[record.id] = record
        self.ids.append(int(record.id))
        self.revision += 1

    def remove(self, record_id: str) -> None:
        """Take a record out for good (merge, privacy deletion)."""
        del self.records[record_id]
        self._past.pop(record_id, None)
        self.ids.pop(bisect_left(self.ids, int(record_id)))
        self.revision += 1

    def remember(self, record: Record, visible: int, now: int, *, existed: bool = True) -> None:
        """Keep what search goes on showing of `record` until `visible`. To be called before the change."""
        if visible <= now:
            return
        shown = dict(record.values) if existed and record.archived_at is None else None
        self._past.setdefault(record.id, deque()).append(_Past(visible, shown, record.updated))

    def page(self, after: int, limit: int, *, archived: bool) -> tuple[list[Record], int | None]:
        """Up to `limit` records with ids from `after` on, and the id that the next page starts at."""
        found: list[Record] = []
        for place in range(bisect_left(self.ids, after), len(self.ids)):
            record = self.records[str(self.ids[place])]
            if (record.archived_at is not None) is archived:
                if len(found) == limit:
                    return found, self.ids[place]
                found.append(record)
        return found, None

    def indexed(self, now: int) -> Iterator[Indexed]:
        """Every record as the search index shows it at `now` (ms), ascending by id."""
        self._settle(now)
        past = self._past
        for record in self.records.values():  # ids only grow, so this is their order
            if past and record.id in past:
                before = past[record.id][0]
                if before.values is not None:
                    yield Stale(record, before.values, before.updated)
            elif record.archived_at is None:
                yield record

    def index_revision(self, now: int) -> tuple[int, int]:
        """Moves whenever `indexed` may answer differently."""
        self._settle(now)
        return self.revision, sum(map(len, self._past.values()))

    def _settle(self, now: int) -> None:
        for record_id in list(self._past):
            waiting = self._past[record_id]
            while waiting and waiting[0].visible <= now:
                waiting.popleft()
            if not waiting:
                del self._past[record_id]
