"""Deleting what is older than its retention, in slices so small that whoever writes beside isn't kept waiting.

Every slice is a transaction of its own and whole in itself: the fingerprints of fired causes land with the rows that
go, so that a purge which is killed is simply run again. What rows are needed whatever their age, says `Cut`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    delete,
    func,
    not_,
    or_,
    select,
    text,
    update,
)

from hubsync.store import fading, portals
from hubsync.store.engine import Database
from hubsync.store.runs import dead
from hubsync.store.tables import contact as contact_table
from hubsync.store.tables import (
    contact_alias,
    faded,
    override,
    plan_entry,
    status_change,
    stint,
    tombstone,
    work,
    write,
)
from hubsync.store.tables import run as run_table
from hubsync.store.values import FREE_STATES

_INCREMENTAL = 2
HAPPENED = ("sent", "applied", "undone", "overridden")
STANDS = ("applied", "overridden")
COUNTED = "purged"
"""Among a run's counts: how many of its writes that had landed were purged."""
LAST_RUN = "purge.last_run"
"""The cursor that holds the highest number of a run that was purged."""
OF_CONTACTS = (write, faded, override, plan_entry, status_change, stint, contact_table, work, contact_alias)


@dataclass(frozen=True, slots=True)
class Cut:
    """What may go: what is of runs that ended before `before` and isn't needed any more.

    Needed are rows whose outcome isn't known; tasks not known to be closed; everything that an undo put back; and of
    what landed the latest for each contact and property, for properties named in `by_value` the latest for each value,
    so that histories are read as before. Runs of `kept_kinds` stay with their plans. `now` ends tombstones.
    """

    before: datetime
    now: datetime
    by_value: frozenset[str] = frozenset()
    kept_kinds: frozenset[str] = frozenset()


