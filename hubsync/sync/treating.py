"""Treating the backlog (playbook B2): one category at a time, on demand, quietly, at most 500 contacts an hour.

Properties only: no task, no owner, no alert. Unless its category says `clock: now`, a status that is set here counts as
old as its cause, so that nothing starts from it. Written through the outbox as every run, so that it can be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hubsync.errors import SettingsError
from hubsync.policy.causes import ledger_key
from hubsync.policy.changes import NOTHING, Cause, Decision, Finding, SetProperty
from hubsync.policy.contact import Contact
from hubsync.policy.instants import EPOCH
from hubsync.policy.portal_spec import BacklogSpec
from hubsync.policy.vocabulary import STAGE, STATUS
from hubsync.policy.words import did_you_mean
from hubsync.store.store import Store
from hubsync.store.values import RunState
from hubsync.sync.aftermath import Aftermath
from hubsync.sync.backlog import Categories
from hubsync.sync.binding import BoundPortal
from hubsync.sync.book import Book, Dresser, NoBook
from hubsync.sync.guard import Limits
from hubsync.sync.lease import PortalLease
from hubsync.sync.looking import Look, Looker
from hubsync.sync.neighbours import admit_alone
from hubsync.sync.pacing import Pacer, refuse_frozen
from hubsync.sync.pen import Pen
from hubsync.sync.plan import Planned, Tally, change_row, plan_of
from hubsync.sync.reconcile import Session, first_write
from hubsync.sync.recovery import recover
from hubsync.sync.scope import horizon_for
from hubsync.sync.spool import Spool
from hubsync.sync.writing import Writer

KIND = "backlog"
"""The kind of the run."""
RULE, PLAYBOOK = "backlog", "B2"
AN_HOUR, MOST = timedelta(hours=1), 500
TOO_OLD_FOR_STAGES = timedelta(days=90)
CORRECT, LEAVE = "correct", "leave"
SAMPLE = 100
Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Treatment:
    """What one category gets: `value` is HubSpot's Lead status, None for what its rules would set."""

    category: str
    says: str
    value: str | None
    from_now: bool


@dataclass(slots=True)
class Treated:
    """What treating comes to, or came to. `run` is None where nothing was written; `sample` were to be changed.

    `left` contacts are over what an hour takes; `again` is when there is room for more.
    """

    treatment: Treatment
    run: int | None = None
    tally: Tally = field(default_factory=Tally)
    found: int = 0
    left: int = 0
    again: datetime | None = None
    sample: list[Contact] = field(default_factory=list)


def treatment_of(portal: BoundPortal, categories: Categories, category: str, wanted: str | None) -> Treatment:
    """The treatment of a category: what portal.yaml proposes, or what is wanted instead (a status's key, or `correct`).

    Raises SettingsError for an unknown category or status, and where nothing is proposed.
    """
    known = {*categories.specs, *(r.id for r in portal.policy.rules)}
    if category not in known:
        raise SettingsError(f'"{category}" is no category of the backlog{did_you_mean(category, known) or "."}')
    says, proposed = categories.says(category)
    chosen = wanted or proposed
    if chosen == LEAVE:
        raise SettingsError(
            f"Nothing is proposed for {category}: leave it, or say what to set with --to STATUS "
            f"(or --to {CORRECT}: what its rules would set)."
        )
    spec: BacklogSpec | None = categories.specs.get(category)
    from_now = spec is not None and spec.clock == "now"
    statuses = portal.policy.statuses
    if chosen == CORRECT:
        return Treatment(category, says, None, from_now)
    if chosen not in statuses.by_key:
        raise SettingsError(f'"{chosen}" is no Lead status here{did_you_mean(chosen, [*statuses.by_key, CORRECT])}.')
    return Treatment(category, says, statuses.value(chosen), from_now)


class Treater:
    """Puts the treatment in the place of what the rules decide: for contacts of the category, and nothing else."""

    def __init__(self, treatment: Treatment, categories: Categories, now: datetime) -> None:
        self.treatment = treatment
        self.categories = categories
        self.now = now

    def __call__(self, contact: Contact, decision: Decision) -> Decision:
        """The changes of one contact, none where it isn't, or no longer, of the category."""
        now = self.now
        found = [
            f
            for f in decision.findings
            if f.backlog and f.cause is not None and self.categories.of(contact, f, now) == self.treatment.category
        ]
        if not found:
            return NOTHING
        if self.treatment.value is not None:
            latest = max(found, key=lambda f: f.cause.at if f.cause is not None else EPOCH)
            change = self._change(contact, latest, STATUS, self.treatment.value, now)
            return Decision(changes=(change,)) if change is not None else NOTHING
        fixes = [(f, *f.fix) for f in found if f.fix is not None]
        changes = [self._change(contact, f, name, new, now) for f, name, _old, new in fixes]
        return Decision(changes=tuple({c.property: c for c in changes if c is not None}.values()))

    def _change(self, contact: Contact, finding: Finding, name: str, new: str, now: datetime) -> SetProperty | None:
        """One change; None where it is so already, was made or taken back before, or moves a stage for an old cause."""
        old = contact.properties.get(name) or ""
        if finding.cause is None or old == new:
            return None
        if name == STAGE and now - finding.cause.at > TOO_OLD_FOR_STAGES:
            return None
        if any(o.restores and o.property == name and o.written_at > finding.cause.at for o in contact.ours):
            return None
        at = now if self.treatment.from_now else finding.cause.at
        cause = Cause("backlog", at, f"backlog:{finding.rule}:{finding.cause.key}", finding.cause.id)
        if contact.has_fired(ledger_key(RULE, cause, name)):
            return None
        return SetProperty(name, old, new, RULE, PLAYBOOK, cause, self.treatment.says)


