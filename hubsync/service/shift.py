"""A shift: some hours of the service's work under one run number, so that it can be listed, explained and undone.

The path is that of every run (design 1): look → decide → guard → write through the outbox → ledger → look after. A
shift differs from `hubsync sync` in that contacts come as they change, and that the look after a write is the contact's
next look, some twenty seconds later. Without a lease it only decides: nothing is written to HubSpot.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from hubsync.errors import HubsyncError
from hubsync.policy.contact import Contact
from hubsync.policy.policy import Horizon
from hubsync.portal.values import ContactsRead
from hubsync.service.buckets import Buckets, HeldRule, hold, parked_for
from hubsync.store.store import Store
from hubsync.store.values import OPEN_STATES, RunState, WorkItem, Write
from hubsync.sync.adopting import Adopted, Neighbourhood
from hubsync.sync.aftermath import Aftermath
from hubsync.sync.book import Book
from hubsync.sync.lease import PortalLease
from hubsync.sync.looking import Look, Looker
from hubsync.sync.merges import as_one_each
from hubsync.sync.mirroring import remember_written
from hubsync.sync.neighbours import admit_alone
from hubsync.sync.overrides import OverrideWatch
from hubsync.sync.pacing import Pacer
from hubsync.sync.pen import Pen
from hubsync.sync.plan import Tally, plan_of
from hubsync.sync.reconcile import Session, as_known, first_write, looker_of
from hubsync.sync.recovery import recover
from hubsync.sync.retrying import is_unanswered
from hubsync.sync.scope import horizon_for
from hubsync.sync.writing import Writer

log = structlog.get_logger()

KIND = "serve"
LASTS = timedelta(hours=1)
LOOK_AFTER = timedelta(seconds=20)
"""So long after a write its contact is looked at again: by then whoever was quicker shows in its history."""
AT_LEAST = timedelta(seconds=5)
"""A look that comes sooner for another reason doesn't count as that."""
PATIENCE = timedelta(seconds=10)
"""So long the look after the write waits for a read that has room for it."""
READ_AT_ONCE = 50
"""Contacts in one read with history."""
UNANSWERED = timedelta(minutes=2)
"""So long after HubSpot gave no answer to a write that did not land, it is tried again."""
STALE = timedelta(seconds=2)
"""What was read longer ago is read once more before it is written to."""


@dataclass(slots=True)
class Stretch:
    """What came of looking at some contacts."""

    looks: int = 0
    tally: Tally = field(default_factory=Tally)
    changed: frozenset[str] = frozenset()
    """Contacts that a change or a task landed on."""
    held: list[HeldRule] = field(default_factory=list)
    """Rules that the guard began to hold."""


