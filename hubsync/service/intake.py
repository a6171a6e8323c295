"""From an event to a durable hint: whoever learned something is answered once the database has it.

One thread commits for all (a group commit), so that a thousand webhooks a second cost a few transactions, and no
request waits behind another's disk. A contact that is noted already, and not yet being looked at, costs nothing: the
look that comes will see the present state anyhow (design 1).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog

from hubsync.errors import HubsyncError
from hubsync.store.store import Store

log = structlog.get_logger()

KEPT_AWAY_FOR = timedelta(days=30)
"""So long late events don't re-create a contact of a privacy deletion (design 4)."""
AT_ONCE = 1_000
"""Contacts in one transaction, so that it stays within some 20 ms."""


STOPPING = "The service is stopping."


class Hint(NamedTuple):
    """Look at `items`, each once: contacts' ids, or `deals:77` for an object whose contacts are meant.

    `why` is for people.
    """

    items: Sequence[str]
    why: str
    delay: timedelta = timedelta(0)


@dataclass(slots=True)
class _Waiting:
    hints: Sequence[Hint]
    erased: Sequence[str]
    done: Future[None] = field(default_factory=Future)


_DONE: Future[None] = Future()
_DONE.set_result(None)


class Intake:
    """Takes hints from any thread. `now` is the portal's time; `wake` is called when something is due at once."""

    def __init__(
        self, store: Store, portal: int, now: Callable[[], datetime], wake: Callable[[], None] = lambda: None
    ) -> None:
        self._store = store
        self._portal = portal
        self._now = now
        self._wake = wake
        self._queue: list[_Waiting] = []
        self._dirty: dict[str, datetime] = {}
        self._due: set[str] = set()
        """Of these what was due at once, is committed and not yet being looked at."""
        self._latest = datetime.min.replace(tzinfo=UTC)
        """When something was noted last: a clock that was put back says nothing of what is due."""
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._commit_forever, name="hubsync-intake", daemon=True)

    def start(self) -> None:
        """Begin to commit."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what was submitted, then end. What is submitted later fails, and all where nothing was ever begun."""
        with self._changed:
            self._ended = True
            self._changed.notify()
            unbegun = [] if self._thread.ident else self._queue
        for waiting in unbegun:
            waiting.done.set_exception(HubsyncError(STOPPING))
        if self._thread.is_alive():
            self._thread.join()

    def submit(self, hints: Sequence[Hint], erased: Sequence[str] = ()) -> Future[None]:
        """Note what to look at and who was erased. The future is done once that is committed, or has its StoreError.

        It is done at once where all of it is noted already, and committed.
        """
        now = self._now()
        with self._changed:
            if (
                not (self._ended or erased)
                and now >= self._latest
                and all(self._due.issuperset(h.items) for h in hints)
            ):
                return _DONE
            waiting = _Waiting(hints, erased)
            if self._ended:
                waiting.done.set_exception(HubsyncError(STOPPING))
            else:
                self._queue.append(waiting)
                self._changed.notify()
        return waiting.done

    def taken(self, items: Collection[str]) -> None:
        """These are being looked at from now on: what happens to them from here is a new hint. Call before reading."""
        with self._changed:
            self._due.difference_update(items)
            for item in items:
                self._dirty.pop(item, None)

    def forget(self) -> None:
        """Count nothing as noted: somebody else had the database to work on."""
        with self._changed:
            self._dirty.clear()
            self._due.clear()

    def _commit_forever(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._ended:
                    self._changed.wait()
                group, self._queue = self._queue, []
                if not group and self._ended:
                    return
            self._commit(group)

    def _commit(self, group: Sequence[_Waiting]) -> None:
        told = [
            waiting for waiting in group if waiting.done.set_running_or_notify_cancel()
        ]  # no longer to be cancelled
        try:
            urgent = self._note(group, self._now())
        except Exception as error:  # noqa: BLE001  (whatever it was, everyone who waits must hear of it)
            log.warning("hints.refused", requests=len(group), reason=str(error))
            for waiting in told:
                waiting.done.set_exception(error)
            return
        for waiting in told:
            waiting.done.set_result(None)
        if urgent:
            self._wake()

    def _note(self, group: Sequence[_Waiting], now: datetime) -> bool:
        """Commit a group; whether something of it is due at once."""
        fresh = self._not_noted_yet(group, now)
        try:
            for (delay, why), items in fresh.items():
                for start in range(0, len(items), AT_ONCE):
                    self._store.hint(self._portal, items[start : start + AT_ONCE], now + delay, why)
            if erased := [id_ for waiting in group for id_ in waiting.erased]:
                self._store.erase(self._portal, erased, until=now + KEPT_AWAY_FOR)
        except Exception:
            self.taken([item for items in fresh.values() for item in items])
            raise
        with self._changed:
            for (delay, _), items in fresh.items():
                if not delay:
                    self._due.update(item for item in items if item in self._dirty)
        return any(not delay for delay, _ in fresh)

    def _not_noted_yet(self, group: Sequence[_Waiting], now: datetime) -> dict[tuple[timedelta, str], list[str]]:
        """By delay and reason, what has to be written down. It counts as noted from here on, before it is committed:

        who takes it meanwhile makes it count as not noted again, which must not be undone afterwards.
        """
        fresh: dict[tuple[timedelta, str], list[str]] = {}
        with self._changed:
            self._latest = now
            for items, why, delay in (hint for waiting in group for hint in waiting.hints):
                due = now + delay
                for item in items:
                    known = self._dirty.get(item)
                    if known is None or known > due:
                        self._dirty[item] = due
                        fresh.setdefault((delay, why), []).append(item)
        return fresh
