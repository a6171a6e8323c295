"""The worker of one portal: takes what is due, looks at it, and outlives what HubSpot, the database or a contact do.

It is called by the engine for a stretch of work at a time and keeps nothing that a kill could lose: what is to be done
stands in the database until it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from hubsync.errors import (
    HubsyncError,
    PortalError,
    PortalTemporaryError,
    RateLimited,
    StoreError,
    TokenRefused,
    WrongPortal,
)
from hubsync.logs import redacted
from hubsync.service.buckets import Buckets, parked_for, read_held, refill
from hubsync.service.health import Health
from hubsync.service.intake import Intake
from hubsync.service.metrics import Metrics
from hubsync.service.shift import Shift, Stretch
from hubsync.store.leases import LeaseLost
from hubsync.store.store import Store
from hubsync.store.values import RunState, WorkItem
from hubsync.sync.lease import LeaseTaken, PortalLease, is_wanted
from hubsync.sync.overrides import findings
from hubsync.sync.pacing import frozen
from hubsync.sync.reconcile import Session
from hubsync.sync.scope import CURSOR
from hubsync.sync.stopping import what_to_do

log = structlog.get_logger()

AT_ONCE = 300
"""Contacts in one stretch: six reads with history beside one another."""
FULL = 100
FILL, FILL_DEAR = 0.3, 0.1
"""Seconds to wait for more, where fewer than a full batch are due; less where e-mails or deals take more reads."""
IDLE = 1.0
"""Seconds between looks at the clock: when a timer falls due, nobody wakes the worker."""
BACK_OFF = (60, 300, 1_800, 7_200, 21_600)
"""Seconds until a contact that could not be looked at is tried again; after the last it is parked."""
OVERRULED = "overruled"
"""Kind of what is said of rules that people change back so often that they only propose."""
UNREADABLE = "could not be looked at: "
"""Begins the reason of a contact parked for its own sake."""
SETTLED_EVERY = timedelta(seconds=30)
Unit = WorkItem | str
"""What is due: a row of work, or a contact whose timer fell due."""
STUBBORN = 3
"""So many failures of HubSpot's in a row, and contacts are looked at apart: one of them may be all the trouble."""
BRIEF = 5.0
"""Seconds of waiting for which the portal's lease is kept."""
REFUSED_AGAIN = 30.0
"""Seconds between tries while HubSpot refuses the token."""


