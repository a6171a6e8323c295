"""Digest entries and alerts: rows of the ledger that stand for no call, recorded once per cause.

A row is `applied` from the start, `answered_at` is when it was recorded, `closed_at` when it was delivered; `after` is
the text, `facts` say who is meant (`to`) and that person's owner id (`recipient`). Where a lead was merged, erased or a
rule renamed, they go the way of all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from hubsync.store import ledger
from hubsync.store.engine import Database
from hubsync.store.tables import write
from hubsync.store.values import NOTICES, NewWrite, Planned, Settlement, Write


class Notices:
    """The notices of the ledger. Made by `Store.notices`; raises StoreError as the store does."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def record(self, portal: int, run: int, rows: Sequence[NewWrite], at: datetime) -> tuple[Planned, ...]:
        """Record what people are to be told, unless its cause is spent: then `fresh` is False."""
        with self._db.write() as tx:
            planned = ledger.plan(tx, portal, run, rows)
            ledger.settle(tx, portal, [Settlement(entry.id, "applied", at) for entry in planned if entry.fresh])
        return planned

    def listed(self, portal: int, since: datetime | None = None) -> tuple[Write, ...]:
        """What stands, delivered or not, oldest first; recorded since a moment where one is given."""
        statement = select(*ledger.COLUMNS).where(
            write.c.portal_id == portal, write.c.kind.in_(sorted(NOTICES)), write.c.state == "applied"
        )
        if since is not None:
            statement = statement.where(write.c.answered_at >= since)
        with self._db.read() as tx:
            return tuple(Write(*row) for row in tx.execute(statement.order_by(write.c.id)))
