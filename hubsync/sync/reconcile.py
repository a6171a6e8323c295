"""The one path from reading to writing (design 1): look → plan → guard → write through the outbox → ledger.

A plan is complete before anything is written; a run that is killed at any line leaves rows that the next one settles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from hubsync.errors import PortalError, UnsafePlan
from hubsync.policy.pacing import Pace
from hubsync.policy.policy import Horizon
from hubsync.policy.portal_spec import GuardSpec
from hubsync.portal.gateway import Gateway
from hubsync.store.store import Store
from hubsync.store.values import RunState
from hubsync.sync import clocks, marks, overrides
from hubsync.sync.adopting import Adopted, Neighbourhood
from hubsync.sync.adopting import adopt as take_over
from hubsync.sync.aftermath import Aftermath
from hubsync.sync.binding import BoundPortal
from hubsync.sync.book import Book, Dresser, NoBook
from hubsync.sync.departed import settle_departed, unseen
from hubsync.sync.guard import Limits
from hubsync.sync.lease import PortalLease
from hubsync.sync.looking import Look, Looker
from hubsync.sync.mirroring import remember
from hubsync.sync.neighbours import admit_alone
from hubsync.sync.overrides import OverrideWatch
from hubsync.sync.pacing import Pacer
from hubsync.sync.pen import Pen
from hubsync.sync.plan import Planned, Tally, change_row, notice_row, plan_of, superseded_row, task_row, withdrawal_row
from hubsync.sync.proposals import Proposals, is_told
from hubsync.sync.recovery import recover, uncertain_tasks
from hubsync.sync.scope import (
    CURSOR,
    DUE_AT_ONCE,
    Scope,
    base_for_guard,
    horizon_for,
    last_completed,
    note_outage,
    read_scope,
)
from hubsync.sync.spool import Spool
from hubsync.sync.stopping import how_far, what_to_do
from hubsync.sync.writing import Writer

log = structlog.get_logger()
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sync found and did. `run` is None for a plan; `since` is from when causes count (None: from now)."""

    run: int | None
    tally: Tally
    since: datetime | None
    calls: int
    notices: tuple[str, ...] = ()
    """What to know of the rules themselves: changed since the last run, or overruled too often."""


class PlanRefused(UnsafePlan):
    """The guard stopped a run before its first write; `outcome` is the plan that it refused."""

    def __init__(self, message: str, outcome: Outcome) -> None:
        super().__init__(message)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Session:
    """What every run needs: the portal, its policy, the database (None for a first plan), and the portal's clock."""

    gateway: Gateway
    portal: BoundPortal
    store: Store | None
    now: Callable[[], datetime]
    effective_since: datetime | None = None
    """The setting EFFECTIVE_SINCE, which outranks the database (B1)."""
    app_id: str | None = None
    """The setting APP_ID: whose entries in a history are hubsync's own, before it is learned."""
    pace: Pace | None = None
    """How fast tasks may come (B4, B5, B7); None: as fast as rules ask for them."""
    guard: GuardSpec = field(default_factory=GuardSpec)
    """How much may be written, as portal.yaml says it."""
    give_way: Callable[[], None] = lambda: None
    """Called before each decision: in a service, what is more urgent than the next contact goes first."""

    def portal_now(self) -> datetime:
        """The portal's time: ours, plus what its Date headers say (design 4)."""
        return self.now() + self.gateway.clock_offset


def plan(session: Session, scope: Scope, advance: Advance = lambda _n: None, *, lifted: bool = False) -> Outcome:
    """Decide on every contact of the scope and write nothing, neither to HubSpot nor to the database's cursors.

    `lifted`: as a run would be whose tasks somebody allowed, without the cap per owner.
    """
    started = session.portal_now()
    session, notices = as_known(session, session.store)
    horizon = horizon_for(session.store, session.portal, session.effective_since, started)
    dresser: Dresser = _reading_book(session, started)
    looker = looker_of(session, horizon, dresser)
    tally = Tally()
    pacer = Pacer(session.pace, session.store, session.portal, started, lifted=lifted)
    for looks in read_scope(session.gateway, session.store, session.portal, scope, looker, started):
        for look in looks:
            tally.count(look, session.portal.policy)
            tally.acted += look.decision.acts
            _list(look, tally)
        pacer.wish(looks)
        advance(len(looks))
    pacer.allot()
    pacer.tell(tally)
    tally.tasks += pacer.planned_digests()
    tally.missing = looker.missing
    return Outcome(None, tally, horizon.since, session.gateway.calls, notices)