def plan_treatment(
    session: Session, categories: Categories, treatment: Treatment, advance: Advance = lambda _n: None
) -> Treated:
    """What treating a category would write now; nothing is written."""
    now = session.portal_now()
    dresser: Dresser = Book(session.store, session.portal.id, None, now=now) if session.store else NoBook()
    treated = Treated(treatment)
    room, treated.again = _room(session.store, session.portal.id, now)
    for look in _all(_looker(session, session.store, categories, treatment, dresser, now), treated, session, advance):
        if treated.found > room:
            treated.left += 1
        else:
            treated.tally.changes += [change_row(look.contact.id, c, "planned") for c in look.decision.changes]
    return treated


def write_treatment(
    session: Session,
    store: Store,
    categories: Categories,
    treatment: Treatment,
    limits: Limits,
    advance: Advance = lambda _n: None,
) -> Treated:
    """Treat as many contacts of a category as this hour has room for. Nothing to do makes no run.

    Raises UnsafePlan before the first write where it would change too much or writes are frozen, StoreError where
    another run is writing to the portal, or another hubsync did.
    """
    portal = session.portal.id
    with PortalLease(store, portal, "hubsync backlog --treat --write") as lease, Spool[Planned]() as spool:
        now = session.portal_now()
        refuse_frozen(session.pace, now)
        store.close_dead_runs(portal, now)
        recover(session.gateway, store, portal, now, fence=lease.transaction)
        admit_alone(session, store, lease, now)
        treated = Treated(treatment)
        room, treated.again = _room(store, portal, now)
        looker = _looker(session, store, categories, treatment, Book(store, portal, session.gateway, now=now), now)
        for look in _all(looker, treated, session, advance):
            if treated.found > room:
                treated.left += 1
            else:
                spool.append(plan_of(look))
        limits.refuse_too_much(spool.count, treated.tally.in_scope, 0)
        if spool.count:
            first_write(session, store, now)
            args = {"treat": treatment.category, "status": treatment.value}
            treated.run = store.start_run(portal, KIND, args, session.portal.policy.digest, now, epoch=lease.epoch)
            _write(session, store, lease, looker, spool, treated, advance)
    return treated


def _write(
    session: Session,
    store: Store,
    lease: PortalLease,
    looker: Looker,
    spool: Spool[Planned],
    treated: Treated,
    advance: Advance,
) -> None:
    portal, run, tally = session.portal.id, treated.run or 0, treated.tally
    state: RunState = "failed"
    pacer = Pacer(None, store, session.portal, session.portal_now())
    pen = Pen(session.gateway, store, session.portal, lease, run, session.portal_now)
    try:
        Writer(pen, looker, tally, pacer).write_all(spool, advance)
        Aftermath(pen, tally, looker).look(advance)
        state = "done"
    except KeyboardInterrupt as stop:
        state, written = "interrupted", tally.states().get("applied", 0)
        raise KeyboardInterrupt(
            f"Stopped. Run {run} had treated {written:,} of {spool.count:,} contacts. The same command goes on with "
            f"the rest. To take back what was written: hubsync undo {run}"
        ) from stop
    finally:
        with lease.transaction():
            counts = {"contacts": tally.contacts, **{f"changes_{s}": n for s, n in tally.states().items()}}
            store.finish_run(portal, run, state, counts, session.portal_now())


def _looker(
    session: Session,
    store: Store | None,
    categories: Categories,
    treatment: Treatment,
    dresser: Dresser,
    now: datetime,
) -> Looker:
    horizon = horizon_for(store, session.portal, session.effective_since, now)
    treater = Treater(treatment, categories, now)
    policy = session.portal.policy
    return Looker(session.gateway, policy, horizon, session.portal_now, dresser, tasks=False, instead=treater)


def _all(looker: Looker, treated: Treated, session: Session, advance: Advance) -> Iterator[Look]:
    """Every contact to be changed, counted."""
    policy = session.portal.policy
    for looks in looker.over(session.gateway.all_contacts(policy.properties)):
        for look in looks:
            treated.tally.contacts += 1
            treated.tally.in_scope += policy.in_scope(look.contact)
            if look.decision.changes:
                treated.found += 1
                if len(treated.sample) < SAMPLE:
                    treated.sample.append(look.contact)
                yield look
        advance(len(looks))


def _room(store: Store | None, portal: int, now: datetime) -> tuple[int, datetime | None]:
    """How many contacts may be treated now, and when there is room again for those that may not."""
    since = now - AN_HOUR
    sent: dict[str, datetime] = {}
    for run in store.runs(portal, 1_000) if store is not None else ():
        if run.kind == KIND and (run.finished_at is None or run.finished_at >= since):
            for row in store.writes_of_run(portal, run.id) if store is not None else ():
                if row.sent_at is not None and row.sent_at >= since:
                    sent[row.contact] = row.sent_at
    return max(MOST - len(sent), 0), (min(sent.values()) if sent else now) + AN_HOUR
