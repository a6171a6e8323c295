"""Which contacts are to be looked at: bookkeeping of what is dirty, not a queue.

A hint bumps the contact's generation; a look that is done clears the row only if no hint came since it was taken. So an
event that arrives during a look is never lost, and a hundred events cost one look. A new row's generation starts at the
database's time, so that it never repeats one that was cleared.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection, Dialect, Insert, bindparam, case, delete, func, literal, select, update

from hubsync.store.columns import Moment
from hubsync.store.sql import ROWS_PER_STATEMENT, chunked, clock, insert_into
from hubsync.store.tables import work
from hubsync.store.tombstones import buried
from hubsync.store.values import WorkItem


def hint(tx: Connection, portal: int, contacts: Collection[str], due_at: datetime, why: str) -> None:
    """Upserts one row per contact."""
    upsert = _upsert(tx.dialect)
    for chunk in chunked(sorted(set(contacts)), ROWS_PER_STATEMENT):  # in one order, so that two hints can't deadlock
        gone = buried(tx, portal, chunk, due_at)
        rows = [
            {"portal_id": portal, "contact_id": id_, "due_at": due_at, "attempts": 0, "why": why}
            for id_ in chunk
            if id_ not in gone
        ]
        if rows:
            tx.execute(upsert, rows)


@lru_cache(maxsize=4)
def _upsert(dialect: Dialect) -> Insert:
    """The statement, made once: webhooks hint hundreds of times a second."""
    statement = insert_into(dialect, work).values(generation=clock(dialect))
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[work.c.portal_id, work.c.contact_id],
        set_={
            "generation": work.c.generation + 1,
            "due_at": case((new.due_at < work.c.due_at, new.due_at), else_=work.c.due_at),
            "why": new.why,
        },
    )


def take(tx: Connection, portal: int, now: datetime, limit: int) -> tuple[WorkItem, ...]:
    """Items that are due."""
    c = work.c
    statement = select(c.contact_id, c.generation, c.due_at, c.attempts, c.why)
    due = statement.where(c.portal_id == portal, c.due_at <= now).order_by(c.due_at, c.contact_id).limit(limit)
    return tuple(WorkItem(*row) for row in tx.execute(due))


def done(tx: Connection, portal: int, items: Collection[WorkItem], taken_at: datetime) -> None:
    """Deletes rows whose generation is unchanged; the others go behind what was hinted at before they were taken.

    Else contacts that change all the time would always be the oldest, and nobody else would ever come.
    """
    theirs = (work.c.portal_id == portal, work.c.contact_id == bindparam("contact"))
    unchanged = delete(work).where(*theirs, work.c.generation == bindparam("taken"))
    again = update(work).where(*theirs, work.c.due_at < taken_at).values(due_at=taken_at)
    if items:
        tx.execute(unchanged, [{"contact": item.contact, "taken": item.generation} for item in items])
        tx.execute(again, [{"contact": item.contact} for item in items])


def failed(tx: Connection, portal: int, items: Collection[WorkItem], due_at: datetime) -> None:
    """Counts the attempt; puts the item off unless it was hinted at anew."""
    unchanged = work.c.generation == bindparam("taken")
    statement = (
        update(work)
        .where(work.c.portal_id == portal, work.c.contact_id == bindparam("contact"))
        .values(attempts=work.c.attempts + 1, due_at=case((unchanged, literal(due_at, Moment)), else_=work.c.due_at))
    )
    if items:
        tx.execute(statement, [{"contact": item.contact, "taken": item.generation} for item in items])


def waiting(tx: Connection, portal: int) -> int:
    """Rows in all."""
    return tx.execute(select(func.count()).select_from(work).where(work.c.portal_id == portal)).scalar_one()
