"""Deleting what is older than its retention, in slices so small that whoever writes beside isn't kept waiting.

Every slice is a transaction of its own and whole in itself: the fingerprints of fired causes land with the rows that
go, so that a purge which is killed is simply run again. What rows are needed whatever their age, says `Cut`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
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
from hubsync.store.values import FREE_STATES, NOTICES

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


@dataclass(frozen=True, slots=True)
class Slice:
    """One transaction of a purge: rows that went from a table, and how many seconds it took."""

    table: str
    rows: int
    seconds: float


Act = Callable[[Connection], int]


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
                str(table.name): tx.execute(select(func.count()).select_from(table).where(self._goes(table, cut)))
                for table in (write, plan_entry, run_table, override, status_change, stint, tombstone)
            }
            return {name: result.scalar_one() for name, result in counts.items()}

    def of_contacts(self, contacts: Collection[str]) -> dict[str, int]:
        """How many rows of each table `Store.erase` would take with these contacts. Former ids have to be given."""
        with self._db.read() as tx:
            return {
                str(table.name): tx.execute(
                    select(func.count())
                    .select_from(table)
                    .where(table.c.portal_id == self._portal, table.c.contact_id.in_(list(contacts)))
                ).scalar_one()
                for table in OF_CONTACTS
            }

    def slices(
        self, cut: Cut, size: Callable[[], int], clock: Callable[[], float] = time.perf_counter
    ) -> Iterator[Slice]:
        """Deletes slice after slice of about `size()` rows, each in a transaction of its own, timed by `clock`."""
        for table, act in self._acts(cut, size):
            with self._db.write() as tx:
                began = clock()
                rows = act(tx)
                took = clock() - began  # without the commit, which costs the same for one row and for many
            yield Slice(str(table), rows, took)

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
            for _ in range(min(pages, before)):
                tx.execute(text("PRAGMA incremental_vacuum(1)"))  # the driver takes one step, which frees one page
            return before - _pragma(tx, "freelist_count")

    # One table after the other ------------------------------------------------------------------------------------

    def _acts(self, cut: Cut, size: Callable[[], int]) -> Iterator[tuple[str, Act]]:
        """What is to be done in each transaction, with the table it is done to. Looking for it locks nothing."""
        for ids in self._pages(write.c.id, 0, self._goes(write, cut), size):
            yield write.name, partial(self._delete_writes, cut, ids)
        yield from self._delete_plans(cut, size)
        for ids in self._pages(run_table.c.id, 0, self._goes(run_table, cut), size):
            yield run_table.name, partial(self._delete_runs, ids)
        for table in (override, status_change, stint):
            goes = self._goes(table, cut)
            for contacts in self._pages(table.c.contact_id, "", goes, size):
                yield table.name, partial(_delete, table, and_(table.c.contact_id.in_(contacts), goes))
        yield tombstone.name, partial(_delete, tombstone, self._goes(tombstone, cut))

    def _pages(
        self, column: Column[Any], last: Any, goes: ColumnElement[bool], size: Callable[[], int]
    ) -> Iterator[Sequence[Any]]:
        """The column's values above `last`, each once and in order, of rows that may go."""
        while True:
            found = select(column).group_by(column).where(column > last, goes).order_by(column).limit(size())
            with self._db.read() as tx:
                page = tx.execute(found).scalars().all()
            if not page:
                return
            yield page
            last = page[-1]

    def _delete_plans(self, cut: Cut, size: Callable[[], int]) -> Iterator[tuple[str, Act]]:
        c = plan_entry.c
        reach = select(c.run_id, func.min(c.position), func.max(c.position)).group_by(c.run_id).order_by(c.run_id)
        with self._db.read() as tx:
            runs = tx.execute(reach.where(self._goes(plan_entry, cut))).all()
        for run, position, end in runs:
            while position <= end:
                upto = position + size()
                part = (c.portal_id == self._portal, c.run_id == run, c.position >= position, c.position < upto)
                yield plan_entry.name, partial(_delete, plan_entry, and_(*part))
                position = upto

    def _delete_writes(self, cut: Cut, ids: Sequence[int], tx: Connection) -> int:
        """What of these rows may still go, goes; its causes stay known by their fingerprints."""
        c = write.c
        columns = (c.id, c.run_id, c.contact_id, c.rule, c.cause_key, c.target, c.kind, c.state)
        rows = tx.execute(select(*columns).where(c.id.in_(ids), _is_not_needed(write, cut))).all()
        spent = [
            (row.contact_id, row.rule, row.cause_key, row.target)
            for row in rows
            if row.kind in {"set", "task", *NOTICES} and row.state not in FREE_STATES
        ]
        if spent:
            fading.keep(tx, self._portal, spent)
        for run, lost in Counter(row.run_id for row in rows if row.state in HAPPENED).items():
            counts = dict(tx.execute(select(run_table.c.counts).where(run_table.c.id == run)).scalar_one())
            counts[COUNTED] = counts.get(COUNTED, 0) + lost
            tx.execute(update(run_table).where(run_table.c.id == run).values(counts=counts))
        return _delete(write, c.id.in_([row.id for row in rows]), tx)

    def _delete_runs(self, ids: Sequence[int], tx: Connection) -> int:
        """Runs without rows; the highest number is remembered, so that it can be told that they were there."""
        rows = select(write.c.id).where(write.c.portal_id == self._portal, write.c.run_id == run_table.c.id)
        known = portals.cursor(tx, self._portal, LAST_RUN)
        portals.set_cursor(tx, self._portal, LAST_RUN, str(max(ids[-1], int(known or 0))))
        return _delete(run_table, and_(run_table.c.id.in_(ids), ~rows.correlate(run_table).exists()), tx)

    # What may go --------------------------------------------------------------------------------------------------

    def _goes(self, table: FromClause, cut: Cut) -> ColumnElement[bool]:
        """Holds for the rows of a table that may go."""
        mine = table.c.portal_id == self._portal
        if table is write:
            by_id = (
                write.c.portal_id + 0 == self._portal
            )  # no index on the portal: rows are to be walked in their order
            return and_(by_id, write.c.run_id.in_(self._old_runs(cut)), _is_not_needed(write, cut))
        if table is plan_entry:
            old = self._old_runs(cut).where(run_table.c.kind.not_in(sorted(cut.kept_kinds)))
            return and_(mine, plan_entry.c.run_id.in_(old))
        if table is run_table:
            old = self._old_runs(cut).where(run_table.c.kind.not_in(sorted(cut.kept_kinds)))
            return and_(mine, run_table.c.id.in_(old), not_(_has_needed_rows(cut)))
        if table is override:
            return and_(mine, override.c.at < cut.before)
        if table is stint:
            return and_(mine, stint.c.left_at < cut.before)
        if table is status_change:
            return and_(mine, status_change.c.at < cut.before, _was_followed_before(cut))
        return and_(mine, tombstone.c.until < cut.now)

    def _old_runs(self, cut: Cut) -> Select[tuple[int]]:
        c = run_table.c
        return select(c.id).where(c.portal_id == self._portal, c.finished_at < cut.before)


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
            c.kind.in_(("withdraw", *NOTICES)),
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


def _delete(table: Table, goes: ColumnElement[bool], tx: Connection) -> int:
    return tx.execute(delete(table).where(goes)).rowcount


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