class Purging:
    """The purge of one portal. Made by `Store.purging`; raises StoreError as the store does."""

    def __init__(self, database: Database, portal: int) -> None:
        self._db = database
        self._portal = portal

    def faded(self, contacts: Collection[str]) -> dict[str, frozenset[str]]:
        """By contact: "rule|fingerprint" of fired causes whose rows were purged; contacts without any are left out."""
        with self._db.read() as tx:
            return fading.of_contacts(tx, self._portal, contacts)

    def preview(self, cut: Cut) -> dict[str, int]:
        """How many rows of each table would go. Deletes nothing."""
        with self._db.read() as tx:
            counts = {
                table.name: tx.execute(select(func.count()).select_from(table).where(self._goes(tx, table, cut)))
                for table in (write, plan_entry, run_table, override, status_change, stint, tombstone)
            }
            return {name: result.scalar_one() for name, result in counts.items()}

    def of_contacts(self, contacts: Collection[str]) -> dict[str, int]:
        """How many rows of each table `Store.erase` would take with these contacts. Former ids have to be given."""
        with self._db.read() as tx:
            return {
                table.name: tx.execute(
                    select(func.count())
                    .select_from(table)
                    .where(table.c.portal_id == self._portal, table.c.contact_id.in_(list(contacts)))
                ).scalar_one()
                for table in OF_CONTACTS
            }

    def slices(self, cut: Cut, size: Callable[[], int]) -> Iterator[tuple[str, int]]:
        """Deletes slice after slice of about `size()` rows; gives (table, rows deleted) after each transaction."""
        yield from self._writes(cut, size)
        yield from self._plans(cut, size)
        yield from self._runs(cut, size)
        for table in (override, status_change, stint):
            yield from self._by_contact(table, cut, size)
        with self._db.write() as tx:
            gone = tx.execute(delete(tombstone).where(self._goes(tx, tombstone, cut))).rowcount
        yield tombstone.name, gone

    def give_back(self, pages: int) -> int:
        """Gives up to so many free pages of a SQLite file back to the disk; how many. 0 on older files and PostgreSQL.

        PostgreSQL frees space by itself. A file made before this was possible uses its free pages again.
        """
        with self._db.write() as tx:
            if tx.dialect.name != "sqlite":
                return 0
            before = _pragma(tx, "freelist_count")
            if before == 0 or _pragma(tx, "auto_vacuum") != _INCREMENTAL:
                return 0
            tx.execute(text(f"PRAGMA incremental_vacuum({pages:d})")).fetchall()
            return before - _pragma(tx, "freelist_count")

    # One table after the other ------------------------------------------------------------------------------------

    def _writes(self, cut: Cut, size: Callable[[], int]) -> Iterator[tuple[str, int]]:
        last = 0
        while True:
            with self._db.read() as tx:
                found = select(write.c.id).where(write.c.id > last, self._goes(tx, write, cut))
                ids = tx.execute(found.order_by(write.c.id).limit(size())).scalars().all()
            if not ids:
                return
            last = ids[-1]
            with self._db.write() as tx:
                gone = self._delete_writes(tx, cut, ids)
            yield write.name, gone

    def _delete_writes(self, tx: Connection, cut: Cut, ids: Sequence[int]) -> int:
        """What of these rows may still go, goes; its causes stay known by their fingerprints."""
        c = write.c
        columns = (c.id, c.run_id, c.contact_id, c.rule, c.cause_key, c.target, c.kind, c.state)
        rows = tx.execute(select(*columns).where(c.id.in_(ids), _is_not_needed(write, cut))).all()
        spent = [
            (row.contact_id, row.rule, row.cause_key, row.target)
            for row in rows
            if row.kind in {"set", "task"} and row.state not in FREE_STATES
        ]
        if spent:
            fading.keep(tx, self._portal, spent)
        for run, lost in Counter(row.run_id for row in rows if row.state in HAPPENED).items():
            counts = dict(tx.execute(select(run_table.c.counts).where(run_table.c.id == run)).scalar_one())
            counts[COUNTED] = counts.get(COUNTED, 0) + lost
            tx.execute(update(run_table).where(run_table.c.id == run).values(counts=counts))
        return tx.execute(delete(write).where(c.id.in_([row.id for row in rows]))).rowcount

    def _plans(self, cut: Cut, size: Callable[[], int]) -> Iterator[tuple[str, int]]:
        c = plan_entry.c
        with self._db.read() as tx:
            with_plans = select(c.run_id).distinct().where(self._goes(tx, plan_entry, cut))
            runs = tx.execute(with_plans.order_by(c.run_id)).scalars().all()
        for run in runs:
            of_run = (c.portal_id == self._portal, c.run_id == run)
            while True:
                with self._db.write() as tx:
                    first = tx.execute(select(func.min(c.position)).where(*of_run)).scalar_one()
                    if first is None:
                        break
                    gone = tx.execute(delete(plan_entry).where(*of_run, c.position < first + size())).rowcount
                yield plan_entry.name, gone

    def _runs(self, cut: Cut, size: Callable[[], int]) -> Iterator[tuple[str, int]]:
        c, last = run_table.c, 0
        while True:
            with self._db.read() as tx:
                found = select(c.id).where(c.id > last, self._goes(tx, run_table, cut)).order_by(c.id).limit(size())
                ids = tx.execute(found).scalars().all()
            if not ids:
                return
            last = ids[-1]
            with self._db.write() as tx:
                rows = select(write.c.id).where(write.c.portal_id == self._portal, write.c.run_id == c.id)
                gone = tx.execute(delete(run_table).where(c.id.in_(ids), ~rows.correlate(run_table).exists())).rowcount
                _note_last_run(tx, self._portal, last)
            yield run_table.name, gone

    def _by_contact(self, table: Any, cut: Cut, size: Callable[[], int]) -> Iterator[tuple[str, int]]:
        last = ""
        while True:
            with self._db.read() as tx:
                found = select(table.c.contact_id).distinct().where(table.c.contact_id > last)
                found = found.where(self._goes(tx, table, cut)).order_by(table.c.contact_id).limit(size())
                contacts = tx.execute(found).scalars().all()
            if not contacts:
                return
            last = contacts[-1]
            with self._db.write() as tx:
                of_these = delete(table).where(table.c.contact_id.in_(contacts), self._goes(tx, table, cut))
                gone = tx.execute(of_these).rowcount
            yield table.name, gone

    # What may go --------------------------------------------------------------------------------------------------

    def _goes(self, tx: Connection, table: FromClause, cut: Cut) -> ColumnElement[bool]:
        """Holds for the rows of a table that may go."""
        mine = table.c.portal_id == self._portal
        if table is write:
            return and_(mine, _is_not_needed(write, cut), write.c.run_id.in_(self._old_runs(tx, cut)))
        if table is plan_entry:
            old = self._old_runs(tx, cut).where(run_table.c.kind.not_in(sorted(cut.kept_kinds)))
            return and_(mine, plan_entry.c.run_id.in_(old))
        if table is run_table:
            old = self._old_runs(tx, cut).where(run_table.c.kind.not_in(sorted(cut.kept_kinds)))
            return and_(mine, run_table.c.id.in_(old), not_(_has_needed_rows(cut)))
        if table is override:
            return and_(mine, override.c.at < cut.before)
        if table is stint:
            return and_(mine, stint.c.left_at < cut.before)
        if table is status_change:
            return and_(mine, status_change.c.at < cut.before, _was_followed_before(cut))
        return and_(mine, tombstone.c.until < cut.now)

    def _old_runs(self, tx: Connection, cut: Cut) -> Select[tuple[int]]:
        c = run_table.c
        ended = func.coalesce(c.finished_at, c.started_at) < cut.before
        return select(c.id).where(c.portal_id == self._portal, ended, dead(tx, self._portal))