def _list(look: Look, tally: Tally) -> None:
    """Add what a contact's decision would write to the rows of a plan."""
    decision, contact = look.decision, look.contact.id
    tally.changes += [change_row(contact, c, "planned") for c in decision.changes if is_told(c, "planned")]
    tally.changes += [superseded_row(contact, s) for s in decision.superseded]
    tally.tasks += [task_row(contact, t, "planned") for t in decision.tasks]
    tally.tasks += [withdrawal_row(contact, w, "to_withdraw") for w in decision.withdrawn]
    tally.told += [notice_row(contact, n, "planned") for n in decision.notices]


def write(
    session: Session,
    store: Store,
    scope: Scope,
    limits: Limits,
    advance: Advance = lambda _n: None,
    *,
    adopt: bool = False,
) -> Outcome:
    """Plan, pass the guard, write. Raises PlanRefused before the first write where the plan is too large.

    Raises StoreError where another run is writing to the portal, and where a hubsync with another database has been at
    work on it, unless `adopt` takes over what that one left. A KeyboardInterrupt leaves what was written in the
    ledger and passes through, with a text that says how far the run came.
    """
    portal = session.portal.id
    with PortalLease(store, portal, "hubsync sync --write") as lease:
        started = session.portal_now()
        session, notices = as_known(session, store)
        store.close_dead_runs(portal, started)
        with _advice(session):
            recover(session.gateway, store, portal, started, fence=lease.transaction)
            app_id = admit_alone(session, store, lease, started, adopt=adopt)
        first_write(session, store, started)
        horizon = horizon_for(store, session.portal, session.effective_since, started)
        run = store.start_run(portal, "sync", scope.as_args(), session.portal.policy.digest, started, epoch=lease.epoch)
        everyone = scope.full or (scope.moves_cursor and last_completed(store, portal, started) is None)
        tally = Tally(all_contacts=everyone)
        pacer = Pacer(session.pace, store, session.portal, started, lifted=limits.allow_tasks is not None)
        state = "failed"
        try:
            if adopt:
                take_over(session.gateway, store, session.portal, lease, run, app_id, started)
            looker = looker_of(session, horizon, Book(store, portal, session.gateway, now=started))
            with Spool[Planned]() as spool:
                strange = None if adopt else app_id
                planned = _decide_all(
                    session, store, scope, looker, started, lease, run, strange, spool, tally, pacer, advance
                )
                state = "stopped"
                unwritten = Outcome(None, tally, horizon.since, session.gateway.calls, notices)
                _pass_guard(limits, planned, unwritten, spool, pacer)
                state = "failed"
                _carry_out(session, store, lease, run, looker, spool, tally, pacer, advance)
            state = "done"
        except KeyboardInterrupt as stop:
            state = "interrupted"
            raise KeyboardInterrupt(how_far(run, tally)) from stop
        except PortalError as error:
            error.add_note(what_to_do(error, session.portal.account, session.portal_now()))
            error.add_note(how_far(run, tally))
            raise
        finally:
            with lease.transaction():
                store.finish_run(portal, run, _run_state(state), _counts(tally), session.portal_now())
                if state == "done" and scope.moves_cursor:
                    store.set_cursor(portal, CURSOR, started.isoformat())
    tally.uncertain = uncertain_tasks(store, portal)
    tally.missing = looker.missing
    return Outcome(run, tally, horizon.since, session.gateway.calls, notices)


@contextmanager
def _advice(session: Session) -> Iterator[None]:
    """An error of HubSpot's passes through with what helps against it, and when."""
    try:
        yield
    except PortalError as error:
        error.add_note(what_to_do(error, session.portal.account, session.portal_now()))
        raise


def _carry_out(
    session: Session,
    store: Store,
    lease: PortalLease,
    run: int,
    looker: Looker,
    spool: Spool[Planned],
    tally: Tally,
    pacer: Pacer,
    advance: Advance,
) -> None:
    """Write the plan; look after it, and after runs that were cut short before they could (design 5)."""
    pen = Pen(session.gateway, store, session.portal, lease, run, session.portal_now)
    after = Aftermath(pen, tally, looker)
    after.catch_up()
    Writer(pen, looker, tally, pacer).write_all(spool, advance)
    after.look(advance)
    pacer.close(lease, tally)
    recover(session.gateway, store, session.portal.id, session.portal_now(), fence=lease.transaction)


def looker_of(session: Session, horizon: Horizon, dresser: Dresser) -> Looker:
    """Looks with tasks, and with what becomes of the proposals on the records (A19)."""
    policy = session.portal.policy
    asking = Proposals(policy, frozenset(session.portal.definitions), session.portal_now)
    return Looker(
        session.gateway,
        policy,
        horizon,
        session.portal_now,
        dresser,
        tasks=True,
        instead=asking,
        give_way=session.give_way,
    )


