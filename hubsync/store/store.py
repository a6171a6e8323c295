"""The store as the rest of hubsync sees it: plain values in, plain values out, no SQL.

Each method is one transaction, unless `begin()` groups several into one. Lists may be of any length. Every method
raises StoreError where the database can't do it (locked, read-only, full, gone), and ValueError for a time without
a zone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Self, Unpack

from hubsync.store import history, identity, leases, ledger, mirror, plans, portals, runs, tombstones, tuning, work
from hubsync.store.engine import Database
from hubsync.store.exporting import Exporting
from hubsync.store.notices import Notices
from hubsync.store.occupancy import occupied
from hubsync.store.parking import Parking
from hubsync.store.purging import Purging
from hubsync.store.values import (
    Holder,
    Learned,
    Look,
    NewWrite,
    Override,
    PlanCount,
    PlanEntry,
    Planned,
    Portal,
    Run,
    RunState,
    Settlement,
    StatusChange,
    Stint,
    WorkItem,
    Write,
)


class Store:
    """An open database, made by `open_store`; safe to share between threads (writers take turns)."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.parking = Parking(database)
        self.notices = Notices(database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes every connection. The store can't be used afterwards."""
        self._db.close()

    def occupied(self, who: str) -> AbstractContextManager[None]:
        """Keeps a second service away. Raises StoreError, naming it, where there is one."""
        return occupied(self._db, who)

    def begin(self, *, portal: int | None = None, epoch: int | None = None) -> AbstractContextManager[None]:
        """Groups calls of this thread into one transaction: all of them, or on an exception none.

        With `portal` and `epoch` it is fenced: LeaseLost is raised, and nothing is written, unless that lease is still
        held, and the lease can't change hands before the end. Never make a slow call (HubSpot, a person) inside.
        """
        return self._db.begin(portal=portal, epoch=epoch)

    def known_portal(self) -> int | None:
        """The one portal this database serves; None where it has seen none, or several (`portals()` lists them)."""
        with self._db.read() as tx:
            return portals.known(tx)

    def portals(self) -> tuple[Portal, ...]:
        """Every portal this database serves, by id."""
        with self._db.read() as tx:
            return portals.every(tx)

    def remember_portal(self, portal: int, *, at: datetime, **learned: Unpack[Learned]) -> None:
        """Notes a portal, or what was learned of it; None keeps what is known."""
        with self._db.write() as tx:
            portals.remember(tx, portal, at, learned)

    def effective_since(self, portal: int) -> datetime | None:
        """The moment of the first `--write` (B1), None before it."""
        with self._db.read() as tx:
            return portals.effective_since(tx, portal)

    def set_effective_since(self, portal: int, at: datetime) -> None:
        """Sets or changes the moment from which causes count (B1)."""
        with self._db.write() as tx:
            portals.set_column(tx, portal, "effective_since", at)

    def active_digest(self, portal: int) -> str | None:
        """The digest of the rules in force; a worker on another digest doesn't write."""
        with self._db.read() as tx:
            return portals.active_digest(tx, portal)

    def set_active_digest(self, portal: int, digest: str) -> None:
        """Declares the rules in force."""
        with self._db.write() as tx:
            portals.set_column(tx, portal, "active_digest", digest)

    def activate_rules(
        self, portal: int, ids: Iterable[str], at: datetime, *, was: Mapping[str, Sequence[str]] | None = None
    ) -> dict[str, datetime]:
        """Stamps the rules not active yet with `at`; returns every rule's moment.

        `was` maps a rule to its former ids: their moment (the earliest), ledger rows and overrides go over to it. Where
        both have spent the same cause, the former row stays under its old id.
        """
        with self._db.write() as tx:
            return portals.activate_rules(tx, portal, ids, at, was or {})

    def activations(self, portal: int) -> dict[str, datetime]:
        """Since when each rule is active in this portal."""
        with self._db.read() as tx:
            return portals.activations(tx, portal)

    def cursor(self, portal: int, name: str) -> str | None:
        """Where something left off, e.g. a poll; None if it never ran."""
        with self._db.read() as tx:
            return portals.cursor(tx, portal, name)

    def set_cursor(self, portal: int, name: str, value: str) -> None:
        """Moves a cursor."""
        with self._db.write() as tx:
            portals.set_cursor(tx, portal, name, value)

    # Runs and their plans ----------------------------------------------------------------------------------------

    def start_run(
        self,
        portal: int,
        kind: str,
        args: Mapping[str, Any],
        rules_digest: str,
        at: datetime,
        *,
        epoch: int | None = None,
    ) -> int:
        """Opens a run; returns its number. `epoch` is its lease's: without one, its rows count as dead."""
        with self._db.write() as tx:
            return runs.start(tx, portal, kind, args, rules_digest, at, epoch)

    def finish_run(self, portal: int, run: int, state: RunState, counts: Mapping[str, int], at: datetime) -> None:
        """Closes a run with what it counted. KeyError for an unknown run."""
        with self._db.write() as tx:
            runs.finish(tx, portal, run, state, counts, at)

    def close_dead_runs(self, portal: int, at: datetime) -> int:
        """Marks as interrupted the writing runs whose lease is no longer held; returns how many."""
        with self._db.write() as tx:
            return runs.close_dead(tx, portal, at)

    def run(self, portal: int, run: int) -> Run | None:
        """One run."""
        with self._db.read() as tx:
            return runs.one(tx, portal, run)

    def runs(self, portal: int, limit: int = 20) -> tuple[Run, ...]:
        """The newest runs, newest first."""
        with self._db.read() as tx:
            return runs.newest(tx, portal, limit)

    def append_plan(self, portal: int, run: int, entries: Sequence[PlanEntry]) -> None:
        """Adds a chunk of entries to a run's spooled plan, in order."""
        with self._db.write() as tx:
            plans.append(tx, portal, run, entries)

    def plan(self, portal: int, run: int, *, chunk: int = 1_000) -> Iterator[PlanEntry]:
        """The spooled plan in order, `chunk` entries in memory and one short read for each."""
        return plans.chunks(self._db, portal, run, chunk)

    def plan_counts(self, portal: int, run: int) -> dict[str, PlanCount]:
        """By kind of entry: how many, over how many contacts."""
        with self._db.read() as tx:
            return plans.counts(tx, portal, run)

    # Ledger ------------------------------------------------------------------------------------------------------

    def plan_writes(self, portal: int, run: int, rows: Sequence[NewWrite]) -> tuple[Planned, ...]:
        """Records writes before their calls are made; the answer is in the order of `rows`.

        A row whose key (contact, rule, cause_key, target) is held already isn't inserted: its `Planned` is not fresh
        and names the row that holds it. The second of two equal keys in `rows` is such a one.
        """
        with self._db.write() as tx:
            return ledger.plan(tx, portal, run, rows)

    def mark_sent(self, portal: int, ids: Collection[int], at: datetime) -> None:
        """Just before the call: planned rows become sent."""
        with self._db.write() as tx:
            ledger.mark_sent(tx, portal, ids, at)

    def settle(self, portal: int, results: Sequence[Settlement]) -> tuple[int, ...]:
        """Records outcomes; returns the ids left as they were, because their state doesn't lead there.

        planned, sent → applied, not_applied, refused, superseded; applied → not_applied, overridden, undone.
        """
        with self._db.write() as tx:
            return ledger.settle(tx, portal, results)

    def close_tasks(self, portal: int, closed: Mapping[int, datetime], note: str | None = None) -> None:
        """Notes since when the tasks of these rows are no longer open: completed (then `note` says so) or gone."""
        with self._db.write() as tx:
            ledger.close_tasks(tx, portal, closed, note)

    def unsettled(self, portal: int) -> tuple[Write, ...]:
        """Planned and sent rows of dead runs (finished, or of a lease no longer held), oldest first."""
        with self._db.read() as tx:
            return ledger.unsettled(tx, portal)

    def ledger_of(self, portal: int, contacts: Collection[str]) -> dict[str, tuple[Write, ...]]:
        """Every row of these contacts, oldest first; a contact without rows is left out."""
        with self._db.read() as tx:
            return ledger.of_contacts(tx, portal, contacts)

    def writes_of_run(self, portal: int, run: int) -> tuple[Write, ...]:
        """Every row of a run, oldest first."""
        with self._db.read() as tx:
            return ledger.of_run(tx, portal, run)

    def annotate(self, portal: int, notes: Mapping[int, str]) -> None:
        """Replaces the notes of rows, whatever their states."""
        with self._db.write() as tx:
            ledger.annotate(tx, portal, notes)

    def move_above(self, portal: int, below: Mapping[int, str]) -> None:
        """Corrects `below` of rows that HubSpot's history shows above another entry than the one meant."""
        with self._db.write() as tx:
            ledger.move_above(tx, portal, below)

    def open_tasks(self, portal: int, contacts: Collection[str]) -> dict[str, tuple[Write, ...]]:
        """The tasks (planned, sent or created) not known to be closed, by contact, oldest first."""
        with self._db.read() as tx:
            return ledger.open_tasks(tx, portal, contacts)

    def tasks_since(self, portal: int, since: datetime) -> tuple[Write, ...]:
        """The tasks created, or perhaps created, since a moment, oldest first; also those closed meanwhile."""
        with self._db.read() as tx:
            return ledger.tasks_since(tx, portal, since)

    def log_overrides(self, portal: int, rows: Sequence[Override]) -> None:
        """Logs what people changed back. The same (contact, property, at) is logged once."""
        with self._db.write() as tx:
            ledger.log_overrides(tx, portal, rows)

    def firings(self, portal: int, *, since: datetime | None = None, rule: str | None = None) -> dict[str, int]:
        """By rule: how often a cause made it write to a contact (answered since then), whatever became of it later."""
        with self._db.read() as tx:
            return tuning.firings(tx, portal, since, rule)

    def overrides(self, portal: int, *, since: datetime | None = None) -> tuple[Override, ...]:
        """Logged overrides, oldest first."""
        with self._db.read() as tx:
            return ledger.overrides(tx, portal, since)

    # The past as a whole -----------------------------------------------------------------------------------------

    def purging(self, portal: int) -> Purging:
        """What deletes rows that are older than the retention, and knows what was deleted."""
        return Purging(self._db, portal)

    def exporting(self, portal: int) -> Exporting:
        """What reads runs, ledger and overrides from end to end."""
        return Exporting(self._db, portal)

    # Mirror and history ------------------------------------------------------------------------------------------

    def save_looks(self, portal: int, looks: Sequence[Look]) -> None:
        """Writes the mirror: one row per contact, the last of equal contacts wins. Erased contacts stay away."""
        with self._db.write() as tx:
            mirror.save(tx, portal, looks)

    def looks(self, portal: int, contacts: Collection[str]) -> dict[str, Look]:
        """The mirror's rows of these contacts; an unknown contact is left out."""
        with self._db.read() as tx:
            return mirror.of_contacts(tx, portal, contacts)

    def looked(self, portal: int, contacts: Collection[str]) -> dict[str, datetime]:
        """Which `lastmodifieddate` of these contacts was looked at last."""
        with self._db.read() as tx:
            return mirror.lastmodified(tx, portal, contacts)

    def due(self, portal: int, now: datetime, limit: int) -> tuple[str, ...]:
        """Contacts whose timer has fallen due, longest due first. Saving a look with a new timer takes them off."""
        with self._db.read() as tx:
            return mirror.due(tx, portal, now, limit)

    def mirror(self, portal: int, *, chunk: int = 1_000) -> Iterator[Look]:
        """Every row of the mirror by contact id (as text), `chunk` in memory and one short read for each."""
        return mirror.chunks(self._db, portal, chunk)

    def save_history(
        self, portal: int, contacts: Collection[str], changes: Sequence[StatusChange], stints: Sequence[Stint]
    ) -> None:
        """Replaces the status changes and stints of `contacts` by these."""
        with self._db.write() as tx:
            history.replace(tx, portal, contacts, changes, stints)

    def status_changes(self, portal: int, contacts: Collection[str]) -> dict[str, tuple[StatusChange, ...]]:
        """The stored history of these contacts, by property, oldest first."""
        with self._db.read() as tx:
            return history.changes_of(tx, portal, contacts)

    def stints(self, portal: int, contacts: Collection[str]) -> dict[str, tuple[Stint, ...]]:
        """The stays of these contacts, by property, oldest first."""
        with self._db.read() as tx:
            return history.stints_of(tx, portal, contacts)

    # Who a contact is --------------------------------------------------------------------------------------------

    def merge(self, portal: int, old: str, survivor: str) -> None:
        """`old` was merged into `survivor`: ledger, overrides and the hint go over, its mirror row goes.

        Where both have spent the same cause the survivor's row stands; the other stays under the old id.
        """
        with self._db.write() as tx:
            identity.merge(tx, portal, old, survivor)

    def survivors(self, portal: int, contacts: Collection[str]) -> dict[str, str]:
        """Of these ids, those that were merged away → the contact they are now."""
        with self._db.read() as tx:
            return identity.survivors(tx, portal, contacts)

    def merged_into(self, portal: int, contact: str) -> tuple[str, ...]:
        """The former ids of a contact."""
        with self._db.read() as tx:
            return identity.merged_into(tx, portal, contact)

    def forget(self, portal: int, contacts: Collection[str]) -> None:
        """Deleted contacts: mirror and history go; the ledger stays, since a restored contact may need it, and so do
        hints, which may be newer than the look that found the contact gone."""
        with self._db.write() as tx:
            identity.forget(tx, portal, contacts)

    def erase(self, portal: int, contacts: Collection[str], *, until: datetime) -> None:
        """Privacy deletion: every row goes, under former ids too; until then nothing re-creates them (design 4)."""
        with self._db.write() as tx:
            identity.erase(tx, portal, contacts, until)

    def buried(self, portal: int, contacts: Collection[str], now: datetime) -> frozenset[str]:
        """Which of these contacts were erased and are still to be kept away."""
        with self._db.read() as tx:
            return tombstones.buried(tx, portal, contacts, now)

    # Work --------------------------------------------------------------------------------------------------------

    def hint(self, portal: int, contacts: Collection[str], due_at: datetime, why: str) -> None:
        """Look at these contacts: bumps their generation, brings their due time forward. Not the erased ones."""
        with self._db.write() as tx:
            work.hint(tx, portal, contacts, due_at, why)

    def take_work(self, portal: int, now: datetime, limit: int) -> tuple[WorkItem, ...]:
        """What is due, longest due first. Taking changes nothing: only the holder of the lease may take."""
        with self._db.read() as tx:
            return work.take(tx, portal, now, limit)

    def work_done(self, portal: int, items: Collection[WorkItem], taken_at: datetime) -> None:
        """Clears the items, except those hinted at again since they were taken: these count as hinted at then."""
        with self._db.write() as tx:
            work.done(tx, portal, items, taken_at)

    def work_failed(self, portal: int, items: Collection[WorkItem], due_at: datetime) -> None:
        """Counts a failed look and puts the items off, except that a newer hint keeps its own time."""
        with self._db.write() as tx:
            work.failed(tx, portal, items, due_at)

    def waiting(self, portal: int) -> int:
        """How many contacts are to be looked at, now or later."""
        with self._db.read() as tx:
            return work.waiting(tx, portal)

    # Lease -------------------------------------------------------------------------------------------------------

    def acquire_lease(self, portal: int, holder: str, seconds: float) -> int | None:
        """Takes the portal's lease by the database's clock; its epoch (ever rising), or None while another is live."""
        with self._db.write() as tx:
            return leases.acquire(tx, portal, holder, seconds)

    def renew_lease(self, portal: int, epoch: int, seconds: float) -> bool:
        """Holds on for `seconds` from now. False if it was lost: stop writing."""
        with self._db.write() as tx:
            return leases.renew(tx, portal, epoch, seconds)

    def release_lease(self, portal: int, epoch: int) -> None:
        """Gives the lease back; nothing happens if it was lost before."""
        with self._db.write() as tx:
            leases.release(tx, portal, epoch)

    def lease_holder(self, portal: int) -> Holder | None:
        """Who holds the portal's lease now."""
        with self._db.read() as tx:
            return leases.holder(tx, portal)