def _is_not_needed(row: FromClause, cut: Cut) -> ColumnElement[bool]:
    """Holds for rows of the ledger (`write` or an alias of it) that nothing asks for any more."""
    c = row.c
    by_value = and_(c.target.in_(sorted(cut.by_value)), c.kind == "set")
    later = write.alias("later")
    replaced = (
        select(later.c.id)
        .where(
            later.c.portal_id == c.portal_id,
            later.c.contact_id == c.contact_id,
            later.c.target == c.target,
            later.c.id > c.id,
            later.c.kind == c.kind,
            later.c.cause_kind == c.cause_kind,
            later.c.state.in_(STANDS),
            or_(not_(by_value), later.c.after.is_not_distinct_from(c.after)),
        )
        .correlate(row)
        .exists()
    )
    return and_(
        c.state.not_in(("planned", "sent")),
        or_(
            c.state.not_in(HAPPENED),
            c.kind == "withdraw",
            and_(c.kind == "task", or_(c.state != "applied", c.closed_at.is_not(None))),
            and_(c.kind == "set", replaced),
        ),
    )


def _has_needed_rows(cut: Cut) -> ColumnElement[bool]:
    """Holds for runs of which a row stays, or part of a plan that is kept."""
    row = write.alias("row")
    stays = select(row.c.id).where(
        row.c.portal_id == run_table.c.portal_id, row.c.run_id == run_table.c.id, not_(_is_not_needed(row, cut))
    )
    return stays.correlate(run_table).exists()


def _note_last_run(tx: Connection, portal: int, run: int) -> None:
    known = portals.cursor(tx, portal, LAST_RUN)
    portals.set_cursor(tx, portal, LAST_RUN, str(max(run, int(known or 0))))


def _pragma(tx: Connection, name: str) -> int:
    return int(tx.execute(text(f"PRAGMA {name}")).scalar_one())


def _was_followed_before(cut: Cut) -> ColumnElement[bool]:
    """Holds for a status change that was over when the retention begins: the value in force then stays known."""
    c, later = status_change.c, status_change.alias("later")
    followed = select(later.c.position).where(
        later.c.portal_id == c.portal_id,
        later.c.contact_id == c.contact_id,
        later.c.property == c.property,
        later.c.position > c.position,
        later.c.at <= cut.before,
    )
    return followed.correlate(status_change).exists()