def as_known(session: Session, store: Store | None) -> tuple[Session, tuple[str, ...]]:
    """The session with what the database knows of the rules (A18, B1), and what a run says of them."""
    portal = session.portal
    said = (
        *clocks.notices(store, portal.id, session.portal_now()),
        *overrides.notices(store, portal.id),
        *marks.notices(store, portal.id, portal.policy),
    )
    return replace(session, portal=overrides.tuned(portal, store)), said


def _reading_book(session: Session, now: datetime) -> Dresser:
    """What the ledger knows, for a plan: it looks at our open tasks in HubSpot and notes nothing."""
    if session.store is None:
        return NoBook()
    return Book(session.store, session.portal.id, session.gateway, now=now, notes=False)


def first_write(session: Session, store: Store, now: datetime) -> None:
    """B1: the first write stamps from when causes count; new rules count from when they are first on."""
    portal = session.portal
    store.remember_portal(portal.id, at=now, time_zone=portal.account.time_zone, ui_domain=portal.account.ui_domain)
    if store.effective_since(portal.id) is None:
        store.set_effective_since(portal.id, session.effective_since or now)
    note_outage(store, portal.id, now)
    store.activate_rules(portal.id, [r.id for r in portal.policy.rules], now, was=portal.policy.renamed)
    marks.keep(store, portal.id, portal.policy, last_completed(store, portal.id, now) or now, now)


def _decide_all(
    session: Session,
    store: Store,
    scope: Scope,
    looker: Looker,
    started: datetime,
    lease: PortalLease,
    run: int,
    strange: str | None,
    spool: Spool[Planned],
    tally: Tally,
    pacer: Pacer,
    advance: Advance,
) -> tuple[int, int, int]:
    """Look at everything and spool what is to be done. Returns what the guard asks for: (contacts to change, contacts
    in scope, tasks).

    `strange`: the app whose entries without a row of ours are another hubsync's.
    """
    neighbours = Neighbourhood(session.gateway, store, session.portal.id, strange, run)
    adopted = Adopted(store, session.portal, lease, run, started)
    watch = OverrideWatch(session.gateway, store, session.portal, lease)
    changed = 0
    gone = set(store.due(session.portal.id, started, DUE_AT_ONCE))
    for looks in read_scope(session.gateway, store, session.portal, scope, looker, started):
        neighbours.watch(looks)
        looks = adopted.recognise(looks)
        tally.overridden += watch.see(looks, started)
        for look in looks:
            tally.count(look, session.portal.policy)
            changed += bool(look.decision.changes)
            if look.decision.acts or look.decision.superseded:
                spool.append(plan_of(look))
            gone.discard(look.contact.id)
        pacer.wish(looks)
        remember(store, session.portal, looks, session.portal_now())
        advance(len(looks))
    if scope.moves_cursor:
        departed = unseen(store, session.portal.id, started) if tally.all_contacts else gone
        settle_departed(session.gateway, store, session.portal.id, lease, departed)
    return changed, base_for_guard(store, session.portal.id, scope, tally.in_scope, started), pacer.allot()


def _pass_guard(
    limits: Limits, planned: tuple[int, int, int], unwritten: Outcome, spool: Spool[Planned], pacer: Pacer
) -> None:
    """Raise PlanRefused where the guard stops the run: with all that it would write, as a plan lists it."""
    try:
        limits.refuse_too_much(*planned)
    except UnsafePlan as stop:
        for one in spool:
            _list(one.look, unwritten.tally)
        pacer.tell(unwritten.tally)
        unwritten.tally.tasks += pacer.planned_digests()
        raise PlanRefused(str(stop), unwritten) from stop


def _run_state(state: str) -> RunState:
    states: dict[str, RunState] = {"done": "done", "stopped": "stopped", "interrupted": "interrupted"}
    return states.get(state, "failed")


def _counts(tally: Tally) -> dict[str, int]:
    return {
        "contacts": tally.contacts,
        "in_scope": tally.in_scope,
        "tasks": sum(t["state"] == "applied" for t in tally.tasks),
        "told": len(tally.told),
        "withdrawn": tally.withdrawn,
        "waiting": tally.waiting,
        "backlog": tally.backlog,
        "overridden": tally.overridden,
        "all": int(tally.all_contacts),
        **{f"changes_{state}": count for state, count in tally.states().items()},
    }
