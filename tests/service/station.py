"""A station for tests of the service: a desk (tests/sync/desk.py) with a worker that is driven stretch by stretch.

Nothing waits and nothing runs beside the test but the thread that commits hints: the clock is the desk's, `sleep` only
notes how long would have been waited. A stretch that asks to be called again for ever fails the test.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from hubsync.portal.gateway import Gateway
from hubsync.service.health import Health
from hubsync.service.intake import Hint, Intake
from hubsync.service.metrics import Metrics
from hubsync.service.worker import Worker
from hubsync.store import Store
from hubsync.store.values import WorkItem
from tests.service.waiting import PATIENCE
from tests.sync.desk import Desk, Patience

Act = Callable[[], Any]
ENOUGH = 60
"""Stretches in which everything that is due must be done."""


class Station:
    """`hint`, then `work`; the desk tells what came of it. A context manager."""

    def __init__(self, desk: Desk, *, writes: bool = True, contacts: int = 100_000, store: Store | None = None) -> None:
        self.desk = desk
        self.store = store or desk.store
        self.portal = desk.portal.portal_id
        patience = Patience()
        self.gateway = Gateway(
            desk.box.url,
            lambda: desk.box.token,
            clock=patience.clock,
            sleep=patience.sleep,
            now=desk.clock.now,
        )
        self.reads: list[list[str]] = []
        """The lists of contacts that were read at once."""
        self._note_reads()
        self.session = replace(desk.session(), gateway=self.gateway, store=self.store)
        self.naps: list[float] = []
        self.health = Health()
        self.metrics = Metrics()
        self.wakes = 0
        self.intake = Intake(self.store, self.portal, desk.clock.now, self._woken)
        self.worker = self.new_worker(writes=writes, contacts=contacts)

    def killed(self) -> None:
        """The worker is gone without an end, so long ago that its lease has run out; there is a new one."""
        holder = self.store.lease_holder(self.portal)
        if holder is not None:
            self.store.release_lease(self.portal, holder.epoch)
        self.new_worker()

    def new_worker(self, *, writes: bool = True, contacts: int = 100_000) -> Worker:
        """A worker as a start of the service makes one."""
        self.worker = Worker(
            lambda: self.session,
            self.store,
            self.portal,
            self.intake,
            self.health,
            self.metrics,
            self._nap,
            writes,
            contacts,
        )
        return self.worker

    def __enter__(self) -> Self:
        self.intake.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.worker.close()
        self.intake.stop()
        self.gateway.close()

    def submit(self, *items: str, why: str = "test", delay: timedelta = timedelta(0)) -> Future[None]:
        """Hints as a webhook gives them; not waited for."""
        return self.intake.submit([Hint(items, why, delay)])

    def hint(self, *items: str, why: str = "test", delay: timedelta = timedelta(0)) -> None:
        """Hints that are committed."""
        self.submit(*items, why=why, delay=delay).result(PATIENCE)

    def stretch(self) -> float:
        """One stretch."""
        return self.worker.stretch()

    def work(self) -> int:
        """Stretches until nothing is due; how many there were. The clock stands still."""
        for count in range(1, ENOUGH):
            if self.worker.stretch() > 0:
                return count
        raise AssertionError(f"after {ENOUGH} stretches there is still something due: {self.due()}")

    def rest(self) -> None:
        """Work, and work again once the looks after the writes are due."""
        self.work()
        self.desk.later(seconds=40)
        self.work()

    def due(self) -> tuple[WorkItem, ...]:
        """Rows of work that are due now or within a year; not what is parked."""
        return self.store.take_work(self.portal, self.desk.clock.now() + timedelta(days=365), 10_000)

    def parked(self, why: str = "") -> list[tuple[str, str]]:
        """(contact, reason) of what is parked."""
        return [(item.contact, item.why) for item in self.store.parking.parked(self.portal, why=why)]

    def looked_at(self) -> list[str]:
        """Contacts that were read to be looked at, one after the other."""
        return [id_ for batch in self.reads for id_ in batch]

    def meanwhile(self, before: Act | None = None, after: Act | None = None) -> None:
        """Something happens right before the next write to contacts, or right after it; a second passes each time."""
        update = self.gateway.update_contacts
        coming = [(before, after)]

        def write(*given: Any) -> Any:
            first, then = coming.pop() if coming else (None, None)
            self._passes(first)
            outcomes = update(*given)
            self._passes(then)
            return outcomes

        self.gateway.update_contacts = write  # type: ignore[method-assign, assignment]

    def _passes(self, act: Act | None) -> None:
        self.desk.later(seconds=1)
        if act is not None:
            act()
            self.desk.later(seconds=1)

    def _note_reads(self) -> None:
        read = self.gateway.read_contacts

        def noted(ids: Any, *more: Any) -> Any:
            asked = list(ids)
            if asked:
                self.reads.append(asked)
            return read(asked, *more)

        self.gateway.read_contacts = noted  # type: ignore[method-assign, assignment]

    def _nap(self, seconds: float) -> bool:
        self.naps.append(seconds)
        return True

    def _woken(self) -> None:
        self.wakes += 1
