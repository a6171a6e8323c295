"""Holding a portal while writing to it: one writer at a time, renewed in the background, fenced by its epoch."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import structlog

from hubsync.errors import StoreError
from hubsync.store.store import Store
from hubsync.store.values import Holder

log = structlog.get_logger()

HELD_FOR = 20.0
"""Seconds a lease lives without renewal: so long a killed run keeps others out."""
RENEWED_EVERY = 5.0
PATIENCE = HELD_FOR + 5.0
"""Seconds to wait for another's lease: one left by a killed run has run out by then."""
WANTED = "lease.wanted"
"""Cursor: who waits for the lease, and since when. A running service gives way (design 5)."""
WANTED_FOR = 10.0
"""Seconds for which asking counts: who waits asks every second."""


AHEAD = 60.0
"""Seconds by which the clocks of a database and ours may differ."""


def _outlives_its_clock(holder: Holder) -> bool:
    """Whether a lease reaches further than any is granted for: it was taken before the clock went back.

    A live holder's is renewed every few seconds, and then ends when it should; one that stays so is a dead run's.
    """
    return holder.until.timestamp() - time.time() > HELD_FOR + AHEAD


def is_wanted(store: Store, portal: int) -> bool:
    """Whether somebody waits for the portal's lease now."""
    text = store.cursor(portal, WANTED) or ""
    return text != "" and abs(time.time() - float(text.partition(" ")[0])) < WANTED_FOR


class LeaseTaken(StoreError):
    """Another run is writing to the portal; `holder` names it."""

    def __init__(self, portal: int, holder: str) -> None:
        self.holder = holder
        super().__init__(f"{holder} is writing to portal {portal}. Nothing was done; try again when it has ended.")


class PortalLease:
    """The right to write to a portal, as a context manager. `transaction()` fences what is recorded meanwhile.

    Entering raises LeaseTaken, naming the holder, where another run keeps the lease for longer than `patience` seconds.
    """

    def __init__(
        self,
        store: Store,
        portal: int,
        what: str,
        *,
        patience: float = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
        give_way: Callable[[], None] = lambda: None,
    ) -> None:
        """`give_way` is called before and after each transaction, when nothing is locked."""
        self.store = store
        self.portal = portal
        self.holder = f"{what} (process {os.getpid()} on {socket.gethostname()})"
        self.epoch = 0
        self._give_way = give_way
        self._patience = patience
        self._sleep = sleep
        self._ended = threading.Event()
        self._renewer = threading.Thread(target=self._renew, name="hubsync-lease", daemon=True)

    def __enter__(self) -> Self:
        waited = 0.0
        asked = False
        first = self.store.lease_holder(self.portal)
        while (epoch := self.store.acquire_lease(self.portal, self.holder, HELD_FOR)) is None:
            if waited >= self._patience:
                other = self.store.lease_holder(self.portal)
                if other is not None and other == first and _outlives_its_clock(other):
                    self.store.release_lease(self.portal, other.epoch)
                    log.warning("lease.outlived", holder=other.holder, until=other.until.isoformat())
                    continue
                raise LeaseTaken(self.portal, other.holder if other else "another run")
            self.store.set_cursor(self.portal, WANTED, f"{time.time():.0f} {self.holder}")
            asked = True
            self._sleep(1.0)
            waited += 1.0
        if asked:
            self.store.set_cursor(self.portal, WANTED, "")
        self.epoch = epoch
        self._renewer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._renewer.join()
        self.store.release_lease(self.portal, self.epoch)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction, refused with LeaseLost where the lease went to another."""
        self._give_way()
        with self.store.begin(portal=self.portal, epoch=self.epoch):
            yield
        self._give_way()

    def _renew(self) -> None:
        while not self._ended.wait(RENEWED_EVERY):
            try:
                if not self.store.renew_lease(self.portal, self.epoch, HELD_FOR):
                    return  # the next transaction says so
            except StoreError as error:  # locked or full: there is time for another try, or two
                log.warning("lease.not_renewed", holder=self.holder, reason=str(error))
