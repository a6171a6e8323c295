"""Runs, ledger and overrides from end to end, for `hubsync db export`.

Read in chunks, each in a short transaction of its own, so that memory stays flat and nobody who writes beside waits.
Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select, tuple_

from hubsync.store import ledger, runs
from hubsync.store.engine import Database
from hubsync.store.tables import override, write
from hubsync.store.tables import run as run_table
from hubsync.store.values import Override, Run, Write

CHUNK = 1_000


class Exporting:
    """The past of one portal. Made by `Store.exporting`; raises StoreError as the store does."""

    def __init__(self, database: Database, portal: int) -> None:
        self._db = database
        self._portal = portal

    def runs(self, since: datetime | None) -> Iterator[Run]:
        """Runs that began since a moment (None: all there are), oldest first."""
        last = 0
        while True:
            with self._db.read() as tx:
                found = runs.after(tx, self._portal, last, since, CHUNK)
            yield from found
            if len(found) < CHUNK:
                return
            last = found[-1].id

    def writes(self, since: datetime | None) -> Iterator[Write]:
        """Rows of the ledger, of runs that began since a moment, oldest first."""
        c, last = write.c, 0
        statement = select(*ledger.COLUMNS).where(c.portal_id == self._portal).order_by(c.id).limit(CHUNK)
        if since is not None:
            begun = select(run_table.c.id).where(run_table.c.portal_id == self._portal, run_table.c.started_at >= since)
            statement = statement.where(c.run_id.in_(begun))
        while True:
            with self._db.read() as tx:
                found = [Write(*row) for row in tx.execute(statement.where(c.id > last))]
            yield from found
            if len(found) < CHUNK:
                return
            last = found[-1].id

    def overrides(self, since: datetime | None) -> Iterator[Override]:
        """Overrides made since a moment, oldest first."""
        c = override.c
        order = (c.at, c.contact_id, c.property)
        statement = select(*ledger.OVERRIDE_COLUMNS).where(c.portal_id == self._portal).order_by(*order).limit(CHUNK)
        if since is not None:
            statement = statement.where(c.at >= since)
        further = statement
        while True:
            with self._db.read() as tx:
                found = [Override(*row) for row in tx.execute(further)]
            yield from found
            if len(found) < CHUNK:
                return
            end = found[-1]
            further = statement.where(tuple_(*order) > tuple_(end.at, end.contact, end.property))