class Shift:
    """One shift at one portal. Used by one thread. `lease` is held by whoever opened it; None: nothing is written."""

    def __init__(self, session: Session, store: Store, buckets: Buckets, lease: PortalLease | None) -> None:
        self.store = store
        self.buckets = buckets
        self.lease = lease
        self.started = session.portal_now()
        self.session, self.notices = as_known(session, store)
        self._pending: deque[tuple[datetime, Write]] = deque()
        self._awaited: frozenset[str] = frozenset()
        self._uncertain = False
        self._shown: set[str] = set()
        self._newest = 0
        self._counts: Counter[str] = Counter()
        self.run: int | None = None
        self.horizon = self._horizon()
        if lease is not None:
            self._open(lease)

    def _open(self, lease: PortalLease) -> None:
        """Settle what others left, pass the gate, and begin a run. Raises StoreError where another hubsync is here."""
        session, store, portal = self.session, self.store, self.session.portal
        store.close_dead_runs(portal.id, self.started)
        self.settle()
        app_id = admit_alone(session, store, lease, self.started)
        first_write(session, store, self.started)
        self.horizon = self._horizon()
        self.run = store.start_run(portal.id, KIND, {}, portal.policy.digest, self.started, epoch=lease.epoch)
        self._neighbours = Neighbourhood(session.gateway, store, portal.id, app_id, self.run)
        self._adopted = Adopted(store, portal, lease, self.run, self.started)
        self._overrides = OverrideWatch(session.gateway, store, portal, lease)
        try:
            Aftermath(self._pen(lease), Tally(), self._looker()).catch_up()
        except HubsyncError:
            self._finish("failed", lease)  # else nobody would settle, while the lease lives, what it left open
            raise
        except Exception as error:
            log.error("aftermath.failed", run=self.run, exc_info=error)

    @property
    def is_over(self) -> bool:
        """Whether it is time for the next: an hour has passed, or something uncertain can only be settled after it."""
        return self._uncertain or self.session.portal_now() - self.started >= LASTS

    def settle(self) -> None:
        """Find out what became of what ended runs left open; contacts whose writes did not happen are due again."""
        if self.lease is None:
            return
        portal, now = self.session.portal.id, self.session.portal_now()
        open_rows = self.store.unsettled(portal)
        if not open_rows or not recover(self.session.gateway, self.store, portal, now, fence=self.lease.transaction):
            return
        left = {row.id for row in self.store.unsettled(portal)}
        with self.lease.transaction():
            self.store.hint(portal, {r.contact for r in open_rows if r.id not in left}, now, "settled")

    def due(self, now: datetime, room: int) -> tuple[str, ...]:
        """Contacts whose timers have fallen due, at most `room`.

        Where nothing is written, what there is to write stays due: each of those is asked for once a shift.
        """
        if self.lease is not None:
            return self.store.due(self.session.portal.id, now, room)
        due = self.store.due(self.session.portal.id, now, room + len(self._shown))
        found = tuple(id_ for id_ in due if id_ not in self._shown)[:room]
        self._shown.update(found)
        return found

    def after(self, beside: int) -> list[str]:
        """Contacts whose look after a write is due, as many as fill the reads of those `beside` whom they are read.

        Those that have been due for a while come whatever there is to read beside them.
        """
        now = self.session.portal_now()
        due = list(dict.fromkeys(row.contact for at, row in self._pending if at <= now))
        if any(now - at >= PATIENCE for at, _ in self._pending):
            return due
        spare = min(len(due), -beside % READ_AT_ONCE)
        return due[: spare + (len(due) - spare) // READ_AT_ONCE * READ_AT_ONCE]

    def looks_after(self, contact: str) -> bool:
        """Whether the contact will be looked at anyhow, after what was written to it: its echo says nothing new."""
        return contact in self._awaited

    def work(self, ids: Sequence[str], others: Mapping[str, Sequence[str]], items: Iterable[WorkItem] = ()) -> Stretch:
        """Look at contacts, and at those of `others`, objects by their kind, and write what follows.

        `items` are the rows of work that name some of them.

        Raises PortalError and StoreError; what was written until then is in the ledger.
        """
        done = Stretch()
        read_at = self.session.portal_now()
        ids, contacts = self._read(ids, others)
        mended = self._look_after(ids, contacts, done.tally)
        if mended:  # not decided on this time: the look to come is noted where a kill can't lose it
            self._hint(mended, "mended", LOOK_AFTER)
        looker = self._looker()
        looks = [k for page in looker.over([[c for c in contacts if c.id not in mended]]) for k in page]
        done.looks = len(looks)
        if self.lease is None:
            self._only_note(looks, done)
            return done
        try:
            self._write(looks, {i.contact: i for i in items}, looker, read_at, done, self.lease)
        except Exception:
            self._uncertain = True  # rows may be left open: the next shift settles them
            raise
        return done

    def close(self, state: RunState = "done") -> None:
        """End the run. With `done`, what was written last is looked after now, however soon.

        Raises PortalError and StoreError where that can't be done: the run has failed then, the next shift does it.
        """
        if self.lease is None:
            return
        rows = [row for _, row in self._pending]
        try:
            if state == "done" and rows:
                Aftermath(self._pen(self.lease), Tally(), self._looker()).after(rows)
        except HubsyncError:
            state = "failed"
            raise
        finally:
            self._finish(state, self.lease)
        self._hint({row.contact for row in rows}, "written", LOOK_AFTER)

    def drop(self, contact: str) -> None:
        """Don't look after a contact's writes any more: it can't be looked at."""
        self._pending = deque((at, row) for at, row in self._pending if row.contact != contact)
        self._awaited -= {contact}

    def _finish(self, state: RunState, lease: PortalLease) -> None:
        if self.run is None:
            return
        with lease.transaction():
            self.store.finish_run(
                self.session.portal.id, self.run, state, dict(self._counts), self.session.portal_now()
            )

    def _read(self, ids: Sequence[str], others: Mapping[str, Sequence[str]]) -> tuple[list[str], list[Contact]]:
        """Who is to be looked at, and these contacts as they are. Whose the others are is asked beside the reading."""
        asked, known = list(ids), frozenset(ids)
        with ThreadPoolExecutor(1) as beside:
            whose = [beside.submit(self.session.gateway.contacts_of, kind, some) for kind, some in others.items()]
            reads = [self._read_these(asked)] if asked else []
            theirs = dict.fromkeys(id_ for of_kind in whose for found in of_kind.result().values() for id_ in found)
        more = [id_ for id_ in theirs if id_ not in known]
        reads += [self._read_these(more)] if more else []
        with self.fence():
            self.store.forget(self.session.portal.id, [id_ for read in reads for id_ in read.missing])
        found = {id_: contact for read in reads for id_, contact in read.found.items()}
        return [*asked, *more], as_one_each(found)

    def _read_these(self, ids: Sequence[str]) -> ContactsRead:
        self._awaited -= frozenset(ids)  # what their echoes tell from here on, this look may not have seen
        return self.session.gateway.read_contacts(ids, self.session.portal.policy.properties, self._names())

    def _hint(self, contacts: Collection[str], why: str, delay: timedelta) -> None:
        with self.fence():
            self.store.hint(self.session.portal.id, contacts, self.session.portal_now() + delay, why)

    def _write(
        self,
        looks: list[Look],
        items: dict[str, WorkItem],
        looker: Looker,
        read_at: datetime,
        done: Stretch,
        lease: PortalLease,
    ) -> None:
        session, portal, tally = self.session, self.session.portal, done.tally
        self._neighbours.watch(looks)
        looks = self._adopted.recognise(looks)
        now = session.portal_now()
        tally.overridden += self._overrides.see(looks, now)
        looks, kept_back, done.held = self.buckets.admit(looks, now)
        self._hold(kept_back, items, done.held)
        for look in looks:
            tally.count(look, portal.policy)
        acting = [k for k in looks if k.decision.acts or k.decision.superseded]
        with lease.transaction():
            remember_written(self.store, portal, [k for k in looks if not k.decision.acts], now)
        if acting:
            pacer = Pacer(session.pace, self.store, portal, now)
            pacer.wish(acting)
            pacer.allot()
            pen = self._pen(lease)
            late = session.portal_now() - read_at > STALE
            Writer(pen, looker, tally, pacer, rereads=late).write_all([plan_of(k) for k in acting], lambda _n: None)
            pacer.close(lease, tally)
            self._written([k.contact.id for k in acting], done)
        self._count(tally, len(looks))

    def _hold(self, kept_back: dict[str, list[str]], items: dict[str, WorkItem], fresh: list[HeldRule]) -> None:
        """Park the contacts whose changes the guard holds, until the rule is released."""
        portal = self.session.portal.id
        if fresh:
            hold(self.store, portal, fresh)
        for rule, contacts in kept_back.items():
            rows = [items[c] for c in contacts if c in items]
            self.store.parking.park(portal, rows, [c for c in contacts if c not in items], parked_for(rule))

    def _written(self, contacts: Sequence[str], done: Stretch) -> None:
        """After a batch: what landed is looked after soon, and counts against the rules' buckets."""
        now = self.session.portal_now()
        ledger = self.store.ledger_of(self.session.portal.id, contacts)
        fresh = [r for rows in ledger.values() for r in rows if r.run == self.run and r.id > self._newest]
        self._newest = max((row.id for row in fresh), default=self._newest)
        landed = [row for row in fresh if row.state == "applied"]
        self._pending.extend((now + LOOK_AFTER, row) for row in landed if row.kind == "set")
        self._awaited = frozenset(row.contact for _, row in self._pending)
        done.changed = frozenset(row.contact for row in landed)
        firings = {(row.rule, row.contact, row.cause_key) for row in landed if row.kind == "set"}
        self.buckets.wrote(Counter(rule for rule, _, _ in firings), now)
        self._uncertain |= any(row.state in OPEN_STATES for row in fresh)
        self._hint({row.contact for row in fresh if is_unanswered(row)}, "unanswered", UNANSWERED)

    def _look_after(self, ids: Sequence[str], contacts: Sequence[Contact], tally: Tally) -> frozenset[str]:
        """The look after the write, for those contacts just read that wait for one; who was mended."""
        if self.lease is None or not self._pending:
            return frozenset()
        now = self.session.portal_now()
        found = {c.id: c for c in contacts}
        asked = frozenset(ids)
        rows = [row for at, row in self._pending if row.contact in asked and at - now <= LOOK_AFTER - AT_LEAST]
        written = Aftermath(self._pen(self.lease), tally, self._looker()).check(rows, found) if rows else []
        looked = {row.id for row in rows}
        self._pending = deque((at, row) for at, row in self._pending if row.id not in looked)
        self._pending.extend((now + LOOK_AFTER, row) for row in written)
        self._awaited = frozenset(row.contact for _, row in self._pending)
        self._newest = max((row.id for row in written), default=self._newest)
        return frozenset(row.contact for row in written)

    def _only_note(self, looks: Sequence[Look], done: Stretch) -> None:
        """Decide and write nothing: those with nothing to write are noted as looked at, the others stay as they are."""
        for look in looks:
            done.tally.count(look, self.session.portal.policy)
            done.tally.acted += look.decision.acts
        with self.fence():
            quiet = [k for k in looks if not k.decision.acts]
            remember_written(self.store, self.session.portal, quiet, self.session.portal_now())

    def _count(self, tally: Tally, looks: int) -> None:
        self._counts["contacts"] += looks
        self._counts["told"] += len(tally.told)
        self._counts["tasks"] += sum(t["state"] == "applied" for t in tally.tasks)
        self._counts["overridden"] += tally.overridden
        self._counts.update({f"changes_{state}": count for state, count in tally.states().items()})

    def _horizon(self) -> Horizon:
        return horizon_for(self.store, self.session.portal, self.session.effective_since, self.started)

    def _names(self) -> Sequence[str]:
        """Properties whose history is read: those the policy asks for, and those that wait for their look after."""
        return sorted({*self.session.portal.policy.history, *(row.target for _, row in self._pending)})

    def _looker(self) -> Looker:
        now = self.session.portal_now()
        book = Book(self.store, self.session.portal.id, self.session.gateway, now=now, notes=self.lease is not None)
        return looker_of(self.session, self.horizon, book)

    def _pen(self, lease: PortalLease) -> Pen:
        assert self.run is not None  # noqa: S101  (opened with the lease)
        session = self.session
        return Pen(session.gateway, self.store, session.portal, lease, self.run, session.portal_now)

    def fence(self) -> AbstractContextManager[None]:
        """The transaction that results go in: refused where the lease went to another."""
        return self.lease.transaction() if self.lease is not None else nullcontext()