@dataclass(slots=True)
class Worker:
    """Works for one portal. `session` gives the session of this moment: rules are reloaded between two stretches.

    `sleep(seconds)` waits and is False where the service ends meanwhile. `writes`: HubSpot is written to.
    """

    session: Callable[[], Session]
    store: Store
    portal: int
    intake: Intake
    health: Health
    metrics: Metrics
    sleep: Callable[[float], bool]
    writes: bool
    contacts: int = 0
    """How many contacts the portal has, for the guard's buckets."""
    standing: Callable[[str, Mapping[str, str]], None] = lambda _kind, _said: None
    """Told at the start of each shift what of a kind people should know now, by a key."""
    _polled: tuple[datetime, datetime] | None = None
    """When the last complete poll began and ended."""
    _shift: Shift | None = None
    _used: Session | None = None
    _lease: ExitStack = field(default_factory=ExitStack)
    _held: PortalLease | None = None
    _tries: int = 0
    _settled: datetime | None = None
    _buckets: Buckets | None = None

    def stretch(self) -> float:
        """Do some of what is due; seconds until there may be more. Never raises."""
        try:
            pause = self._stretch()
        except Exception as error:  # noqa: BLE001  (the loop must outlive everything; each error says what it waits for)
            return self._after(error)
        self._tries = 0
        for name in ("hubspot", "database", "worker", *(() if pause else ("token",))):
            self.health.clear(name)  # being idle says nothing of the token: polls found it out, and find out its end
        return pause

    def close(self) -> None:
        """End the shift, so that nothing is left for the next start; what can't be ended is settled by that."""
        try:
            self._end_shift()
        except HubsyncError as error:
            log.warning("shift.cut_short", reason=redacted(str(error)))
        finally:
            self._give_back()

    def looks_after(self, contact: str) -> bool:
        """Whether the contact waits for its look after a write. Any thread may ask."""
        shift = self._shift
        return shift is not None and shift.looks_after(contact)

    # A stretch ---------------------------------------------------------------------------------------------------

    def _stretch(self) -> float:
        shift = self._open_shift()
        if shift is None:
            return IDLE
        now = shift.session.portal_now()
        if self.writes and frozen(shift.session.pace, now) is not None:
            return IDLE  # B7: what is due stays due until the freeze is over
        self._see_releases(now)
        items = self.store.take_work(self.portal, now, AT_ONCE)
        dear = any(":" in item.contact for item in items)
        if items and len(items) < FULL and self.sleep(FILL_DEAR if dear else FILL):
            now = shift.session.portal_now()
            items = self.store.take_work(self.portal, now, AT_ONCE)
        room = AT_ONCE - len(items)
        timers = shift.due(now, room) if room > 0 else ()
        timers = (*timers, *shift.after(len(items) + len(timers)))
        self._now_and_then(shift, now, items)
        if not items and not timers:
            return IDLE
        self.intake.taken([item.contact for item in items])
        self._work(shift, [*items, *timers])
        return 0.0

    def _work(self, shift: Shift, units: Sequence[Unit]) -> None:
        """Look at what is due; a contact that nobody can look at doesn't keep the others from it."""
        try:
            self._look(shift, units)
        except (RateLimited, TokenRefused, WrongPortal, StoreError):
            raise
        except PortalTemporaryError:
            if self._tries < STUBBORN or len(units) == 1:
                raise
            self._work_apart(shift, units)
        except Exception as error:  # noqa: BLE001  (found out below which contact it is)
            if len(units) > 1:
                for half in _halves(units):
                    self._work(shift, half)
            else:
                self._put_off(shift, units[0], error)

    def _look(self, shift: Shift, units: Sequence[Unit]) -> None:
        items = [unit for unit in units if isinstance(unit, WorkItem)]
        taken_at = shift.session.portal_now()
        done = shift.work(*_named(units), items)
        self._note(shift, items, done)
        with shift.fence():
            self.store.work_done(self.portal, items, taken_at)

    def _work_apart(self, shift: Shift, units: Sequence[Unit], *, answers: bool = False) -> None:
        """HubSpot has failed several times in a row: perhaps over one contact alone, which must not stop the others.

        Where one half can be looked at, HubSpot `answers`, and it is the other half's contacts that are found out and
        put off. Where neither can, it is HubSpot's own trouble: raises PortalTemporaryError.
        """
        failed: list[tuple[Sequence[Unit], PortalTemporaryError]] = []
        for half in _halves(units):
            try:
                self._look(shift, half)
            except (RateLimited, TokenRefused, WrongPortal, StoreError):
                raise
            except PortalTemporaryError as error:
                failed.append((half, error))
            except Exception:  # noqa: BLE001  (some contact in it can't be looked at for another reason)
                self._work(shift, half)
        if len(failed) == 2 and not answers:
            raise failed[0][1]
        for half, problem in failed:
            if len(half) > 1:
                self._work_apart(shift, half, answers=True)
            else:
                self._put_off(shift, half[0], problem)

    def _put_off(self, shift: Shift, unit: Unit, error: Exception) -> None:
        """A contact that can't be looked at: tried again ever later, in the end parked, visible."""
        shift.drop(unit if isinstance(unit, str) else unit.contact)
        now = shift.session.portal_now()
        if isinstance(unit, str):  # it came of a timer: a row of work counts its tries from here on
            looks = self.store.looks(self.portal, [unit])
            self.store.save_looks(self.portal, [replace(look, next_look_at=None) for look in looks.values()])
            self.store.hint(self.portal, [unit], now, "timer")
            return
        log.error("contact.failed", contact=unit.contact, attempts=unit.attempts + 1, exc_info=error)
        if unit.attempts < len(BACK_OFF):
            self.store.work_failed(self.portal, [unit], now + timedelta(seconds=BACK_OFF[unit.attempts]))
            return
        what = redacted(f"{type(error).__name__}: {error}")[:200]
        self.store.parking.park(self.portal, [unit], [], UNREADABLE + what)

    def _note(self, shift: Shift, items: Sequence[WorkItem], done: Stretch) -> None:
        """Count what was done, for metrics and alerts."""
        metrics, now = self.metrics, shift.session.portal_now()
        metrics.looks.inc(done.looks)
        metrics.overrides.inc(done.tally.overridden)
        metrics.decided(done.looks, done.tally)
        for item in items:
            if item.contact in done.changed:
                metrics.lag.observe(max(0.0, (now - item.due_at).total_seconds()))
        for held in done.held:
            self.health.say(f"held {held.rule}", held.says)
        if done.looks:
            log.info("contacts.reconciled", contacts=done.looks, **done.tally.states())

    def _see_releases(self, now: datetime) -> None:
        """Rules that somebody released meanwhile go on, with the contacts that were parked while it was done."""
        if self._buckets is None or not self._buckets.held:
            return
        left = {held.rule for held in read_held(self.store, self.portal)}
        for rule in set(self._buckets.held) - left:
            self._buckets.release(rule, now)
            self.store.parking.unpark(self.portal, now, why=parked_for(rule))
            self.health.clear(f"held {rule}")

    def has_polled(self, began: datetime, ended: datetime) -> None:
        """A complete poll: once all that it found is done, a bare sync has nothing older to look for. Any thread."""
        self._polled = (began, ended)

    def _now_and_then(self, shift: Shift, now: datetime, items: Sequence[WorkItem]) -> None:
        """What else there is to do, however much is due. `items` are those that are due, the oldest first."""
        if not self.writes:
            return
        if (polled := self._polled) is not None and (not items or items[0].due_at > polled[1]):
            self.store.set_cursor(self.portal, CURSOR, polled[0].isoformat())
            self._polled = None
        if self._settled is None or now - self._settled > SETTLED_EVERY:
            self._settled = now
            shift.settle()

    # Shifts and the lease ----------------------------------------------------------------------------------------

    def _open_shift(self) -> Shift | None:
        """The shift to work in; None while another writes to the portal."""
        session = self.session()
        if self.writes and is_wanted(self.store, self.portal):
            self._give_way()
            return None
        if self._shift is not None and (self._shift.is_over or session is not self._used):
            self._end_shift()
        if self._shift is not None:
            return self._shift
        if self.writes and self._held is None:
            self._hold_portal()
            if self._held is None:
                return None
        if self._buckets is None:
            self._buckets = Buckets(self.contacts)
            refill(self.store, self.portal, self._buckets, session.portal_now())
            for held in self._buckets.held.values():
                self.health.say(f"held {held.rule}", held.says)
        self._buckets.contacts = self.contacts
        self._buckets.rule_an_hour, self._buckets.all_a_day = session.guard.rule_an_hour, session.guard.all_a_day
        self._shift, self._used = Shift(session, self.store, self._buckets, self._held), session
        said = {finding.rule: f"Rule {finding.rule} {finding.message}" for finding in findings(self.store, self.portal)}
        self.standing(OVERRULED, said)
        return self._shift

    def _end_shift(self, state: RunState = "done") -> None:
        shift, self._shift = self._shift, None
        if shift is not None:
            shift.close(state)

    def _give_way(self) -> None:
        """Let another command, which waits for it, write; the service goes on after it, or once it waits no more."""
        if self._held is None:
            return
        try:
            self._end_shift()
        finally:
            self._give_back()

    def _hold_portal(self) -> None:
        lease = PortalLease(self.store, self.portal, "hubsync serve", patience=0.0, give_way=self.session().give_way)
        try:
            self._lease.enter_context(lease)
        except LeaseTaken as other:
            self.health.say("lease", f"{other.holder} is writing to the portal. The service goes on when it has ended.")
            return
        self._held = lease
        self.health.clear("lease")

    def _give_back(self) -> None:
        self._held = None
        self.intake.forget()
        try:
            self._lease.close()
        except StoreError as error:  # it runs out by itself
            log.warning("lease.not_given_back", reason=redacted(str(error)))

    # Trouble -----------------------------------------------------------------------------------------------------

    def _after(self, error: Exception) -> float:
        """Wait as long as fits the error, whoever wakes the worker meanwhile. Whoever wants to write may do so then."""
        self._tries += 1
        name, pause = _kind_of(error, self._tries)
        if isinstance(error, LeaseLost):
            self._shift = None
            self._give_back()
            return 0.0
        self._abandon()
        if pause > BRIEF:
            self._give_back()
        message = redacted(str(error))
        if isinstance(error, PortalError) and self._used is not None:
            message = f"{message} {what_to_do(error, self._used.portal.account, self._used.portal_now())}".strip()
        if name == "worker":
            log.error("worker.failed", exc_info=error)
            message = f"The worker failed and tries again: {type(error).__name__}: {message}"
        else:
            log.warning("worker.waits", why=name, seconds=pause, reason=message)
        if name in {"token", "worker"} or self._tries > 2:
            self.health.say(name, message)
        self.sleep(pause)
        return 0.0

    def _abandon(self) -> None:
        """What the shift had under way is unclear: the next one finds out from HubSpot."""
        try:
            self._end_shift("failed")
        except Exception as error:  # noqa: BLE001  (whatever it is, the next shift begins with settling)
            log.warning("shift.cut_short", reason=redacted(f"{type(error).__name__}: {error}"))
            self._give_back()


def _named(units: Sequence[Unit]) -> tuple[list[str], dict[str, list[str]]]:
    """The contacts that are meant by their ids, and objects of other kinds, whose contacts are meant."""
    contacts: dict[str, None] = {}
    others: dict[str, list[str]] = {}
    for name in (unit.contact if isinstance(unit, WorkItem) else unit for unit in units):
        kind, colon, id_ = name.partition(":")
        if colon:
            others.setdefault(kind, []).append(id_)
        else:
            contacts[name] = None
    return list(contacts), others


def _halves(units: Sequence[Unit]) -> tuple[Sequence[Unit], Sequence[Unit]]:
    return units[: len(units) // 2], units[len(units) // 2 :]


def _kind_of(error: Exception, tries: int) -> tuple[str, float]:
    """What /readyz calls the problem, and how long to wait before the next try, in seconds."""
    growing = min(60.0, 2.0 ** min(tries, 6))
    match error:
        case TokenRefused():
            return "token", REFUSED_AGAIN
        case RateLimited(daily=True):
            return "hubspot", 300.0
        case PortalError():
            return "hubspot", growing
        case StoreError():
            return "database", growing
        case _:
            return "worker", growing
