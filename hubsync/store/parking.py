"""Work that waits for somebody: contacts that can't be looked at, and changes that the guard holds.

A parked contact keeps its row of the work table, due at the end of time, with the reason in `why`. A new hint brings it
forward like any other, so that nothing is lost by being parked.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import case, func, literal, select, update

from hubsync.store.columns import Moment
from hubsync.store.engine import Database
from hubsync.store.sql import ROWS_PER_STATEMENT, chunked, clock, insert_into
from hubsync.store.tables import work
from hubsync.store.tombstones import buried
from hubsync.store.values import WorkItem

FOR_GOOD = datetime(9999, 1, 1, tzinfo=UTC)
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Parking:
    """The parked rows of the work table. Made by `Store.parking`; raises StoreError as the store does."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def park(self, portal: int, items: Collection[WorkItem], contacts: Collection[str], why: str) -> None:
        """Park items that were taken, unless hinted at anew since, and contacts that have no row yet.

        Their generation moves on: what is parked isn't done when the work it was taken with is.
        """
        with self._db.write() as tx:
            for item in items:
                statement = update(work).where(
                    work.c.portal_id == portal,
                    work.c.contact_id == item.contact,
                    work.c.generation == item.generation,
                )
                parked = {"due_at": literal(FOR_GOOD, Moment), "why": why, "attempts": work.c.attempts + 1}
                tx.execute(statement.values(**parked, generation=work.c.generation + 1))
            insert = insert_into(tx, work).values(generation=clock(tx)).on_conflict_do_nothing()
            for chunk in chunked(sorted(set(contacts)), ROWS_PER_STATEMENT):
                gone = buried(tx, portal, chunk, _EVER)
                rows = [
                    {"portal_id": portal, "contact_id": id_, "due_at": FOR_GOOD, "attempts": 0, "why": why}
                    for id_ in chunk
                    if id_ not in gone
                ]
                if rows:
                    tx.execute(insert, rows)

    def unpark(self, portal: int, at: datetime, *, why: str = "", contact: str | None = None) -> int:
        """Make parked contacts due at `at`: all, or those whose reason begins with `why`, or one; how many they are."""
        statement = update(work).where(
            work.c.portal_id == portal,
            work.c.due_at == literal(FOR_GOOD, Moment),
            work.c.why.startswith(why, autoescape=True),
        )
        if contact is not None:
            statement = statement.where(work.c.contact_id == contact)
        with self._db.write() as tx:
            return tx.execute(
                statement.values(due_at=literal(at, Moment), generation=work.c.generation + 1, attempts=0)
            ).rowcount

    def parked(self, portal: int, *, why: str = "", limit: int = 1_000) -> tuple[WorkItem, ...]:
        """Parked contacts, those whose reason begins with `why`, by id."""
        c = work.c
        statement = select(c.contact_id, c.generation, c.due_at, c.attempts, c.why).where(
            c.portal_id == portal, c.due_at == literal(FOR_GOOD, Moment), c.why.startswith(why, autoescape=True)
        )
        with self._db.read() as tx:
            return tuple(WorkItem(*row) for row in tx.execute(statement.order_by(c.contact_id).limit(limit)))

    def how_many(self, portal: int, *, why: str = "") -> int:
        """How many contacts are parked, of those whose reason begins with `why`."""
        statement = select(func.count()).where(
            work.c.portal_id == portal,
            work.c.due_at == literal(FOR_GOOD, Moment),
            work.c.why.startswith(why, autoescape=True),
        )
        with self._db.read() as tx:
            return int(tx.execute(statement).scalar_one())

    def counts(self, portal: int, now: datetime) -> tuple[int, datetime | None, int]:
        """How many are due now, since when the first of them is, and how many are parked."""
        due = work.c.due_at <= literal(now, Moment)
        parked = work.c.due_at == literal(FOR_GOOD, Moment)
        statement = select(
            func.count(case((due, 1))), func.min(case((due, work.c.due_at))), func.count(case((parked, 1)))
        ).where(work.c.portal_id == portal)
        with self._db.read() as tx:
            depth, oldest, waiting = tx.execute(statement).one()
        return depth, oldest, waiting
