"""The service put together: one portal, one process. It starts and ends threads and owns what they share.

What is due stands in the database: a kill at any moment loses nothing, and a start needs no clean stop before it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from hubsync.errors import TokenRefused
from hubsync.logs import redacted
from hubsync.portal.gateway import Gateway
from hubsync.service.buckets import parked_for, read_held
from hubsync.service.engine import InProcess
from hubsync.service.health import Health
from hubsync.service.intake import Hint, Intake
from hubsync.service.metrics import Metrics
from hubsync.service.poller import Listing, Poller
from hubsync.service.reload import Reload
from hubsync.service.worker import UNREADABLE, Worker
from hubsync.store.store import Store
from hubsync.sync.recovery import known_app
from hubsync.sync.scope import last_completed

log = structlog.get_logger()

TICK = 1.0
"""Seconds between rounds of the housekeeping."""
POLLS_FAILED = 3
"""Polls in a row that must fail before somebody is told."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """How often the service does what it does by the clock."""

    poll: timedelta = timedelta(seconds=60)
    lag: timedelta = timedelta(seconds=90)


class Service:
    """A portal's service. `renew` makes a session of the rules and the portal as they are now."""

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        reload: Reload,
        health: Health,
        metrics: Metrics,
        *,
        writes: bool,
        pulse: Pulse = Pulse(),
        standing: Callable[[str, Mapping[str, str]], None] = lambda _kind, _said: None,
    ) -> None:
        self.store = store
        self.gateway = gateway
        self.reload = reload
        self.health = health
        self.metrics = metrics
        self.writes = writes
        self.pulse = pulse
        self.portal = reload.session.portal.id
        self.app_id: str | None = None
        """Our own app's number, as soon as it is known."""
        self._stopping = threading.Event()
        self.intake = Intake(store, self.portal, self._now, lambda: self.engine.wake(self.portal))
        self.worker = Worker(
            lambda: reload.session,
            store,
            self.portal,
            self.intake,
            health,
            metrics,
            self._sleep,
            writes,
            standing=standing,
        )
        self.engine = InProcess({self.portal: self.worker.stretch})
        self._poller = self._new_poller()
        self._listing = Listing(
            gateway, store, self.portal, self.intake, self._now, self._depth, lambda: self._sleep(0.2)
        )
        reload.on_new_rules = self._take_up_rules
        self._threads = [
            threading.Thread(target=target, name=f"hubsync-{name}", daemon=True)
            for name, target in (
                ("engine", self.engine.run),
                ("poller", self._poll_forever),
                ("listing", self._list_forever),
                ("housekeeping", self._keep_house),
            )
        ]

    def start(self) -> None:
        """Begin. Raises PortalError or StoreError where the portal or the database can't be used at all."""
        session = self.reload.session
        account = session.portal.account
        self.store.remember_portal(
            self.portal, at=self._now(), time_zone=account.time_zone, ui_domain=account.ui_domain
        )
        self.store.set_active_digest(self.portal, session.portal.policy.digest)
        self.worker.contacts = self.gateway.count_contacts()
        self._poller.start_at(last_completed(self.store, self.portal, self._now()) or self._now())
        self.intake.start()
        for thread in self._threads:
            thread.start()
        log.info("service.started", portal=self.portal, writes=self.writes, contacts=self.worker.contacts)

    def stop(self, within: float = 8.0) -> None:
        """End: take no more, finish what is under way, leave nothing open. What can't be ended in time is settled by
        the next start."""
        end = time.monotonic() + within
        self._stopping.set()
        in_time = self.engine.shutdown(max(0.0, end - time.monotonic() - 3.0))
        if in_time:
            closing = threading.Thread(target=self.worker.close, name="hubsync-closing", daemon=True)
            closing.start()
            closing.join(max(0.5, end - time.monotonic()))
            in_time = not closing.is_alive()
        self.intake.stop()
        log.info("service.stopped", in_time=in_time)

    def submit(self, hints: Sequence[Hint], erased: Sequence[str] = ()) -> Future[None]:
        """Take hints from outside. Those that can wait are echoes: left out where the look after the write comes."""
        return self.intake.submit([self._without_covered(hint) if hint.delay else hint for hint in hints], erased)

    def _without_covered(self, echoes: Hint) -> Hint:
        return echoes._replace(items=[item for item in echoes.items if not self.worker.looks_after(item)])

    def _new_poller(self) -> Poller:
        return Poller(
            self.gateway,
            self.store,
            self.portal,
            self.intake,
            self._now,
            self.pulse.lag,
            self._stopping.is_set,
            self.metrics.polled,
            self._depth,
            lambda: self._sleep(0.2),
            self.worker.looks_after,
        )

    # What runs beside the worker ---------------------------------------------------------------------------------

    def _poll_forever(self) -> None:
        failed, refused = 0, False
        while not self._stopping.is_set():
            try:
                began = self._poller.poll()
                if began is not None:
                    self.worker.has_polled(began, self._now())
                failed = 0
                self.health.clear("poll")
                if refused:  # a refusal that the worker met is the worker's to clear: it may lack a scope for writing
                    self.health.clear("token")
                refused = False
            except Exception as error:  # noqa: BLE001  (polling must go on whatever happened)
                failed += 1
                refused |= isinstance(error, TokenRefused)
                self._say_failed("poll", error, failed)
            self._sleep(self.pulse.poll.total_seconds())

    def _list_forever(self) -> None:
        failed = 0
        while not self._stopping.is_set():
            try:
                policy = self.reload.session.portal.policy
                hour = self._now().astimezone(ZoneInfo(self.reload.session.portal.account.time_zone)).hour
                mark = f"{policy.digest}:{'write' if self.writes else 'plan'}"
                if self._listing.is_due(hour, mark):
                    self.worker.contacts = self._listing.run(policy.properties, policy.digest, mark)
                failed = 0
                self.health.clear("listing")
            except Exception as error:  # noqa: BLE001  (it is due again at once)
                failed += 1
                self._say_failed("listing", error, failed)
            self._sleep(30.0)

    def _say_failed(self, name: str, error: Exception, failed: int) -> None:
        if self._stopping.is_set():
            return  # it was cut short
        log.warning(f"{name}.failed", reason=redacted(f"{type(error).__name__}: {error}"), failed=failed)
        if isinstance(error, TokenRefused):
            self.health.say("token", redacted(str(error)))
        elif failed >= POLLS_FAILED:
            self.health.say(name, f"HubSpot could not be asked what changed, {failed} times in a row: {error}")

    def _keep_house(self) -> None:
        while self._sleep(TICK):
            for job in (self.reload.look, self._measure):
                try:
                    job()
                except Exception as error:  # noqa: BLE001  (the next round must come whatever happened)
                    log.warning("housekeeping.failed", reason=redacted(f"{type(error).__name__}: {error}"))

    def _measure(self) -> None:
        self.app_id = known_app(self.store, self.portal)
        now = self._now()
        depth, oldest, parked = self.store.parking.counts(self.portal, now)
        self.metrics.depth.set(depth)
        self.metrics.oldest.set((now - oldest).total_seconds() if oldest else 0)
        self.metrics.parked.set(parked)
        self.metrics.count_calls(self.gateway.calls_by_route)
        self.metrics.allowance.set(self.gateway.allowance_used)
        parking = self.store.parking
        held = {
            h.rule: parking.how_many(self.portal, why=parked_for(h.rule)) for h in read_held(self.store, self.portal)
        }
        self.metrics.standing(self.health.problems(), held)
        unreadable = parking.how_many(self.portal, why=UNREADABLE)
        if unreadable:
            self.health.say("parked", f"{unreadable:,} contacts could not be looked at: hubsync guard says why.")
        else:
            self.health.clear("parked")

    def _take_up_rules(self) -> None:
        """New rules may judge every contact anew, also those that could not be looked at under the former ones."""
        self.store.set_active_digest(self.portal, self.reload.session.portal.policy.digest)
        self.store.parking.unpark(self.portal, self._now(), why=UNREADABLE)
        self._listing.again()

    def _depth(self) -> int:
        return self.store.parking.counts(self.portal, self._now())[0]

    def _now(self) -> datetime:
        return self.reload.session.portal_now()

    def _sleep(self, seconds: float) -> bool:
        return not self._stopping.wait(seconds)
